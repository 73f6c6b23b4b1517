from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sealyard.api.conditions import Reason
from sealyard.controller.apply import FOREIGN_SECONDS, Applier, Foreign
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.loop import MAX_ROUNDS, ControlLoop
from sealyard.controller.namespaces import Namespaces
from sealyard.controller.resources import CLAIMS, JOBS, RUNS, Key
from sealyard.controller.workqueue import WorkQueue
from sealyard.core.observed import TrainingRunObserved
from sealyard.core.plan import Event, Plan
from sealyard.core.settings import Images, Settings
from support.controller import RUN, FakeApi, until
from support.raw_objects import raw_claim, raw_job, raw_run

Decide = Callable[[TrainingRunObserved], Plan]


class Shell:
    """The loop over a fake API server, with a decision of the test's own."""

    def __init__(self, decide: Decide) -> None:
        self.api = FakeApi(raw_run())
        self.caches = Caches()
        self.caches.note(RUNS, raw_run())
        self.queue: WorkQueue[Key] = WorkQueue(asyncio.get_running_loop(), base_delay=0.001)
        self.looks: list[TrainingRunObserved] = []
        self.foreign = Foreign(lambda: 0.0)

        def reconcile(observed: Any, settings: Settings, now: datetime) -> Plan:
            assert now.tzinfo is UTC
            assert settings.images.trainer == "t"
            self.looks.append(observed)
            return decide(observed)

        self.loop = ControlLoop(
            queue=self.queue,
            caches=self.caches,
            applier=Applier(
                self.api,
                self.caches,
                self.foreign,
                EventPoster(self.api, "pod-0"),
                lambda keys: [self.queue.add(key) for key in keys],
            ),
            foreign=self.foreign,
            namespaces=Namespaces(self.api, lambda: 0.0),
            reconcilers={"TrainingRun": reconcile},
            settings=Settings(images=Images("t", "e", "c", "r")),
        )

    async def work_until(self, condition: Callable[[], bool]) -> None:
        """Run workers until the condition holds and nothing is queued."""
        running = asyncio.create_task(self.loop.run(workers=3))
        await until(lambda: condition() and not len(self.queue))
        self.queue.close()
        await running


def start_once(observed: TrainingRunObserved) -> Plan:
    """Creates a Job, and names it in the status once it is there."""
    if observed.foreign_jobs:
        return Plan(status={"phase": "Failed"})
    if not observed.jobs:
        event = Event("Normal", Reason.TRAINING, "started")
        return Plan(create=(raw_job(),), status={"attempts": 1}, events=(event,))
    job = observed.jobs[0]
    return Plan(status={"phase": "Pending", "jobRef": {"name": job.name, "uid": job.uid}})


async def test_one_patch_tells_of_the_new_job_and_its_uid() -> None:
    shell = Shell(start_once)
    assert await shell.loop.reconcile(RUN) is None
    reference = {"name": "run-train-1", "uid": "uid-run-train-1"}
    wanted = {"attempts": 1, "phase": "Pending", "jobRef": reference}
    assert shell.api.writes == [("create", "run-train-1"), ("status", wanted)]
    assert [event["note"] for event in shell.api.events] == ["started"]
    assert shell.looks[1].run.status.attempts == 1, "the second decision knows of the first"


async def test_what_follows_from_a_new_status_follows_at_once() -> None:
    def decide(observed: TrainingRunObserved) -> Plan:
        if observed.run.status.phase != "Succeeded":
            return Plan(status={"phase": "Succeeded"})
        return Plan(create=() if observed.jobs else (raw_job(),), status={"attempts": 1})

    shell = Shell(decide)
    assert await shell.loop.reconcile(RUN) is None
    wanted = {"phase": "Succeeded", "attempts": 1}
    assert shell.api.writes == [("create", "run-train-1"), ("status", wanted)]


async def test_a_second_pass_writes_nothing() -> None:
    shell = Shell(start_once)
    await shell.loop.reconcile(RUN)
    writes = list(shell.api.writes)
    await shell.loop.reconcile(RUN)
    assert shell.api.writes == writes


async def test_a_name_that_is_taken_is_decided_about_in_the_same_pass() -> None:
    shell = Shell(start_once)
    await shell.api.create_job(JOBS, raw_job(owner=None))
    assert await shell.loop.reconcile(RUN) == FOREIGN_SECONDS, "then it is tried again"
    assert shell.looks[-1].foreign_jobs == ("run-train-1",)
    assert shell.api.writes[1:] == [("status", {"phase": "Failed"})], "no attempt was counted"
    assert shell.api.events == [], "none was started"


