"""The main job on a real cluster with real stores: from YAML to an opened model, whatever dies."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from sealyard_local.demo import picture
from support.bystander import leaves_no_core, processes_of
from support.coins import coins_program
from support.kueue import Kueue
from support.operator import wait_for
from support.secret_search import SecretSearch, has_web_token
from support.whole import Whole

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.stores,
    pytest.mark.training,
    pytest.mark.timeout(2400),
]

PHASES = ["WaitingForTraining", "Exporting", "Publishing", "Verifying"]


def test_the_quickstart_is_released_and_opens(whole: Whole, tmp_path: Path) -> None:
    release = whole.wait_until_ready("modelrelease", "coins-1.0.0")
    run = whole.status("trainingrun", "coins")

    assert run["phase"] == "Succeeded"
    assert run["progress"]["metrics"]["map50"] >= 0.9
    assert run["dataset"]["images"] == 200
    assert release["phase"] == "Released"
    assert release["trust"] == "unsigned"
    (variant,) = release["variants"]
    small, big = variant["small"]["sizeBytes"], variant["big"]["sizeBytes"]
    assert small <= 3072
    assert small <= 0.2 * (small + big)
    assert variant["maxDifference"] < 1e-2
    # Its gate asked for as much of the exported file itself.
    assert variant["metrics"]["map50"] >= 0.9
    assert abs(variant["metrics"]["map50"] - run["progress"]["metrics"]["map50"]) < 0.02

    pulled = whole.pull(tmp_path, "coins", "1.0.0")
    assert pulled.returncode == 0, pulled.stderr
    assert json.loads(pulled.stdout)["trust"] == "unsigned"
    model = tmp_path / "model.onnx"
    assert stat.S_IMODE(model.stat().st_mode) == 0o600
    assert hashlib.sha256(model.read_bytes()).hexdigest() == variant["sha256"]
    photograph = np.asarray(data.coins(), dtype=np.uint8)
    there = len(coins_program().find_coins(photograph))
    assert abs(len(picture.find(model, photograph)) - there) <= 2

    columns = whole.kubectl("get", "trainingruns,modelreleases")
    assert "Succeeded" in columns
    assert "100 %" in columns
    assert "unsigned" in columns


def test_plaintext_is_gone_and_no_secret_was_ever_said(whole: Whole, tmp_path: Path) -> None:
    whole.wait_until_ready("modelrelease", "coins-1.0.0")
    wait_for(
        lambda: any(
            task["name"] == "tidy" and task.get("done")
            for task in whole.status("modelrelease", "coins-1.0.0")["tasks"]
        ),
        120,
        "the plaintext exports to be deleted",
    )
    assert not [path for path in whole.files() if "exports" in path.parts]
    pulled = whole.pull(tmp_path, "coins", "1.0.0")
    secrets = whole.secrets()
    assert {
        *("release-api-publisher/api-publisher-password", "cdn-write/cdn-write-secret-access-key"),
        *("the signature of token 0", "the signature of token 1"),
        *("keyring/keyring.json/keys/cluster-1/key", "release-api/tls.key"),
    } <= secrets.keys()
    search = SecretSearch(secrets)
    found = []
    said = ("sealyard pull", f"{pulled.stdout}{pulled.stderr}".encode())
    for where, content in (*whole.everything_said(), said):
        found += [f"{where}: {name}" for name in search.found_in(content)]
        # The release API's tokens are nobody's to know here. Other programs have some of their own.
        if where.startswith(("an object", "the log", "the operator", "sealyard")):
            found += [f"{where}: a JSON Web Token"] * has_web_token(content)
    assert not found, "\n".join(found)


def test_no_program_leaves_a_core_file(whole: Whole) -> None:
    whole.wait_until_ready("modelrelease", "coins-1.0.0")
    kinds = {"train", "export", "publish", "verify", "tidy"}
    assert whole.bystander.without_core >= kinds
    assert not whole.bystander.with_core_again
    for program in ("sealyard-operator", "sealyard-release-api"):
        found = list(processes_of(whole.directory, program))
        assert found, program
        assert all(leaves_no_core(pid) for pid in found), program


def test_what_a_publication_wrote_down_is_for_its_writer_alone(whole: Whole) -> None:
    whole.wait_until_ready("modelrelease", "coins-1.0.0")
    records = [path for path in whole.files() if path.name == "publish.json"]
    assert records
    for path in records:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_run_and_a_release_survive_what_can_happen(whole: Whole, tmp_path: Path) -> None:
    """A claim and a Secret come late, a queue takes back what it gave, a pod dies in mid-epoch, the
    operator dies in each phase."""
    whole.wait_until_ready("modelrelease", "coins-1.0.0")
    target = whole.kubectl.get("releasetarget", "stores")["spec"]
    whole.kubectl.apply(
        _hard_run(),
        _hard_release(),
        {
            "apiVersion": "sealyard.io/v1alpha1",
            "kind": "ReleaseTarget",
            "metadata": {"name": "late"},
            "spec": {**target, "keyringSecretRef": {"name": "late-keyring"}},
        },
    )
    assert "hard-workspace" in whole.wait_for_reason("trainingrun", "hard", "ClaimMissing")
    whole.kubectl.apply(_claim("hard-workspace"))

    kueue = Kueue(whole.kubectl)
    job = _admit(whole, kueue, attempt=1)
    wait_for(lambda: _epoch(whole) >= 1, 300, "a whole epoch")
    kueue.preempt(job)
    whole.wait_for_reason("trainingrun", "hard", "Preempted")
    before = _epoch(whole)
    assert _admit(whole, kueue, attempt=1) == job
    wait_for(lambda: _epoch(whole) > max(before, 1), 300, "an epoch after the preemption")
    assert whole.status("trainingrun", "hard")["tasks"][0].get("failures", 0) == 0
    seen = {whole.status("modelrelease", "hard-1.0.0")["phase"]}
    whole.kill_operator()
    whole.kubectl(
        "delete", "pods", "-l", f"sealyard.io/owner-uid={_uid(whole)},sealyard.io/role=train",
        "--force", "--grace-period=0",
    )  # fmt: skip
    _admit(whole, kueue, attempt=2)
    run = whole.wait_until_ready("trainingrun", "hard")
    assert run["attempts"] == 2
    assert run["resumedFromEpoch"] >= 1

    def look() -> dict[str, str]:
        """The release's Ready, after the operator was killed in a phase that is new."""
        status = whole.status("modelrelease", "hard-1.0.0")
        phase = status.get("phase", "")
        if phase in PHASES and phase not in seen:
            seen.add(phase)
            whole.kill_operator()
        conditions = status.get("conditions", [])
        return next((one for one in conditions if one["type"] == "Ready"), {})

    def waits_for_its_secret() -> str | None:
        ready = look()
        return ready["message"] if ready.get("reason") == "InputMissing" else None

    assert "late-keyring" in wait_for(waits_for_its_secret, 300, "the missing Secret to be named")
    keyring = whole.kubectl.get("secret", "keyring")
    whole.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "late-keyring"},
            "data": keyring["data"],
        }
    )

    wait_for(lambda: look().get("status") == "True", 400, "the release to go on by itself")
    assert seen == set(PHASES)
    pulled = whole.pull(tmp_path, "hard", "1.0.0")
    assert pulled.returncode == 0, pulled.stderr


