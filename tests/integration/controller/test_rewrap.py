"""A rewrap by the operator, its Job and the real programs, on a cluster, against a release API."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.digests import job_name
from sealyard.api.mounts import SCRATCH_DIRECTORY
from sealyard.api.secrets import Purpose
from sealyard.sealing.header import EMPTY_SLOT
from support.operator import Cluster, Kubectl, OperatorProcess, wait_for
from support.rewraps import Rotation
from support.stores import running_stores
from support.targets import SECONDS, TARGET, Target

pytestmark = [pytest.mark.cluster, pytest.mark.stores, pytest.mark.timeout(900)]


@pytest.fixture
def rotation(tmp_path: Path) -> Iterator[Rotation]:
    with running_stores(tmp_path / "stores") as stores:
        yield Rotation(stores, tmp_path / "rotation")


def ask_for(target: Target, generation: int) -> None:
    target.apply(rewrapGeneration=generation)


def wait_until(target: Target, reason: str, generation: int) -> dict[str, Any]:
    """The status, once it says this, and of this generation's rewrap."""
    return target.wait_for(
        reason, lambda status: status.get("rewrap", {}).get("generation", 0) == generation
    )


def rewraps(status: dict[str, Any]) -> list[dict[str, Any]]:
    """The ledgers of rewraps; the probe has one of its own."""
    return [task for task in status["tasks"] if task["name"] != "probe"]


def test_a_rotation_by_the_operator(
    operator: OperatorProcess,
    cluster: Cluster,
    namespace: str,
    kubectl: Kubectl,
    rotation: Rotation,
) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    models = rotation.put(5)
    target = Target(kubectl, rotation.stores)
    target.mount_all()
    target.mount(Purpose.KEYRING, rotation.first.to_json())
    ask_for(target, 0)
    wait_until(target, "Probed", 0)
    assert target.jobs("rewrap") == []

    # The operator is killed as soon as there is a Job, which comes to its end without it.
    target.mount(Purpose.KEYRING, rotation.both.to_json())
    ask_for(target, 1)
    [job] = wait_for(lambda: target.jobs("rewrap"), what="the Job")
    operator.end(signal.SIGKILL)
    wait_for(lambda: target.jobs("rewrap")[0]["status"].get("succeeded"), SECONDS, "the Job's end")
    operator.start()
    status = wait_until(target, "Rewrapped", 1)
    assert len(target.jobs("rewrap")) == 1
    counts = {
        "key": "cluster-2",
        "releases": 5,
        "rewrapped": 5,
        "unchanged": 0,
        "skipped": 0,
        "generation": 1,
    }
    assert {k: v for k, v in status["rewrap"].items() if k != "completedAt"} == counts
    assert [(task["name"], task["done"]) for task in rewraps(status)] == [("rewrap-1", True)]
    assert {rotation.small(model)[224:] == EMPTY_SLOT for model in models} == {False}
    _check(job, target.object["metadata"]["uid"])

    # Nothing starts it again: not its Job's deletion, not another look, not an older value.
    kubectl("delete", "job", job["metadata"]["name"])
    operator.end(signal.SIGTERM)
    operator.start()
    lowered = kubectl.run(
        "patch", "releasetarget", TARGET, "--type=merge", '--patch={"spec":{"rewrapGeneration":0}}'
    )
    assert "may only grow: each new value asks for one more rewrap" in lowered.stderr
    target.request_probe("2026-11-24T00:00:00Z")

    # The old key is retired, and a Secret comes late.
    kubectl("delete", "secret", "keyring")
    ask_for(target, 2)
    status = wait_until(target, "InputMissing", 1)
    assert [task["name"] for task in rewraps(status)] == ["rewrap-2"]
    target.mount(Purpose.KEYRING, rotation.second.to_json())
    status = wait_until(target, "Rewrapped", 2)
    assert (status["rewrap"]["rewrapped"], status["rewrap"]["unchanged"]) == (5, 0)
    assert {rotation.small(model)[128:224] for model in models} == {EMPTY_SLOT}
    attempts = {job["metadata"]["labels"]["sealyard.io/attempt"] for job in target.jobs("rewrap")}
    assert {"1", "2"} <= attempts
    assert {job["metadata"]["labels"]["sealyard.io/variant"] for job in target.jobs("rewrap")} == {
        "2"
    }

    def reasons() -> set[str]:
        return {
            event["reason"]
            for event in kubectl.get("events")["items"]
            if event["involvedObject"]["kind"] == "ReleaseTarget"
        }

    # They go out after the status.
    wanted = {"Probed", "Rewrapping", "Rewrapped", "InputMissing"}
    wait_for(lambda: wanted <= reasons(), what="the events")
    lines = [json.loads(line) for line in operator.log.splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
    assert "REWRAPPED" in kubectl("get", "releasetargets", "-o", "wide")


def _check(job: dict[str, Any], uid: str) -> None:
    """The Job as the API server keeps it."""
    metadata, pod = job["metadata"], job["spec"]["template"]["spec"]
    assert metadata["name"] == job_name(TARGET, uid, "rewrap", "1", 1)
    assert [(o["kind"], o["uid"]) for o in metadata["ownerReferences"]] == [("ReleaseTarget", uid)]
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    [container] = pod["containers"]
    assert container["command"] == ["sealyard-courier"]
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == {
        "secret-api-verifier": "/run/sealyard/secrets/api-verifier",
        "secret-api-publisher": "/run/sealyard/secrets/api-publisher",
        "secret-keyring": "/run/sealyard/secrets/keyring",
        "ca-api": "/run/sealyard/ca/api",
        "scratch": SCRATCH_DIRECTORY,
    }
