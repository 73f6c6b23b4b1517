from __future__ import annotations

from typing import Any

import pytest

from sealyard.controller.caches import Caches
from sealyard.controller.resources import (
    CHANNELS,
    CLAIMS,
    DEVICES,
    JOBS,
    PODS,
    PROFILES,
    RELEASES,
    RUNS,
    TARGETS,
    Key,
)
from sealyard.controller.store import REMEMBERED_REMOVALS
from support.controller import RELEASE, RUN, TARGET
from support.raw_objects import (
    TIME,
    raw_channel,
    raw_claim,
    raw_device,
    raw_job,
    raw_pod,
    raw_profile,
    raw_release,
    raw_run,
    raw_target,
)

OTHER = Key("ModelRelease", "ns", "other")
THIRD = Key("ModelRelease", "ns", "third")
OF_RELEASE = ("ModelRelease", "release", "release-1")


@pytest.fixture
def caches() -> Caches:
    """A run with both claims, its Job and pod, and two releases of it under one version."""
    caches = Caches()
    caches.note(CLAIMS, raw_claim("data", "claim-1"))
    caches.note(CLAIMS, raw_claim("work", "claim-2"))
    caches.note(RUNS, raw_run())
    caches.note(TARGETS, raw_target())
    caches.note(RELEASES, raw_release())
    caches.note(RELEASES, raw_release("other", "release-2", run="another"))
    caches.note(JOBS, raw_job())
    caches.note(PODS, raw_pod())
    return caches


def phase(caches: Caches) -> Any:
    record = caches.object(RUN)
    assert record is not None
    return record.parse()["status"].get("phase")


def test_an_older_event_never_overwrites_a_newer_write(caches: Caches) -> None:
    written = raw_run(version=9, status={"phase": "Running"})
    assert caches.note(RUNS, written) == {RUN, RELEASE}
    assert caches.note(RUNS, raw_run(version=8, status={"phase": "Pending"})) == set()
    assert caches.note(RUNS, written) == set(), "the echo of a write concerns nobody"
    assert phase(caches) == "Running"
    assert caches.note(RUNS, raw_run(version=10, status={"phase": "Failed"})) != set()
    assert phase(caches) == "Failed"


def test_what_was_removed_never_comes_back(caches: Caches) -> None:
    assert caches.remove(RUNS, "ns", "run", "run-1") == {RUN, RELEASE}
    assert caches.note(RUNS, raw_run(version=50)) == set()
    assert caches.object(RUN) is None
    assert caches.note(RUNS, raw_run(uid="run-2", version=51)) == {RUN, RELEASE}


def test_a_removal_that_is_late_leaves_the_namesake_alone(caches: Caches) -> None:
    caches.note(RUNS, raw_run(uid="run-2", version=20))
    assert caches.remove(RUNS, "ns", "run", "run-1") == set()
    record = caches.object(RUN)
    assert record is not None
    assert record.uid == "run-2"


def test_a_default_profile_concerns_what_names_none(caches: Caches) -> None:
    assert caches.note(PROFILES, raw_profile()) == set()
    naming = raw_run("naming", "run-9")
    naming["spec"]["profileRef"] = {"name": "gpu"}
    caches.note(RUNS, naming)
    key = Key("TrainingRun", "ns", "naming")
    assert caches.note(PROFILES, raw_profile(version=2)) == {key}
    everything_else = {RUN, RELEASE, OTHER}
    assert caches.note(PROFILES, raw_profile(version=3, default=True)) == {key} | everything_else
    assert caches.note(PROFILES, raw_profile(version=4)) == {key} | everything_else, "it was one"
    assert caches.note(PROFILES, raw_profile(version=5)) == {key}
    assert caches.remove(PROFILES, "", "gpu", "profile-1") == {key}


def test_a_run_concerns_the_one_that_is_fine_tuned_from_it(caches: Caches) -> None:
    tuned = raw_run("tuned", "run-9")
    tuned["spec"]["model"]["weights"] = {"trainingRunRef": {"name": "run"}}
    caches.note(RUNS, tuned)
    key = Key("TrainingRun", "ns", "tuned")
    assert caches.note(RUNS, raw_run(version=2)) == {RUN, RELEASE, key}
    assert caches.note(CLAIMS, raw_claim("work", "claim-2", version=2)) >= {RUN, key}