def _epoch(whole: Whole) -> int:
    return int(whole.status("trainingrun", "hard").get("progress", {}).get("epoch", 0))


def _admit(whole: Whole, kueue: Kueue, *, attempt: int) -> str:
    """Admits the Job of an attempt, once it waits. Gives its name."""
    selector = f"sealyard.io/owner-uid={_uid(whole)},sealyard.io/attempt={attempt}"

    def waiting() -> str | None:
        jobs = whole.kubectl.get("jobs", "", f"--selector={selector}")["items"]
        names = [job["metadata"]["name"] for job in jobs if job["spec"]["suspend"]]
        return next(iter(names), None)

    name = wait_for(waiting, 120, f"the Job of attempt {attempt} in its queue")
    kueue.admit(name, {})
    return name


def _uid(whole: Whole) -> str:
    return str(whole.kubectl.get("trainingrun", "hard")["metadata"]["uid"])


def _claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def _hard_run() -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "hard"},
        "spec": {
            "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
            "dataset": {"persistentVolumeClaim": {"claimName": "dataset", "path": "coins"}},
            # Enough that a fast machine is still training once progress, told every 10 s, shows it.
            "hyperparameters": {"epochs": 40, "imageSize": 64, "extra": {"mosaic": 0.0}},
            "compute": {"cpu": "500m", "memory": "3Gi"},
            "queueName": "training",
            "workspace": {"persistentVolumeClaim": {"claimName": "hard-workspace"}},
        },
    }


def _hard_release() -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ModelRelease",
        "metadata": {"name": "hard-1.0.0"},
        "spec": {
            "model": "hard",
            "version": "1.0.0",
            "source": {"trainingRunRef": {"name": "hard"}},
            "variants": [{"name": "onnx", "format": "onnx", "precision": "fp32"}],
            "targetRef": {"name": "late"},
        },
    }