async def test_a_decision_that_never_settles_is_cut_off() -> None:
    shell = Shell(lambda _: Plan(create=(raw_job(),)))
    assert await shell.loop.reconcile(RUN) == 1.0
    assert len(shell.looks) == MAX_ROUNDS


@pytest.mark.parametrize("change", ["gone", "deleting"])
async def test_what_is_gone_or_going_is_not_decided_about(change: str) -> None:
    shell = Shell(start_once)
    if change == "gone":
        shell.caches.remove(RUNS, "ns", "run", "run-1")
    else:
        raw = raw_run(version=2)
        raw["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
        shell.caches.note(RUNS, raw)
    assert await shell.loop.reconcile(RUN) is None
    assert shell.looks == []
    assert shell.api.writes == []


async def test_the_plan_says_when_to_look_again() -> None:
    shell = Shell(lambda _: Plan(requeue_after=0.01))
    shell.queue.add(RUN)
    await shell.work_until(lambda: len(shell.looks) >= 3)


async def test_an_error_is_retried_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shell = Shell(start_once)
    shell.api.fail("create_job", 500, 0, 429)
    shell.queue.add(RUN)
    with caplog.at_level(logging.INFO, "sealyard"):
        await shell.work_until(lambda: len(shell.api.writes) == 2)
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 3
    assert all(record.exc_info is None for record in lines), "one line each"


async def test_a_fault_in_a_decision_ends_nothing() -> None:
    faults = iter([RuntimeError("boom"), KeyError("x")])

    def decide(observed: TrainingRunObserved) -> Plan:
        for fault in faults:
            raise fault
        return start_once(observed)

    shell = Shell(decide)
    shell.queue.add(RUN)
    await shell.work_until(lambda: len(shell.api.writes) == 2)


async def test_a_conflict_is_looked_at_again_with_what_is_there_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shell = Shell(start_once)
    shell.caches.note(JOBS, raw_job())
    fresh = shell.api.touch(RUN)
    shell.queue.add(RUN)
    running = asyncio.create_task(shell.loop.run(workers=1))
    await until(lambda: len(shell.looks) >= 2)
    shell.caches.note(RUNS, fresh)
    await until(lambda: shell.api.writes)
    shell.queue.close()
    await running
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_two_that_want_one_claim_at_once_do_not_both_get_it() -> None:
    def decide(observed: TrainingRunObserved) -> Plan:
        if observed.jobs or observed.uses:
            return Plan()
        name = observed.run.metadata.name
        job = raw_job(f"{name}-train-1", owner=("TrainingRun", name, observed.run.metadata.uid))
        volume = {"name": "workspace", "persistentVolumeClaim": {"claimName": "work"}}
        return Plan(create=(job | {"spec": {"template": {"spec": {"volumes": [volume]}}}},))

    shell = Shell(decide)
    shell.caches.note(RUNS, raw_run("rival", "rival-1"))
    shell.caches.note(CLAIMS, raw_claim("work"))
    rival = Key(RUNS.kind, "ns", "rival")
    await asyncio.gather(shell.loop.reconcile(RUN), shell.loop.reconcile(rival))
    assert shell.api.writes == [("create", "run-train-1")]


async def test_who_was_kept_from_a_claim_in_vain_looks_again_later() -> None:
    """At once, two whose Jobs a quota refuses would wake each other without end."""

    def decide(observed: TrainingRunObserved) -> Plan:
        name = observed.run.metadata.name
        job = raw_job(f"{name}-train-1", owner=("TrainingRun", name, observed.run.metadata.uid))
        volume = {"name": "workspace", "persistentVolumeClaim": {"claimName": "work"}}
        return Plan(create=(job | {"spec": {"template": {"spec": {"volumes": [volume]}}}},))

    shell = Shell(decide)
    shell.caches.note(RUNS, raw_run("rival", "rival-1"))
    shell.caches.note(CLAIMS, raw_claim("work"))
    shell.api.fail("create_job", 403)
    with pytest.raises(ApiError):
        await shell.loop.reconcile(RUN)
    assert len(shell.queue) == 0, "nobody is to be looked at now"
    shell.queue.close()
