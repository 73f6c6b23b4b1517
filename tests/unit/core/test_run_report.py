"""Who may have the report of a run, the pod that reads it, and what becomes of that pod."""

from __future__ import annotations

import hashlib
from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.kind import MANAGED_BY_LABEL
from sealyard.api.training_run import TrainingRun
from sealyard.core.reading_pod import DEADLINE_SECONDS, reading_settings
from sealyard.core.run_report import (
    REPORT,
    check_report,
    find_report,
    has_printed,
    report_pod,
)
from sealyard.core.settings import PodSettings
from sealyard.errors import IntegrityError, MissingError, SealyardError, UnavailableError
from support.builders import PINNED_IMAGE, a_training_run
from support.job_manifests import JOBS, container_of, pod_of
from support.profiles import a_compute_profile

ARTIFACT = {"name": REPORT, "path": f"runs/coins-1/{REPORT}", "sha256": "b" * 64, "sizeBytes": 9}
BEST = ARTIFACT | {"name": "best.pt"}


def run_with(**status: Any) -> TrainingRun:
    document = a_training_run().document | {"status": {"image": PINNED_IMAGE, **status}}
    return TrainingRun.from_wire(document)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({}, "is Pending; a report is there once it Succeeded"),
        ({"phase": "Running", "artifacts": [ARTIFACT]}, "is Running; a report is there once"),
        ({"phase": "Failed"}, "is Failed; a report is there once it Succeeded"),
        ({"phase": "Succeeded"}, "left no report: an older image"),
        ({"phase": "Succeeded", "artifacts": [BEST]}, "left no report: an older image"),
    ],
)
def test_a_run_without_a_report(status: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingError, match=message):
        find_report(run_with(**status))


def test_the_report_is_found() -> None:
    found = find_report(run_with(phase="Succeeded", artifacts=[BEST, ARTIFACT]))
    assert found.to_wire() == ARTIFACT


def test_another_page_than_the_one_that_was_made_is_refused() -> None:
    content = b"<!doctype html>"
    artifact = ARTIFACT | {"sha256": hashlib.sha256(content).hexdigest()}
    report = find_report(run_with(phase="Succeeded", artifacts=[artifact]))
    check_report(report, content)
    with pytest.raises(IntegrityError, match=r"runs/coins-1/report\.html in the workspace is not"):
        check_report(report, content + b" ")


@pytest.fixture
def pod() -> dict[str, Any]:
    run = run_with(phase="Succeeded", artifacts=[ARTIFACT])
    return report_pod(run, find_report(run), PodSettings(), suffix="01234567")


def test_kubernetes_knows_every_field(pod: dict[str, Any]) -> None:
    kubernetes_validate.validate(pod, "1.37", strict=True)


def test_the_pod_can_only_read_and_does_not_stay(pod: dict[str, Any]) -> None:
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert container["image"] == PINNED_IMAGE
    assert container["volumeMounts"] == [
        {"name": "workspace", "mountPath": "/workspace", "readOnly": True}
    ]
    assert container["command"][-1] == f"/workspace/runs/coins-1/{REPORT}"
    assert spec["activeDeadlineSeconds"] == DEADLINE_SECONDS
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert "env" not in container
    # The operator watches what carries its label.
    assert MANAGED_BY_LABEL not in pod["metadata"]["labels"]


def test_its_security_is_that_of_every_job(pod: dict[str, Any]) -> None:
    job = next(iter(JOBS.values()))
    usual = dict(pod_of(job)["securityContext"])
    # Nothing in the workspace is given to another group, beneath a training that writes to it.
    assert usual.pop("fsGroupChangePolicy")
    group = usual.pop("fsGroup")
    assert pod["spec"]["securityContext"] == usual | {"supplementalGroups": [group]}
    security = pod["spec"]["containers"][0]["securityContext"]
    assert security == container_of(job)["securityContext"]


def test_it_pulls_and_goes_to_where_the_run_did() -> None:
    profile = a_compute_profile().with_spec("pod.imagePullSecrets", [{"name": "registry"}])
    profile = profile.with_spec("pod.serviceAccountName", "trainer")
    profile = profile.with_spec("pod.priorityClassName", "high")
    run = run_with(phase="Succeeded", artifacts=[ARTIFACT])
    pods = reading_settings(profile.build())
    pod = report_pod(run, find_report(run), pods, suffix="01234567")
    kubernetes_validate.validate(pod, "1.37", strict=True)
    spec, metadata = pod["spec"], pod["metadata"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["serviceAccountName"] == "trainer"
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert [one["key"] for one in spec["tolerations"]] == ["nvidia.com/gpu"]
    assert not {"priorityClassName", "runtimeClassName"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    assert metadata["labels"] == {
        "example.com/team": "vision",
        "app.kubernetes.io/name": "sealyard-report",
    }
    assert metadata["annotations"] == {"example.com/cost-centre": "42"}
    assert reading_settings(None) == PodSettings()


@pytest.mark.parametrize("name", ["a" * 63, "a." * 30 + "b", "coins"])
def test_its_name_is_one_for_any_run(name: str) -> None:
    document = run_with(phase="Succeeded").to_wire()
    run = TrainingRun.from_wire(document | {"metadata": document["metadata"] | {"name": name}})
    artifact = find_report(run_with(phase="Succeeded", artifacts=[ARTIFACT]))
    made = report_pod(run, artifact, PodSettings(), suffix="01234567")["metadata"]["name"]
    assert len(made) <= 63
    assert "." not in made


def test_an_image_that_is_not_known_is_said() -> None:
    run = run_with(phase="Succeeded", artifacts=[ARTIFACT], image=None)
    with pytest.raises(MissingError, match="names no image"):
        report_pod(run, find_report(run), PodSettings(), suffix="0")


def with_state(phase: str, **state: Any) -> dict[str, Any]:
    return {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]}


@pytest.mark.parametrize(
    ("status", "printed"),
    [
        ({}, False),
        ({"phase": "Pending"}, False),
        (with_state("Pending", waiting={"reason": "ContainerCreating"}), False),
        (with_state("Pending", waiting={"reason": "ImagePullBackOff"}), False),
        (with_state("Running", running={}), False),
        (with_state("Succeeded", terminated={"exitCode": 0}), True),
    ],
)
def test_a_pod_on_its_way(status: dict[str, Any], printed: bool) -> None:
    assert has_printed(status) is printed


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (
            with_state("Failed", terminated={"exitCode": 66, "message": "/workspace/x: gone\n"}),
            MissingError,
            "the reading pod: /workspace/x: gone$",
        ),
        (
            with_state("Failed", terminated={"exitCode": 65, "message": "too big"}),
            IntegrityError,
            "the reading pod: too big",
        ),
        (
            with_state("Failed", terminated={"exitCode": 1, "message": "No module named sealyard"}),
            UnavailableError,
            "the reading pod failed: No module named sealyard",
        ),
        (
            with_state("Failed", terminated={"exitCode": 137, "reason": "OOMKilled"}),
            UnavailableError,
            "failed: OOMKilled",
        ),
        ({"phase": "Failed", "message": "DeadlineExceeded"}, UnavailableError, "DeadlineExceeded"),
        (
            with_state("Pending", waiting={"reason": "InvalidImageName", "message": "bad name"}),
            UnavailableError,
            "cannot start: InvalidImageName: bad name",
        ),
    ],
)
def test_a_pod_that_fails(status: dict[str, Any], error: type[SealyardError], message: str) -> None:
    with pytest.raises(error, match=message):
        has_printed(status)
