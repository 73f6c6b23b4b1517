"""What each Job's program is told."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.secrets import Role
from sealyard.core.jobs import rewrap_job, train_job
from support.builders import (
    a_release_target,
    a_training_run,
    task_of,
)
from support.job_manifests import JOBS, RUN, SETTINGS, VIEW, compute_of, container_of


@pytest.mark.parametrize(
    ("role", "program", "image"),
    [
        (Role.TRAIN, "sealyard-trainer", "trainer"),
        (Role.EXPORT, "sealyard-exporter", "sealyard/exporter:1"),
        (Role.PUBLISH, "sealyard-courier", "sealyard/courier:1"),
        (Role.VERIFY, "sealyard-courier", "sealyard/courier:1"),
        (Role.TIDY, "sealyard-courier", "sealyard/courier:1"),
        (Role.REWRAP, "sealyard-courier", "sealyard/courier:1"),
        (Role.PROBE, "sealyard-courier", "sealyard/courier:1"),
        (Role.GRANT, "sealyard-courier", "sealyard/courier:1"),
        (Role.INDEX, "sealyard-courier", "sealyard/courier:1"),
    ],
)
def test_the_program_of_each_role(role: Role, program: str, image: str) -> None:
    container = container_of(JOBS[role])
    assert container["command"] == [program]
    assert container["image"] == image
    assert task_of(JOBS[role])["kind"] == role.value


def test_the_task_of_training() -> None:
    assert task_of(JOBS[Role.TRAIN]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "coins", "uid": "run-uid"},
        "attempt": 2,
        "kind": "train",
        "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
        "hyperparameters": {
            "epochs": 16,
            "imageSize": 128,
            "batch": 16,
            "seed": 0,
            "patience": 100,
            "optimizer": "auto",
            "extra": {"lr0": 0.002},
        },
        "datasetPath": "coins",
        "runPath": RUN.workspace_path,
        "gpus": 1,
        "requestedAt": "2026-11-24T12:00:00Z",
        "progress": {"url": "https://operator.sealyard.svc:8443", "ca": "PEM"},
        "mlflow": {
            "uri": "https://mlflow.team.svc:5000",
            "experiment": "coins",
            "secretName": "mlflow-login",
            "caBundleName": "mlflow-ca",
            "image": "trainer",
        },
    }
    assert RUN.workspace_path == f"runs/coins-{RUN.spec.build_input_hash()}"


def test_publish_and_verify_use_different_credentials() -> None:
    publish, verify = task_of(JOBS[Role.PUBLISH]), task_of(JOBS[Role.VERIFY])
    assert (publish["api"]["secretName"], publish["cdn"]["secretName"]) == (
        "publisher",
        "cdn-write",
    )
    assert (verify["api"]["secretName"], verify["cdn"]["secretName"]) == ("verifier", "cdn-read")
    assert publish["api"]["url"] == verify["api"]["url"]
    assert publish["releasePath"].startswith("runs/coins-1.0.0-")


def test_the_task_of_a_rewrap_has_both_logins_and_no_way_to_the_cdn() -> None:
    url = "https://api.stores.svc:8443"
    assert task_of(JOBS[Role.REWRAP]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "rewrap",
        "verifier": {"url": url, "secretName": "verifier", "caBundleName": "stores-ca"},
        "publisher": {"url": url, "secretName": "publisher", "caBundleName": "stores-ca"},
        "keyringSecretName": "keyring",
    }
    assert JOBS[Role.REWRAP]["spec"]["ttlSecondsAfterFinished"] == 3600
    assert "cdn" not in str(JOBS[Role.REWRAP]["spec"]["template"]["spec"])
    assert len({job["metadata"]["name"] for job in _rewraps()}) == 4


def _rewraps() -> list[dict[str, Any]]:
    """Two attempts each for two generations."""
    targets = [a_release_target().with_spec("rewrapGeneration", n).build() for n in (1, 2)]
    return [rewrap_job(t, SETTINGS, attempt=attempt) for t in targets for attempt in (1, 2)]


def test_the_task_of_a_probe_has_every_way_in_and_no_key() -> None:
    api = {"url": "https://api.stores.svc:8443", "caBundleName": "stores-ca"}
    cdn = {
        "endpoint": "https://cdn.stores.svc:8333",
        "region": "us-east-1",
        "bucket": "models",
        "prefix": "sealyard",
        "caBundleName": "stores-ca",
    }
    assert task_of(JOBS[Role.PROBE]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "probe",
        "generation": 1,
        "publisher": {**api, "secretName": "publisher"},
        "verifier": {**api, "secretName": "verifier"},
        "writer": {**cdn, "secretName": "cdn-write"},
        "reader": {**cdn, "secretName": "cdn-read"},
    }
    assert "keyring" not in str(JOBS[Role.PROBE])


def test_the_task_of_a_grant_names_its_input_and_no_cdn() -> None:
    api = {"url": "https://api.stores.svc:8443", "caBundleName": "stores-ca"}
    assert task_of(JOBS[Role.GRANT]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "grant",
        "inputSha256": VIEW.grants.digest,
        "verifier": {**api, "secretName": "verifier"},
        "publisher": {**api, "secretName": "publisher"},
        "keyringSecretName": "keyring",
    }
    assert "cdn" not in str(JOBS[Role.GRANT]["spec"]["template"]["spec"])


def test_the_task_of_an_index_has_both_keys_and_none_that_opens_anything() -> None:
    assert task_of(JOBS[Role.INDEX]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "index",
        "inputSha256": VIEW.full.digest,
        "indexLifetimeSeconds": 604_800,
        "publisher": {
            "url": "https://api.stores.svc:8443",
            "caBundleName": "stores-ca",
            "secretName": "publisher",
        },
        "releaseKeySecretName": "release-key",
        "freshnessKeySecretName": "freshness-key",
        "rootConfigMapName": "root",
    }
    assert "keyring" not in str(JOBS[Role.INDEX])


def test_a_dollar_in_a_task_is_not_expanded() -> None:
    run = (
        a_training_run().with_spec("hyperparameters.extra", {"copy_paste_mode": "$(HOME)"}).build()
    )
    manifest = train_job(run, SETTINGS, compute_of(run), attempt=1, image="t")
    raw = container_of(manifest)["env"][0]["value"]
    assert "$" not in raw
    assert task_of(manifest)["hyperparameters"]["extra"] == {"copy_paste_mode": "$(HOME)"}