def test_removals_are_not_remembered_for_ever() -> None:
    caches = Caches()
    for number in range(REMEMBERED_REMOVALS + 1):
        caches.remove(RUNS, "ns", "run", f"uid-{number}")
    assert caches.note(RUNS, raw_run(uid="uid-1")) == set()
    assert caches.note(RUNS, raw_run(uid="uid-0")) == {RUN}


CONCERNS = [
    (RUNS, raw_run(version=2), {RUN, RELEASE}),
    (TARGETS, raw_target(version=2), {TARGET, RELEASE, OTHER}),
    (RELEASES, raw_release(version=2), {RELEASE, OTHER}),
    (RELEASES, raw_release("third", "release-3", number="2.0.0"), {THIRD, TARGET}),
    (CLAIMS, raw_claim(version=2), {RUN, RELEASE}),
    (CLAIMS, raw_claim("unused", "claim-3"), set()),
    (JOBS, raw_job(version=2), {RUN}),
    (JOBS, raw_job("export", "job-2", owner=OF_RELEASE, role="export"), {RELEASE}),
    (JOBS, raw_job("stranger", "job-3", owner=None), set()),
    (PODS, raw_pod(version=2), {RUN}),
    (PODS, raw_pod("lost", "pod-2", job_uid="no such job"), set()),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "raw", "concerns"), CONCERNS)
def test_each_change_concerns_those_who_depend_on_it(
    caches: Caches, resource: Any, raw: Any, concerns: set[Key]
) -> None:
    assert caches.note(resource, raw) == concerns


REMOVALS = [
    (RUNS, "run", "run-1", {RUN, RELEASE}),
    (TARGETS, "target", "target-1", {TARGET, RELEASE, OTHER}),
    (RELEASES, "release", "release-1", {RELEASE, OTHER, TARGET}),
    (CLAIMS, "work", "claim-2", {RUN, RELEASE}),
    (JOBS, "run-train-1", "job-1", {RUN}),
    (PODS, "run-train-1-x", "pod-1", {RUN}),
    (PODS, "never seen", "pod-9", set()),
]


@pytest.mark.parametrize(("resource", "name", "uid", "concerns"), REMOVALS)
def test_each_removal_concerns_those_who_depended_on_it(
    caches: Caches, resource: Any, name: str, uid: str, concerns: set[Key]
) -> None:
    assert caches.remove(resource, "ns", name, uid) == concerns
    assert caches.remove(resource, "ns", name, uid) == set()


def test_nothing_is_left_behind_when_everything_is_removed(caches: Caches) -> None:
    for resource, name, uid, _ in REMOVALS:
        caches.remove(resource, "ns", name, uid)
    caches.remove(RELEASES, "ns", "other", "release-2")
    caches.remove(CLAIMS, "ns", "data", "claim-1")
    assert len(caches) == 0
    for index in (
        caches.followers,
        caches._dependents,
        caches._jobs_by_owner,
        caches._job_by_uid,
        caches._pods_by_work,
        caches._pod_by_uid,
    ):
        assert not index


def test_a_pod_that_comes_before_its_job_is_found_once_the_job_is_there() -> None:
    caches = Caches()
    caches.note(RUNS, raw_run())
    assert caches.note(PODS, raw_pod()) == set()
    assert caches.note(JOBS, raw_job()) == {RUN}
    newest = caches.newest_pod("job-1")
    assert newest is not None
    assert newest.uid == "pod-1"


def test_the_newest_pod_speaks_for_the_job(caches: Caches) -> None:
    caches.note(PODS, raw_pod("b", "pod-2", 5, created="2026-11-23T10:00:09Z"))
    caches.note(PODS, raw_pod("c", "pod-3", 6, created="2026-11-23T10:00:05Z"))
    newest = caches.newest_pod("job-1")
    assert newest is not None
    assert newest.uid == "pod-2"


def test_jobs_are_told_apart_by_the_uid_of_their_owner(caches: Caches) -> None:
    former = ("TrainingRun", "run", "run-0")
    caches.note(JOBS, raw_job("of-a-former-life", "job-0", owner=former))
    caches.note(JOBS, raw_job("second", "job-2", attempt=2))
    assert [record.uid for record in caches.jobs_of("run-1")] == ["job-1", "job-2"]


def test_a_job_that_took_over_a_name_leaves_no_trace_of_the_old_one(caches: Caches) -> None:
    concerns = caches.note(JOBS, raw_job(uid="job-2", version=7, owner=OF_RELEASE, role="export"))
    assert concerns == {RUN, RELEASE}
    assert caches.jobs_of("run-1") == []


