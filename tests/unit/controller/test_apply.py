from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.conditions import Reason
from sealyard.controller.apply import (
    FOREIGN_SECONDS,
    Applier,
    ConflictError,
    Foreign,
    NameTakenError,
)
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import JOBS, RELEASES, RUNS, Key
from sealyard.core.conditions import one_line
from sealyard.core.plan import Event, JobKey, Plan
from support.controller import RELEASE, RUN, FakeApi
from support.raw_objects import raw_job, raw_release, raw_run


class Shell:
    """An applier over a fake API server, and what it was told concerns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.api = FakeApi(raw_run(), raw_release())
        self.caches = Caches()
        self.caches.note(RUNS, raw_run())
        self.caches.note(RELEASES, raw_release())
        self.foreign = Foreign(lambda: self.now)
        self.concerns: set[Key] = set()
        poster = EventPoster(self.api, "pod-0")
        self.applier = Applier(self.api, self.caches, self.foreign, poster, self.concerns.update)

    @property
    def record(self) -> ObjectRecord:
        record = self.caches.object(RUN)
        assert record is not None
        return record

    async def children(self, **plan: Any) -> bool:
        return await self.applier.children(self.record, Plan(**plan))


@pytest.fixture
def shell() -> Shell:
    return Shell()


async def test_a_created_job_is_known_at_once(shell: Shell) -> None:
    assert await shell.children(create=(raw_job(),))
    assert [job.job.name for job in shell.caches.jobs_of("run-1")] == ["run-train-1"]


async def test_creating_a_job_that_is_ours_already_is_harmless(shell: Shell) -> None:
    await shell.api.create_job(JOBS, raw_job())
    assert await shell.children(create=(raw_job(),))
    assert [job.job.name for job in shell.caches.jobs_of("run-1")] == ["run-train-1"]
    assert shell.foreign.of(RUN) == ()


@pytest.mark.parametrize("owner", [None, ("TrainingRun", "run", "of another life")])
async def test_a_job_of_somebody_else_is_left_alone(shell: Shell, owner: Any) -> None:
    await shell.api.create_job(JOBS, raw_job(owner=owner))
    with pytest.raises(NameTakenError):
        await shell.children(create=(raw_job(),))
    assert shell.caches.jobs_of("run-1") == []
    assert shell.foreign.of(RUN) == ("run-train-1",)
    shell.now = FOREIGN_SECONDS
    assert shell.foreign.of(RUN) == (), "then it is tried again"


async def test_a_job_is_deleted_by_its_uid_and_forgotten_at_once(shell: Shell) -> None:
    raw = await shell.api.create_job(JOBS, raw_job())
    shell.caches.note(JOBS, raw)
    await shell.children(delete=(JobKey("ns", "run-train-1", raw["metadata"]["uid"]),))
    assert shell.api.jobs == {}
    assert shell.caches.jobs_of("run-1") == []


async def test_a_job_whose_pods_are_waited_for_is_known_to_be_ending(shell: Shell) -> None:
    await shell.children(create=(raw_job(),))
    (raw,) = shell.api.jobs.values()
    key = JobKey("ns", "run-train-1", raw["metadata"]["uid"], after_its_pods=True)
    await shell.children(delete=(key,))
    (found,) = shell.caches.jobs_of("run-1")
    assert (found.job.deleting, found.job.state) == (True, "Active")


async def test_a_namesake_of_a_deleted_job_survives(shell: Shell) -> None:
    shell.caches.note(JOBS, raw_job(uid="job-of-old"))
    await shell.api.create_job(JOBS, raw_job())
    await shell.children(delete=(JobKey("ns", "run-train-1", "job-of-old"),))
    assert len(shell.api.jobs) == 1
    assert shell.caches.jobs_of("run-1") == []


async def test_a_job_that_is_gone_already_is_as_good_as_deleted(shell: Shell) -> None:
    shell.caches.note(JOBS, raw_job())
    await shell.children(delete=(JobKey("ns", "run-train-1", "job-1"),))
    assert shell.caches.jobs_of("run-1") == []


@pytest.mark.parametrize("status", [403, 422])
async def test_a_refused_job_is_told_as_an_event(shell: Shell, status: int) -> None:
    shell.api.fail("create_job", status, status)
    for _ in range(2):
        with pytest.raises(ApiError):
            await shell.children(create=(raw_job(),))
    [event] = shell.api.events
    assert (event["type"], event["reason"]) == ("Warning", Reason.RETRYING)
    assert "run-train-1" in event["note"]


async def test_a_status_that_is_as_wanted_is_not_written(shell: Shell) -> None:
    assert await shell.applier.status(shell.record, {"phase": "Pending"})
    assert not await shell.applier.status(shell.record, {"phase": "Pending"})
    assert shell.api.writes == [("status", {"phase": "Pending"})]


async def test_a_written_status_is_known_at_once_and_concerns_the_others(shell: Shell) -> None:
    await shell.applier.status(shell.record, {"phase": "Running"})
    assert shell.record.parse()["status"] == {"phase": "Running"}
    assert shell.concerns == {RELEASE}, "not the run itself: it has just been looked at"


async def test_a_conflict_writes_nothing(shell: Shell) -> None:
    shell.api.touch(RUN)
    with pytest.raises(ConflictError):
        await shell.applier.status(shell.record, {"phase": "Running"})
    assert shell.api.writes == []
    shell.caches.note(RUNS, shell.api.touch(RUN))
    assert await shell.applier.status(shell.record, {"phase": "Running"})


async def test_the_status_of_what_is_gone_is_nobodys_trouble(shell: Shell) -> None:
    del shell.api.objects[RUN]
    assert not await shell.applier.status(shell.record, {"phase": "Running"})


async def test_events_go_out_once(shell: Shell) -> None:
    event = Event("Normal", Reason.TRAINING, "attempt 1 is training")
    for _ in range(3):
        await shell.applier.events(shell.record, (event,))
    await shell.applier.events(shell.record, (Event("Normal", Reason.TRAINING, "attempt 2"),))
    notes = [posted["note"] for posted in shell.api.events]
    assert notes == ["attempt 1 is training", "attempt 2"]
    assert shell.api.events[0]["regarding"]["uid"] == "run-1"


async def test_an_event_that_cannot_be_posted_stops_nothing(shell: Shell) -> None:
    shell.api.fail("create_event", 403)
    await shell.applier.events(
        shell.record,
        (Event("Normal", Reason.TRAINING, "lost"), Event("Normal", Reason.RELEASED, "x")),
    )
    assert [posted["note"] for posted in shell.api.events] == ["x"]


@pytest.mark.parametrize("message", ["x" * 2000, one_line("x" * 2000), "€" * 1024])
async def test_a_long_event_is_cut_to_what_the_api_server_takes(shell: Shell, message: str) -> None:
    await shell.applier.events(shell.record, (Event("Normal", Reason.TRAINING, message),))
    [event] = shell.api.events
    assert 1020 < len(event["note"].encode()) <= 1024
    assert message.startswith(event["note"])


async def test_the_input_of_a_job_belongs_to_it(shell: Shell) -> None:
    plan = Plan(create=(raw_job(),), inputs={"run-train-1": ("{", "}")})
    assert await shell.applier.children(shell.record, plan)
    assert shell.api.writes == [
        ("create", "run-train-1"),
        ("input", "run-train-1-input-0"),
        ("input", "run-train-1-input-1"),
    ]
    part = shell.api.config_maps["run-train-1-input-1"]
    assert part["data"] == {"0001": "}"}
    assert [owner["uid"] for owner in part["metadata"]["ownerReferences"]] == ["uid-run-train-1"]
    assert shell.applier.supplied(["uid-run-train-1", "other"]) == {"uid-run-train-1"}


async def test_input_that_lies_there_from_before_is_good_enough(shell: Shell) -> None:
    plan = Plan(create=(raw_job(),), inputs={"run-train-1": ("{}",)})
    shell.api.fail("create_config_map", 500)
    with pytest.raises(ApiError):
        await shell.applier.children(shell.record, plan)
    assert shell.applier.supplied(["uid-run-train-1"]) == frozenset()
    again = Plan(inputs={"run-train-1": ("{}",)})
    shell.api.fail("create_config_map", 409)
    assert await shell.applier.children(shell.record, again)
    assert shell.applier.supplied(["uid-run-train-1"]) == {"uid-run-train-1"}


async def test_input_of_a_job_that_is_gone_is_not_created(shell: Shell) -> None:
    assert await shell.applier.children(shell.record, Plan(inputs={"gone": ("{}",)}))
    assert shell.api.config_maps == {}


@pytest.mark.parametrize("status", [403, 422])
async def test_refused_input_is_told_as_an_event(shell: Shell, status: int) -> None:
    shell.api.fail("create_config_map", status)
    plan = Plan(create=(raw_job(),), inputs={"run-train-1": ("{}",)})
    with pytest.raises(ApiError):
        await shell.applier.children(shell.record, plan)
    assert [event["reason"] for event in shell.api.events] == ["Retrying"]


async def test_a_finalizer_is_set_and_taken_off_beside_those_of_others(shell: Shell) -> None:
    shell.api.objects[RELEASE]["metadata"]["finalizers"] = ["theirs"]
    shell.caches.note(RELEASES, shell.api.touch(RELEASE))
    for wanted, left in ((True, ["theirs", "sealyard.io/withdraw"]), (False, ["theirs"])):
        record = shell.caches.object(RELEASE)
        assert record is not None
        await shell.applier.hold(record, wanted=wanted)
        assert shell.api.writes[-1] == ("metadata", left)
        held = shell.caches.object(RELEASE)
        assert held is not None
        assert held.is_held is wanted


async def test_a_finalizer_is_not_set_on_what_has_changed(shell: Shell) -> None:
    shell.api.touch(RELEASE)
    record = shell.caches.object(RELEASE)
    assert record is not None
    with pytest.raises(ConflictError):
        await shell.applier.hold(record, wanted=True)
    shell.api.fail("patch_metadata", 404)
    await shell.applier.hold(record, wanted=False)
    assert shell.api.writes == []
