"""`sealyard run`: manifests, a dataset and a keyring; no cluster."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.job_programs import TIMEOUT_SECONDS
from support.laptop import a_release, a_run, texts

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

SEALYARD = str(Path(sys.executable).parent / "sealyard")
SECONDS = 600
EXTRA = {"lr0": 0.002, "mosaic": 0.0, "nbs": 8, "warmup_epochs": 0}


def test_from_manifests_to_sealed_parts_with_an_interruption(tmp_path: Path, coins: Path) -> None:
    run = a_run(epochs=4, seed=1, optimizer="AdamW", extra=EXTRA)
    ((_, manifests),) = texts(run, a_release(gates=[{"metric": "maxDifference", "max": 0.001}]))
    (tmp_path / "coins.yaml").write_text(manifests)
    keyring = subprocess.run(
        [SEALYARD, "keyring", "new", "--raw"], capture_output=True, check=True, timeout=SECONDS
    )
    (tmp_path / "keyring.json").write_bytes(keyring.stdout)
    command = [
        *(SEALYARD, "run", "coins.yaml", "--claim", f"pictures={coins}", "--json"),
        *("--keyring", "keyring.json", "--sealed-dir", "sealed"),
    ]

    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    try:
        checkpoints = tmp_path / ".sealyard" / "claims" / "workspace"
        deadline = time.monotonic() + SECONDS
        while not list(checkpoints.glob("*/checkpoints/epoch-000001.json")):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert log.read_text().endswith("sealyard: interrupted\n")

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch" in done.stderr
    trained, released = json.loads(done.stdout)["results"]
    assert (trained["name"], trained["phase"], trained["epochs"]) == ("coins", "Succeeded", 4)
    assert (released["phase"], released["sealed"]) == ("Sealed", "sealed/coins-1.0.0")

    opened = tmp_path / "opened.onnx"
    subprocess.run(
        [SEALYARD, "open", "sealed/coins-1.0.0", "--keyring", "keyring.json", "-o", str(opened)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=SECONDS,
    )
    (exported,) = checkpoints.glob("coins-1.0.0-*/exports/onnx-fp32/model.onnx")
    assert opened.read_bytes() == exported.read_bytes()
    # The manifest says what it was trained on, as that of a cluster would.
    manifest = json.loads((tmp_path / "sealed" / "coins-1.0.0" / "manifest.json").read_text())
    assert manifest["predicate"]["source"]["datasetDigest"]