def test_a_full_listing_forgets_what_it_does_not_hold(caches: Caches) -> None:
    caches.note(RUNS, raw_run("newer", "run-9", version=99))
    assert caches.keep_only(RUNS, None, {"nobody"}, version=50) == {RUN, RELEASE}
    assert caches.object(RUN) is None
    assert caches.object(Key("TrainingRun", "ns", "newer")), "it was created after the listing"


def test_a_listing_of_one_namespace_says_nothing_of_others(caches: Caches) -> None:
    assert caches.keep_only(RUNS, "elsewhere", set(), version=50) == set()
    assert caches.object(RUN) is not None


def test_a_record_is_about_a_kilobyte(caches: Caches) -> None:
    raw = raw_run(version=3)
    raw["metadata"]["managedFields"] = [{"fieldsV1": {f"f:{n}": {} for n in range(500)}}]
    raw["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "x" * 9000
    }
    caches.note(RUNS, raw)
    record = caches.object(RUN)
    assert record is not None
    assert len(record.document) < 1024


CHANNEL = Key("ReleaseChannel", "ns", "stable")
DEVICE = Key("Device", "ns", "dev")


@pytest.fixture
def fleet(caches: Caches) -> Caches:
    """Their target with a channel and a device."""
    caches.note(CHANNELS, raw_channel())
    caches.note(DEVICES, raw_device())
    return caches


def test_what_follows_a_target_concerns_it_only_when_that_changes(fleet: Caches) -> None:
    told = {"phase": "Authorised", "grants": {"releases": 1, "specSha256": "0" * 64}}
    assert fleet.note(DEVICES, raw_device(version=2, status=told)) == {DEVICE}
    assert fleet.note(DEVICES, raw_device(version=3, suspend=True)) == {DEVICE, TARGET}
    assert fleet.remove(DEVICES, "ns", "dev", "device-1") == {DEVICE, TARGET}
    assert fleet.note(RELEASES, raw_release(version=2)) == {RELEASE, OTHER, CHANNEL}


def test_a_channel_concerns_the_releases_that_it_names_and_named(fleet: Caches) -> None:
    named = {"listed": {"version": "1.0.0", "manifestSha256": "0" * 64}}
    concerned = {CHANNEL, TARGET, RELEASE, OTHER}
    assert fleet.note(CHANNELS, raw_channel(version=2, status=named)) == concerned
    assert fleet.note(CHANNELS, raw_channel(version=3)) == concerned
    assert fleet.note(CHANNELS, raw_channel(version=4)) == {CHANNEL}


def test_a_fleet_looks_only_at_what_its_target_says_of_it(fleet: Caches) -> None:
    digests = {"grants": {"digest": "a" * 64, "devices": 1}}
    assert fleet.note(TARGETS, raw_target(version=2)) == {TARGET, RELEASE, OTHER}
    assert fleet.note(TARGETS, raw_target(version=3, status=digests)) == {
        TARGET, RELEASE, OTHER, CHANNEL, DEVICE,
    }  # fmt: skip
    task = {
        "name": "grant",
        "started": 2,
        "lastEnd": {"attempt": 1, "reason": "Done", "time": TIME},
    }
    done: dict[str, Any] = {**digests, "tasks": [task]}
    assert DEVICE in fleet.note(TARGETS, raw_target(version=4, status=done)), "it is sure of it now"
    task["started"] = 3
    assert DEVICE not in fleet.note(TARGETS, raw_target(version=5, status=done))
    digests["index"] = {"version": 1, "expires": TIME, "digest": "b" * 64}  # type: ignore[dict-item]
    assert fleet.note(TARGETS, raw_target(version=6, status=digests)) == {
        TARGET, RELEASE, OTHER, CHANNEL,
    }  # fmt: skip
    assert fleet.remove(TARGETS, "ns", "target", "target-1") == {
        TARGET, RELEASE, OTHER, CHANNEL, DEVICE,
    }  # fmt: skip


def test_those_that_want_to_be_the_same_concern_each_other(fleet: Caches) -> None:
    twin = raw_device("twin", "device-2")
    assert fleet.note(DEVICES, twin) == {DEVICE, Key("Device", "ns", "twin"), TARGET}
    rival = raw_channel("rival", "channel-2")
    assert fleet.note(CHANNELS, rival) == {CHANNEL, Key("ReleaseChannel", "ns", "rival"), TARGET}
