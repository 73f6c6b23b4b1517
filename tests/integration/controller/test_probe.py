"""A target that the operator has probed, by its Jobs and the real programs, against real stores."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.mounts import SCRATCH_DIRECTORY
from sealyard.api.secrets import Purpose
from support.builders import ledger
from support.operator import Kubectl, OperatorProcess, wait_for
from support.probes import KEY, Rights
from support.stores import running_stores
from support.targets import SECONDS, TARGET, Target, condition

pytestmark = [pytest.mark.cluster, pytest.mark.stores, pytest.mark.timeout(900)]


@pytest.fixture
def rights(tmp_path: Path) -> Iterator[Rights]:
    with running_stores(tmp_path / "stores") as stores:
        yield Rights(stores)


def test_a_target_is_ready_when_its_rights_are_right(
    operator: OperatorProcess, namespace: str, kubectl: Kubectl, rights: Rights
) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    target = Target(kubectl, rights.stores)
    for purpose in (Purpose.API_PUBLISHER, Purpose.API_VERIFIER, Purpose.CDN_READ):
        target.mount(purpose)

    # A Secret comes late. Nothing tells the operator, which may read none.
    target.apply()
    status = target.wait_for("InputMissing")
    assert "Secret cdn-write has no key cdn-write-access-key-id" in condition(status)["message"]
    assert condition(status)["status"] == "False"
    assert shown(kubectl)["REASON"] == "InputMissing"
    target.mount(Purpose.CDN_WRITE)
    # It is looked at again by itself.
    status = target.wait_for("Probed")
    assert {check["result"] for check in status["probe"]["checks"]} == {"Passed"}
    assert (status["probe"]["generation"], status["probe"]["refusesOverwriting"]) == (1, True)
    assert list(rights.objects()) == [KEY]
    columns = shown(kubectl)
    assert (columns["READY"], columns["REASON"], columns["PROBE"]) == ("True", "Probed", "13/13")
    check_job(target)

    # A right too many is found out, though the operator dies in between.
    probes = len(target.jobs("probe"))
    target.mount(Purpose.CDN_WRITE, *(value.encode() for value in rights["put and get"]))
    target.request_probe("2026-11-25T00:00:00Z")
    wait_for(lambda: len(target.jobs("probe")) > probes, what="the next probe")
    operator.end(signal.SIGKILL)
    wait_for(
        lambda: all(job["status"].get("conditions") for job in target.jobs("probe")),
        SECONDS,
        "the Job's end",
    )
    operator.start()
    status = target.wait_for("ProbeFailed")
    # Killed before it could write down what it began, it may begin once more.
    assert ledger(status, "probe")["started"] > probes
    assert condition(status)["message"].startswith(
        "cdn-write-no-get: it can, and must not; take s3:GetObject away from the credential in "
        "Secret cdn-write; again at "
    )
    assert (condition(status)["status"], condition(status, "Stalled")["status"]) == (
        "False",
        "True",
    )
    columns = shown(kubectl)
    assert (columns["READY"], columns["PROBE"]) == ("False", "12/13")

    # Whoever has mended it need not wait for the minute until it is looked at again.
    target.mount(Purpose.CDN_WRITE)
    target.request_probe("2026-11-25T00:00:01Z")
    status = target.wait_for("Probed")
    assert status["probe"]["failures"] == 0

    # A store that is down is told as that, and what was found out before stays.
    rights.stores.cdn.stop()
    target.request_probe("2026-11-25T00:00:02Z")
    down = target.wait_for("RemoteUnavailable")
    assert down["probe"] == status["probe"]
    rights.stores.cdn.start()
    target.wait_for("Probed")

    # A change of the spec is probed before the target is ready again.
    target.apply(cdn={**target.object["spec"]["cdn"], "prefix": "elsewhere"})
    status = target.wait_for("ProbeFailed")
    assert status["probe"]["generation"] == 2
    assert condition(status)["message"].startswith("cdn-write-put: refused (AccessDenied")
    assert list(rights.objects()) == [KEY]

    reasons = {
        event["reason"]
        for event in kubectl.get("events")["items"]
        if event["involvedObject"]["kind"] == "ReleaseTarget"
    }
    assert {"Probing", "Probed", "ProbeFailed", "InputMissing", "RemoteUnavailable"} <= reasons
    lines = [json.loads(line) for line in operator.log.splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
    rights.stores.assert_no_secret_in(json.dumps(kubectl.get("jobs,pods,events,releasetargets")))


def shown(kubectl: Kubectl) -> dict[str, str]:
    """What `kubectl get releasetargets` shows of the target, by the heading of each column."""
    heading, line = kubectl("get", "releasetargets").splitlines()
    starts = [heading.index(name) for name in heading.split()]
    ends = [*starts[1:], len(line)]
    return {
        heading[start:end].strip(): line[start:end].strip()
        for start, end in zip(starts, ends, strict=True)
    }


def check_job(target: Target) -> None:
    """The newest Job as the API server keeps it."""
    job: dict[str, Any] = max(
        target.jobs("probe"), key=lambda job: int(job["metadata"]["labels"]["sealyard.io/attempt"])
    )
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ReleaseTarget", TARGET)
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sealyard-courier"]
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == {
        "secret-api-publisher": "/run/sealyard/secrets/api-publisher",
        "secret-api-verifier": "/run/sealyard/secrets/api-verifier",
        "secret-cdn-write": "/run/sealyard/secrets/cdn-write",
        "secret-cdn-read": "/run/sealyard/secrets/cdn-read",
        "ca-api": "/run/sealyard/ca/api",
        "ca-cdn": "/run/sealyard/ca/cdn",
        "scratch": SCRATCH_DIRECTORY,
    }
