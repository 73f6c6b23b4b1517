"""Whole lives: whatever is killed, lost or forgotten, one release comes out, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealyard.api.secrets import Role
from support.builders import (
    NOW,
    SETTINGS,
    WITH_PROGRESS,
    a_model_release,
    time_of,
)
from support.world import (
    End,
    World,
    exits,
    loses_its_pod,
    succeeds,
    succeeds_silently,
)

Happening = Callable[[World], None]


ROLES = (Role.TRAIN, Role.EXPORT, Role.PUBLISH, Role.VERIFY, Role.TIDY)


def nothing(_: World) -> None:
    """The life goes on."""


def the_patch_is_lost(world: World) -> None:
    """The operator is killed between the creation of Jobs and the patch of the status."""
    world.operate(lose_the_patch=True)


def every_job_is_removed(world: World) -> None:
    world.remove_jobs()


def finished_jobs_are_removed(world: World) -> None:
    world.remove_jobs(lambda job: job.state != "Active")


def it_is_looked_at_twice(world: World) -> None:
    world.operate()


HAPPENINGS: tuple[Happening, ...] = (
    the_patch_is_lost,
    every_job_is_removed,
    finished_jobs_are_removed,
    it_is_looked_at_twice,
)
STEPS = 14
"""More than an undisturbed life has passes."""


def the_release_is_out_once(world: World) -> None:
    assert world.phases == ("Succeeded", "Released")
    status = world.release.build().status
    assert status.manifest_sha256
    assert status.verified_at
    out = [event for event in world.events if event.reason == "Released"]
    assert len(out) <= 1
    assert not any(job for job in world.live())


def test_an_undisturbed_life_is_five_jobs_and_few_writes() -> None:
    world = World()
    world.live_out()
    the_release_is_out_once(world)
    assert [job.role for job in world.created] == list(ROLES)
    reasons = [event.reason for event in world.events]
    assert reasons == [
        "WaitingForTraining",
        "Training",
        "Succeeded",
        "Exporting",
        "Publishing",
        "Verifying",
        "Released",
    ]


def test_a_life_is_told_in_few_writes() -> None:
    world = World()
    world.live_out()
    # Run: started, its Job's uid, running, succeeded. Release: waiting, exporting, exported,
    # variant seen, published, …: each write says something that changed.
    assert world.writes <= 16


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda happening: happening.__name__)
def test_whatever_happens_at_any_step(happening: Happening, step: int) -> None:
    world = World(settings=WITH_PROGRESS)
    world.live_out([nothing] * step + [happening])
    the_release_is_out_once(world)
    for role in ROLES:
        assert 1 <= world.count(role) <= 2


@pytest.mark.parametrize("step", range(STEPS))
def test_a_second_look_changes_nothing(step: int) -> None:
    world = World()

    def look_twice(world: World) -> None:
        world.operate()
        before, jobs, told = world.release.document, dict(world.jobs), len(world.events)
        run = world.run.document
        world.operate()
        assert (world.release.document, world.run.document) == (before, run)
        assert world.jobs == jobs
        assert len(world.events) == told

    world.live_out([nothing] * step + [look_twice])
    the_release_is_out_once(world)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "ends",
    [
        [exits(143)],
        [exits(137), loses_its_pod],
        [exits(69)] * 8,
        [exits(66), exits(77), exits(69), exits(66)],
        [exits(1), exits(1), exits(1)],
        [succeeds_silently] * 3,
        [exits(1), exits(69), exits(143), succeeds_silently],
    ],
    ids=["interrupted", "lost", "down", "missing", "faults", "silent", "all-of-it"],
)
def test_ends_that_somebody_mends_end_well(role: Role, ends: list[End]) -> None:
    world = World({role: ends})
    world.live_out()
    the_release_is_out_once(world)
    assert world.count(role) == len(ends) + 1
    assert [task["attempt"] for task in world.tasks[role]] == list(range(1, len(ends) + 2))


@pytest.mark.parametrize("role", [Role.TRAIN, Role.EXPORT, Role.PUBLISH, Role.VERIFY])
@pytest.mark.parametrize(
    ("end", "jobs"),
    [(exits(64), 1), (exits(65), 1), (exits(1), 4), (loses_its_pod, 4), (succeeds_silently, 7)],
    ids=["input", "integrity", "faults", "lost", "silent"],
)
def test_ends_that_nobody_mends_are_bounded(role: Role, end: End, jobs: int) -> None:
    world = World({role: [end] * 50})
    world.live_out()
    assert world.count(role) == jobs
    failed = world.run if role is Role.TRAIN else world.release
    assert failed.build().status.phase == "Failed"
    later = {Role.TRAIN: Role.EXPORT, Role.EXPORT: Role.PUBLISH, Role.PUBLISH: Role.VERIFY}
    assert world.count(later.get(role, Role.TIDY)) == 0


def test_a_failed_run_that_is_reopened_is_released_in_the_end() -> None:
    world = World({Role.TRAIN: [exits(64)]})
    world.live_out()
    assert world.phases == ("Failed", "WaitingForTraining")
    world.wait()
    world.run = world.run.requested_at(world.now)
    world.live_out()
    the_release_is_out_once(world)
    assert [task.get("requestedAt") is not None for task in world.tasks[Role.TRAIN]] == [
        False,
        True,
    ]


def test_a_failed_release_that_is_reopened_goes_on_where_it_stopped() -> None:
    world = World({Role.PUBLISH: [exits(64)]})
    world.live_out()
    assert world.phases == ("Succeeded", "Failed")
    world.wait()
    world.release = world.release.requested_at(world.now)
    world.live_out()
    the_release_is_out_once(world)
    assert (world.count(Role.EXPORT), world.count(Role.PUBLISH)) == (1, 2)


def test_one_request_reopens_once() -> None:
    world = World({Role.TRAIN: [exits(64)] * 9})
    world.live_out()
    world.wait()
    world.run = world.run.requested_at(world.now)
    world.live_out()
    assert world.count(Role.TRAIN) == 2


def test_jobs_that_ttl_removes_do_not_start_anything_again() -> None:
    world = World()
    world.live_out()
    world.remove_jobs()
    world.live_out()
    assert len(world.created) == 5


def test_names_of_jobs_are_not_used_twice() -> None:
    world = World({Role.TRAIN: [exits(1), exits(143)], Role.PUBLISH: [exits(69)]})
    world.live_out()
    names = [job.name for job in world.created]
    assert len(set(names)) == len(names)


ENDS = st.sampled_from([succeeds, exits(143), exits(1), exits(66), exits(69), succeeds_silently])


@settings(max_examples=30, deadline=None)
@given(
    train=st.lists(ENDS, max_size=3),
    publish=st.lists(ENDS, max_size=3),
    verify=st.lists(ENDS, max_size=3),
    happenings=st.lists(st.sampled_from([nothing, nothing, *HAPPENINGS]), max_size=20),
)
def test_any_life_comes_to_an_end(
    train: list[End],
    publish: list[End],
    verify: list[End],
    happenings: list[Happening],
) -> None:
    world = World({Role.TRAIN: train, Role.PUBLISH: publish, Role.VERIFY: verify})
    world.live_out(happenings)
    assert world.phases[1] in {"Released", "Failed", "WaitingForTraining"}
    for role in ROLES:
        assert world.count(role) <= 3 + len(happenings) + SETTINGS.release_backoff_limit


def test_times_are_those_of_the_world() -> None:
    world = World(release=a_model_release())
    world.live_out()
    released_at = world.release.build().status.released_at
    assert released_at is not None
    assert released_at > time_of(NOW)
