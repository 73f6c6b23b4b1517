"""The probe of a target as a piece of work that comes again: what it said last, when it is due.

Each probe is a Job. Its end is accounted in the ledger `probe`; what it answered stays in
`status.probe` until the next one answers, however often a store cannot be reached in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sealyard.api.answers import ProbeResult
from sealyard.api.attempts import Attempts, EndReason
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.probe import ProbeCheck, ProbeStatus
from sealyard.api.secrets import Role
from sealyard.core import attempts, live
from sealyard.core.attempts import Failure, Work
from sealyard.core.jobs import probe_job
from sealyard.core.observed import ReleaseTargetObserved
from sealyard.core.settings import Settings
from sealyard.core.times import format_time, parse_time

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
"""A login that is refused is tried no more often than this in the long run: servers count."""
RETRY_AFTER_FAULT = timedelta(minutes=5)
NO_TROUBLE = frozenset({EndReason.DONE, EndReason.NO_ANSWER}) | attempts.INTERRUPTIONS
"""Ends that say nothing against what the last probe found."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done for the probe in this pass."""

    ledger: Attempts
    create: tuple[dict[str, Any], ...] = ()
    requeue_after: float | None = None
    name_taken: str | None = None
    """The Job's name, where somebody else's has it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A target's probe, with the ends of its Jobs accounted."""

    work: Work[ProbeResult]
    last: ProbeStatus | None
    """What was answered last, of whatever spec."""
    failure: Failure | None
    """Why the newest probe was given up."""
    generation: int
    watched: str
    """What a probe is about: the generation, and the request for another one."""
    interval: timedelta | None

    @classmethod
    def of(cls, observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Probe:
        """Accounts what the target's probe Jobs say."""
        target = observed.target
        name = str(Role.PROBE)
        ledgers = {ledger.name: ledger for ledger in target.status.tasks or []}
        work = attempts.settle(
            ledgers.get(name, Attempts(name=name)),
            [job for job in observed.jobs if job.role == Role.PROBE],
            ProbeResult.from_wire,
            now=now,
        )
        seconds = target.spec.probe_interval_seconds
        return cls(
            work,
            _answered(work, target.status.probe, now) or target.status.probe,
            attempts.failure(work, backoff_limit=settings.release_backoff_limit),
            target.metadata.generation,
            attempts.watched(
                str(target.metadata.generation),
                target.metadata.annotations.get(REQUESTED_AT_ANNOTATION),
            ),
            timedelta(seconds=seconds) if seconds else None,
        )

    @property
    def judged(self) -> ProbeStatus | None:
        """What was answered last, if it was about the spec as it is."""
        return self.last if self.last and self.last.generation == self.generation else None

    @property
    def failed(self) -> bool:
        """Whether a check of the last answer failed."""
        return self.last is not None and self.last.failures > 0

    @property
    def has_trouble(self) -> bool:
        """Whether the newest end says that the target cannot be probed as things are."""
        end = self.work.ledger.last_end
        return end is not None and EndReason(end.reason or EndReason.FAULT) not in NO_TROUBLE

    def next_step(self, observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Step:
        """Starts the next probe, or says when to look again."""
        if self.work.job:
            return Step(self.work.ledger, requeue_after=live.look_again(self.work.job, now))
        due_at = self.due_at(now)
        if due_at is None:
            return Step(self.work.ledger)
        if due_at > now:
            return Step(self.work.ledger, requeue_after=(due_at - now).total_seconds())
        job = probe_job(observed.target, settings, attempt=self.work.next_attempt)
        name = job["metadata"]["name"]
        if name in observed.foreign_jobs:
            return Step(self.work.ledger, name_taken=name)
        return Step(self._started(), create=(job,))

    def due_at(self, now: datetime) -> datetime | None:
        """When the next Job is to be created; None for no time that is known.

        A change of the spec, and a request, are due at once, or as soon as a Job that runs has
        ended. Else a probe that passed is followed by the next after the interval, one with a check
        that failed sooner, one that could not judge as any Job of ours. A Job that nobody wrote
        down, because the operator died, may be about something else, and is followed at once too.
        """
        ledger = self.work.ledger
        if self.work.job:
            return None
        if ledger.last_end is None or ledger.watched != self.watched:
            return now
        ended = parse_time(ledger.last_end.time) or now
        if ledger.done:
            delay = self._retry() if self.failed else self.interval
            return None if delay is None else ended + delay
        if self.failure:
            return ended + self._no_longer_than_the_interval(RETRY_AFTER_FAULT)
        return parse_time(ledger.not_before) or now

    def _started(self) -> Attempts:
        """The ledger once the next Job is created; a new probe begins without failures.

        How the one before ended stays until this one has: what could not be reached does not seem
        well again because it is asked again.
        """
        ledger = self.work.ledger
        if ledger.done or self.failure or ledger.watched != self.watched:
            ledger = Attempts(name=ledger.name, started=ledger.started, last_end=ledger.last_end)
        return attempts.start(ledger, watched=self.watched)

    def _retry(self) -> timedelta:
        failures = self.last.failures if self.last else 0
        doubled = FIRST_RETRY * (1 << min(max(failures - 1, 0), 16))
        return self._no_longer_than_the_interval(min(doubled, LONGEST_RETRY))

    def _no_longer_than_the_interval(self, delay: timedelta) -> timedelta:
        return min(delay, self.interval) if self.interval else delay


def _answered(
    work: Work[ProbeResult], before: ProbeStatus | None, now: datetime
) -> ProbeStatus | None:
    """What the status keeps of an answer that has just come."""
    result = work.result
    if result is None:
        return None
    end = work.ledger.last_end
    time = (end.time if end else None) or format_time(now)
    known = {check.name: check for check in before.checks} if before else {}
    checks = []
    for outcome in result.checks:
        former = known.get(outcome.name)
        same = former is not None and former.result == outcome.result
        since = former.last_transition_time if former and same else time
        checks.append(ProbeCheck(**outcome.model_dump(), last_transition_time=since))
    failures = 0
    if any(check.result == "Failed" for check in checks):
        failures = 1
        if before and before.generation == result.generation:
            failures += before.failures
    return ProbeStatus(
        generation=result.generation,
        completed_at=time,
        failures=failures,
        refuses_overwriting=result.refuses_overwriting,
        checks=checks,
    )
