"""What the caches know of who has a claim, and whom it concerns when it is free."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.controller.caches import Caches
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import CLAIMS, JOB_SETS, JOBS, RUNS, Key
from support.controller import RUN
from support.raw_objects import raw_claim, raw_job, raw_run

RIVAL = Key(RUNS.kind, "ns", "rival")
COMPLETE = ({"type": "Complete", "status": "True", "lastTransitionTime": "2026-07-01T12:00:00Z"},)


def pods(*claims: str) -> dict[str, Any]:
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim}}
        for name, claim in zip(("workspace", "dataset"), claims, strict=False)
    ]
    return {"template": {"spec": {"volumes": [*volumes, {"name": "scratch", "emptyDir": {}}]}}}


def a_job_on(*claims: str, version: int = 1, **more: Any) -> dict[str, Any]:
    return raw_job(version=version, **more) | {"spec": pods(*claims)}


def claim(name: str, *modes: str) -> dict[str, Any]:
    return raw_claim(name, uid=name) | {"spec": {"accessModes": list(modes)}}


@pytest.fixture
def caches() -> Caches:
    """Two runs in one workspace, which one node alone can mount."""
    caches = Caches()
    caches.note(RUNS, raw_run())
    caches.note(RUNS, raw_run("rival", "rival-1"))
    caches.note(CLAIMS, claim("work", "ReadWriteOnce"))
    return caches


def record(caches: Caches, key: Key) -> ObjectRecord:
    found = caches.object(key)
    assert found is not None
    return found


def had_by_others(caches: Caches, key: Key) -> list[str]:
    return [f"{use.kind} {use.name}" for use in caches.uses_of(record(caches, key), ["work"])]


def test_a_job_has_its_claims_until_it_has_ended(caches: Caches) -> None:
    assert caches.note(JOBS, a_job_on("work", "data")) == {RUN}
    assert had_by_others(caches, RIVAL) == ["Job run-train-1"]
    assert had_by_others(caches, RUN) == [], "its own"
    assert caches.note(JOBS, a_job_on("work", "data", version=2, conditions=COMPLETE)) == {
        RUN,
        RIVAL,
    }
    assert had_by_others(caches, RIVAL) == []


def test_a_job_that_is_gone_has_nothing(caches: Caches) -> None:
    caches.note(JOBS, a_job_on("work"))
    assert caches.remove(JOBS, "ns", "run-train-1", "job-1") == {RUN, RIVAL}
    assert had_by_others(caches, RIVAL) == []


def test_a_claim_of_many_nodes_wakes_nobody(caches: Caches) -> None:
    caches.note(
        CLAIMS,
        claim("work", "ReadWriteMany")
        | {"metadata": {**claim("work")["metadata"], "resourceVersion": "2"}},
    )
    caches.note(JOBS, a_job_on("work"))
    assert caches.remove(JOBS, "ns", "run-train-1", "job-1") == {RUN}


def test_a_set_of_jobs_has_them_too(caches: Caches) -> None:
    job = a_job_on("work", "data")
    group = {"name": "train", "template": {"spec": job["spec"]}}
    caches.note(JOB_SETS, job | {"kind": "JobSet", "spec": {"replicatedJobs": [group]}})
    assert had_by_others(caches, RIVAL) == ["JobSet run-train-1"]


def test_what_is_about_to_be_created_counts(caches: Caches) -> None:
    mine = record(caches, RUN)
    caches.expect(mine, [a_job_on("work")])
    assert had_by_others(caches, RIVAL) == ["Job run-train-1"]
    caches.note(JOBS, a_job_on("work"))
    assert caches.settle(mine) == set(), "it is there"
    assert had_by_others(caches, RIVAL) == ["Job run-train-1"]


def test_what_could_not_be_created_wakes_who_waited(caches: Caches) -> None:
    mine = record(caches, RUN)
    caches.expect(mine, [a_job_on("work")])
    assert caches.settle(mine) == {RIVAL}, "itself tries again in its own time"
    assert had_by_others(caches, RIVAL) == []
