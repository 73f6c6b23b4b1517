"""What the command does to its own process, tried as a process."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealyard.cli.progress import BAR_AFTER_SECONDS
from sealyard.sealing.keyring import Keyring
from support.terminal import CONTROL_C, terminal

SEALYARD = Path(sys.executable).with_name("sealyard")
MIB = 1 << 20
LONG = 1 << 40
"""More than can be sealed before it is interrupted; a file with holes, which takes no room."""
SECONDS = 60


def seal(folder: Path, *, size: int) -> list[str | Path]:
    """The command line that seals so many zeros."""
    (folder / "keyring.json").write_bytes(Keyring.new(v1=None, v2="k1").to_json())
    with (folder / "m.onnx").open("wb") as file:
        file.truncate(size)
    places = ["--keyring", folder / "keyring.json", "--sealed-dir", folder / "sealed"]
    return [SEALYARD, "seal", folder / "m.onnx", "coins", "1.0.0", "--image-size", "64", *places]


def wait_until_it_writes(folder: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not list(folder.glob("sealed/.onnx-fp32.big.*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_control_c_on_a_terminal(tmp_path: Path) -> None:
    with terminal(seal(tmp_path, size=LONG)) as screen:
        wait_until_it_writes(tmp_path)
        screen.pause(BAR_AFTER_SECONDS)
        screen.wait_for("MiB/s")
        screen.type(CONTROL_C)
        assert screen.wait() == 130
    shown = screen.shown.decode()
    assert "sealing coins 1.0.0 " in shown
    assert shown.endswith("\x1b[?25hsealyard: interrupted\r\n")
    assert "Traceback" not in shown
    assert list((tmp_path / "sealed").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "sealyard: interrupted"),
        (signal.SIGTERM, 143, "sealyard: ended by SIGTERM"),
    ],
)
def test_a_signal_ends_it_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    with subprocess.Popen(
        seal(tmp_path, size=LONG), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until_it_writes(tmp_path)
        process.send_signal(number)
        output, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (code, "")
    assert error.splitlines()[-1] == said  # before it, a slow machine sees progress
    assert list((tmp_path / "sealed").iterdir()) == []


def test_a_signal_that_comes_before_it_has_begun(tmp_path: Path) -> None:
    # The slow import of the commands is interrupted from within, so that no luck is needed.
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    done = subprocess.run(
        [SEALYARD, "--version"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "sealyard: interrupted\n")


def test_only_the_result_is_on_standard_output(tmp_path: Path) -> None:
    done = subprocess.run(
        [*seal(tmp_path, size=5 * MIB), "--json"], capture_output=True, check=True, timeout=SECONDS
    )
    assert json.loads(done.stdout)["sizeBytes"] == 5 * MIB
    # A machine that is slow enough sees progress, which is JSON too.
    assert all("progress" in json.loads(line) for line in done.stderr.splitlines())


def test_what_it_writes_is_nobody_elses_and_no_core_is_dumped(tmp_path: Path) -> None:
    with subprocess.Popen(seal(tmp_path, size=LONG), stderr=subprocess.DEVNULL) as process:
        wait_until_it_writes(tmp_path)
        facts = Path(f"/proc/{process.pid}")
        status = dict(
            line.split(":", 1)
            for line in (facts / "status").read_text().splitlines()
            if ":" in line
        )
        limits = (facts / "limits").read_text().splitlines()
        process.terminate()
    assert status["Umask"].strip() == "0077"
    (cores,) = (line.split() for line in limits if line.startswith("Max core file size"))
    assert cores[4:6] == ["0", "0"]
    assert stat.S_IMODE((tmp_path / "sealed").stat().st_mode) == 0o700
