"""JobSets: a kind that may be missing, may come, and whose pods speak for it."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.controller.caches import Caches
from sealyard.controller.job_sets import JobSetLooker
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.listing import Lister
from sealyard.controller.pod_records import pod_record
from sealyard.controller.records import job_set_record, timestamp
from sealyard.controller.resources import JOB_SETS, JOBS, PODS, RUNS, Key
from support.controller import RUN, FakeApi
from support.raw_objects import raw_job, raw_pod, raw_run

UID_LABEL = "jobset.sigs.k8s.io/jobset-uid"
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"


def raw_set(version: int = 1, *, suspend: bool = False, **status: Any) -> dict[str, Any]:
    raw = raw_job("run-train-1", "set-1", version)
    container = {"name": "main", "image": "trainer:1"}
    template = {"spec": {"template": {"spec": {"containers": [container]}}}}
    spec = {"suspend": suspend, "replicatedJobs": [{"name": "n", "template": template}]}
    return raw | {
        "apiVersion": JOB_SETS.api_version,
        "kind": JOB_SETS.kind,
        "spec": spec,
        "status": status,
    }


def pod_of_set(index: int, version: int = 1, created: str = "2026-11-23T10:00:00Z") -> Any:
    raw = raw_pod(f"n-{index}-{version}", f"pod-{index}-{version}", version, created=created)
    raw["metadata"]["labels"] = {UID_LABEL: "set-1", INDEX_LABEL: str(index)}
    return raw


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": "x",
        "lastTransitionTime": "2026-11-23T11:00:00Z",
    }


@pytest.mark.parametrize(
    ("raw", "state", "suspended"),
    [
        (raw_set(), "Active", False),
        (raw_set(suspend=True), "Active", True),
        (raw_set(conditions=[condition("StartupPolicyCompleted")]), "Active", False),
        (raw_set(conditions=[condition("Completed")]), "Complete", False),
        (raw_set(conditions=[condition("Failed")]), "Failed", False),
        (raw_set(conditions=[condition("Failed", "False")]), "Active", False),
    ],
)
def test_the_state_of_a_set(raw: Any, state: str, suspended: bool) -> None:
    record = job_set_record(raw)
    assert record is not None
    job = record.job
    assert (job.is_set, job.state, job.suspended, job.image) == (
        True,
        state,
        suspended,
        "trainer:1",
    )


def test_a_pod_knows_its_set_and_its_index() -> None:
    record = pod_record(pod_of_set(2))
    assert record is not None
    assert (record.work_uid, record.pod.index) == ("set-1", 2)


def test_the_newest_pod_of_each_index_is_known() -> None:
    caches = Caches()
    assert caches.note(JOB_SETS, raw_set()) == {RUN}
    assert caches.note(PODS, pod_of_set(0)) == {RUN}
    caches.note(PODS, pod_of_set(1))
    caches.note(PODS, pod_of_set(1, 2, "2026-11-23T10:30:00Z"))
    names = sorted(record.pod.name for record in caches.pods_of("set-1"))
    assert names == ["n-0-1", "n-1-2"]


def test_a_listing_of_one_kind_says_nothing_of_the_other() -> None:
    caches = Caches()
    caches.note(JOB_SETS, raw_set())
    caches.note(JOBS, raw_job("run-train-2", "job-2"))
    caches.keep_only(JOBS, None, set(), 100)
    assert [record.uid for record in caches.jobs_of("run-1")] == ["set-1"]
    caches.keep_only(JOB_SETS, None, set(), 100)
    assert caches.jobs_of("run-1") == []


async def test_the_kind_may_come_and_go() -> None:
    api, caches, concerned = FakeApi(raw_run()), Caches(), list[set[Key]]()
    caches.note(RUNS, raw_run())
    looker = JobSetLooker(Lister(api, caches, (), concerned.append), caches, concerned.append)
    api.fail("list", 404)
    await looker.look()
    assert (caches.has_job_sets("ns"), set().union(*concerned)) == (False, set())
    await looker.look()
    assert caches.has_job_sets("ns")
    assert {RUN} in concerned
    caches.note(JOB_SETS, raw_set(1000))
    api.fail("list", 403)
    await looker.look()
    assert not caches.has_job_sets("ns")
    assert len(caches.jobs_of("run-1")) == 1, "who may not look does not know"
    api.fail("list", 404)
    await looker.look()
    assert caches.jobs_of("run-1") == []
    api.fail("list", 500)
    with pytest.raises(ApiError):
        await looker.look()


async def test_a_namespace_without_the_right_takes_it_from_no_other() -> None:
    api, caches = FakeApi(raw_run()), Caches()
    lister = Lister(api, caches, ("other", "ns"), lambda _: None)
    api.fail("list", 403)
    await JobSetLooker(lister, caches, lambda _: None).look()
    assert (caches.has_job_sets("other"), caches.has_job_sets("ns")) == (False, True)


def test_a_set_begins_when_its_queue_resumes_it() -> None:
    record = job_set_record(raw_set(conditions=[condition("Suspended", "False")]))
    assert record is not None
    assert record.job.begun_at == timestamp("2026-11-23T11:00:00Z")
    record = job_set_record(raw_set(suspend=True, conditions=[condition("Suspended")]))
    assert record is not None
    assert record.job.begun_at is None
