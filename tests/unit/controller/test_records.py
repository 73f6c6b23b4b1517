from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.controller.pod_records import pod_record
from sealyard.controller.records import (
    claim_record,
    job_record,
    object_record,
    timestamp,
)
from support.raw_objects import raw_claim, raw_job, raw_pod, raw_run


def condition(kind: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": "2026-11-23T11:00:00Z", **more}


JOB_STATES = [
    ((), ("Active", None, None)),
    ((condition("FailureTarget", reason="PodFailurePolicy"),), ("Active", None, None)),
    ((condition("Complete"),), ("Complete", "2026-11-23T11:00:00Z", None)),
    ((condition("Failed", "False"),), ("Active", None, None)),
    (
        (condition("FailureTarget"), condition("Failed", reason="PodFailurePolicy")),
        ("Failed", "2026-11-23T11:00:00Z", "PodFailurePolicy"),
    ),
]


@pytest.mark.parametrize(("conditions", "wanted"), JOB_STATES)
def test_the_state_of_a_job(conditions: Any, wanted: tuple[str, str | None, str | None]) -> None:
    record = job_record(raw_job(conditions=conditions))
    assert record is not None
    finished = timestamp(wanted[1]) if wanted[1] else None
    job = record.job
    assert (job.state, job.finished_at, job.failure_reason) == (wanted[0], finished, wanted[2])


def test_a_job_with_everything() -> None:
    record = job_record(
        raw_job(
            role="export",
            variant="onnx",
            attempt=3,
            owner=("ModelRelease", "release", "release-1"),
            deletionTimestamp="2026-11-23T12:00:00Z",
        )
    )
    assert record is not None
    assert record.owner == ("ModelRelease", "ns", "release")
    job = record.job
    assert (job.role, job.variant, job.attempt) == ("export", "onnx", 3)
    assert (job.owner_uid, job.deleting) == ("release-1", True)


def test_a_job_in_a_queue() -> None:
    raw = raw_job()
    record = job_record(raw)
    assert record is not None
    assert (record.job.suspended, record.job.queue, record.job.begun_at) == (False, None, None)
    raw["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gpu"
    raw["spec"]["suspend"] = True
    raw["status"]["startTime"] = "2026-11-23T11:00:00Z"
    record = job_record(raw)
    assert record is not None
    assert (record.job.suspended, record.job.queue) == (True, "gpu")
    assert record.job.begun_at == timestamp("2026-11-23T11:00:00Z")


@pytest.mark.parametrize(
    "raw",
    [
        raw_job(owner=None),
        raw_job(owner=("Job", "x", "y")),
        raw_job(role="mine-bitcoin"),
        raw_job() | {"metadata": raw_job()["metadata"] | {"labels": None}},
    ],
    ids=["no owner", "another kind of owner", "unknown role", "no labels"],
)
def test_jobs_that_are_none_of_ours(raw: Any) -> None:
    assert job_record(raw) is None


def container(**state: Any) -> dict[str, Any]:
    return {"name": "main", "imageID": "trainer@sha256:ab", "state": state}


POD_STATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"phase": "Pending", "exit_code": None, "image_id": None, "disrupted": False}),
    (
        {"phase": "Running", "containerStatuses": [container(running={})]},
        {"phase": "Running", "image_id": "trainer@sha256:ab", "waiting_reason": None},
    ),
    (
        {
            "phase": "Pending",
            "containerStatuses": [
                container(waiting={"reason": "ImagePullBackOff", "message": "m"})
            ],
        },
        {"waiting_reason": "ImagePullBackOff", "waiting_message": "m"},
    ),
    (
        {
            "phase": "Pending",
            "conditions": [
                condition("PodScheduled", "False", reason="Unschedulable", message="no node")
            ],
        },
        {"waiting_reason": "Unschedulable", "waiting_message": "no node"},
    ),
    (
        {
            "phase": "Failed",
            "containerStatuses": [
                {"name": "sidecar", "state": {"terminated": {"exitCode": 1}}},
                container(terminated={"exitCode": 64, "reason": "Error", "message": "{}"}),
            ],
        },
        {"exit_code": 64, "termination_reason": "Error", "termination_message": "{}"},
    ),
    (
        {"phase": "Failed", "conditions": [condition("DisruptionTarget")]},
        {"disrupted": True, "exit_code": None},
    ),
]


@pytest.mark.parametrize(("status", "wanted"), POD_STATES)
def test_the_state_of_a_pod(status: dict[str, Any], wanted: dict[str, Any]) -> None:
    record = pod_record(raw_pod() | {"status": status})
    assert record is not None
    assert {field: getattr(record.pod, field) for field in wanted} == wanted
    assert (record.work_uid, record.pod.node) == ("job-1", "node-1")


def test_a_pod_without_a_job_is_none_of_ours() -> None:
    raw = raw_pod()
    del raw["metadata"]["ownerReferences"]
    assert pod_record(raw) is None


def test_a_custom_resource_keeps_what_decides() -> None:
    raw = raw_run(status={"phase": "Running"})
    raw["metadata"]["annotations"] = {REQUESTED_AT_ANNOTATION: "now", "other": "x"}
    record = object_record("TrainingRun", raw)
    document = record.parse()
    assert document["spec"] == raw["spec"]
    assert document["status"] == {"phase": "Running"}
    assert document["metadata"]["annotations"] == {REQUESTED_AT_ANNOTATION: "now"}
    assert "managedFields" not in document["metadata"]
    assert not record.deleting
    assert [(link.kind, link.name) for link in record.links] == [
        ("Claim", "data"),
        ("Claim", "work"),
        ("DefaultProfile", ""),
    ]


@pytest.mark.parametrize(
    ("containers", "image"),
    [
        ([{"name": "main", "image": "trainer:1"}], "trainer:1"),
        ([{"name": "sidecar", "image": "other:1"}], None),
        ([], None),
    ],
)
def test_the_image_of_a_job(containers: list[dict[str, Any]], image: str | None) -> None:
    raw = raw_job()
    raw["spec"] = {"template": {"spec": {"containers": containers}}}
    record = job_record(raw)
    assert record
    assert record.job.image == image


def test_a_claim() -> None:
    record = claim_record(raw_claim())
    assert record.claim.name == "data"
    assert record.claim.access_modes == ("ReadWriteOnce",)
    assert (record.claim.phase, record.claim.deleting) == ("Bound", False)
