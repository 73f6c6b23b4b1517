"""What the policies of a ReleaseTarget look at: the target, with the ends of its Jobs accounted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sealyard.api.answers import RewrapResult
from sealyard.api.attempts import Attempts
from sealyard.api.conditions import Reason
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.release_target import ReleaseTarget, RewrapStatus
from sealyard.api.secrets import Role
from sealyard.core import attempts
from sealyard.core.attempts import Work
from sealyard.core.conditions import State, one_line
from sealyard.core.observed import ObservedJob, ReleaseTargetObserved
from sealyard.core.outcome import outcome
from sealyard.core.plan import Event, Plan
from sealyard.core.release_target.errands import Errands, ErrandStep
from sealyard.core.release_target.probe import Probe, Step
from sealyard.core.settings import Settings
from sealyard.core.times import format_time


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a target, ready to be judged."""

    target: ReleaseTarget
    settings: Settings
    now: datetime
    foreign_jobs: tuple[str, ...]
    work: Work[RewrapResult]
    """The rewrap of the generation that is asked for."""
    former: ObservedJob | None
    """A Job that still rewraps for an earlier generation."""
    completed: RewrapStatus | None
    """The last rewrap that was done."""
    probe: Probe
    step: Step
    """What is done for the probe, whatever else is."""
    errands: Errands
    errand_step: ErrandStep
    """What is done for the grants and the index, whatever else is."""

    @classmethod
    def of(cls, observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Situation:
        """Accounts what the target's Jobs say."""
        target = observed.target
        generation = target.spec.rewrap_generation
        rewraps = [job for job in observed.jobs if job.role == Role.REWRAP]
        # A generation is a piece of work of its own: no Job of another one counts for it.
        name = f"{Role.REWRAP}-{generation}"
        ledgers = {ledger.name: ledger for ledger in target.status.tasks or []}
        work = attempts.settle(
            ledgers.get(name, Attempts(name=name)),
            [job for job in rewraps if job.variant == str(generation)],
            RewrapResult.from_wire,
            now=now,
        )
        probe = Probe.of(observed, settings, now)
        errands = Errands.of(observed, settings, now)
        former = (job for job in rewraps if job.variant != str(generation))
        return cls(
            target,
            settings,
            now,
            observed.foreign_jobs,
            work,
            next((job for job in former if job.state == "Active"), None),
            _completed(generation, work, now) or target.status.rewrap,
            probe,
            probe.next_step(observed, settings, now),
            errands,
            errands.next_step(observed, settings, now),
        )

    @property
    def is_rewrapped(self) -> bool:
        """Whether every rewrap that was asked for is done."""
        done = self.completed.generation if self.completed else 0
        return done >= self.target.spec.rewrap_generation

    @property
    def watched(self) -> str:
        """What a waiting attempt may be waiting for, as far as it can be seen."""
        metadata = self.target.metadata
        return attempts.watched(
            str(metadata.generation), metadata.annotations.get(REQUESTED_AT_ANNOTATION)
        )

    def decide(
        self,
        state: State,
        *,
        ledger: Attempts | None = None,
        create: tuple[dict[str, Any], ...] = (),
        requeue_after: float | None = None,
        quiet: bool = False,
        is_reachable: bool = True,
    ) -> Plan:
        """The Plan of a policy, with what every status of a target holds.

        Its probe goes on beside it, and so do the grants and the index.

        Args:
            state: the wanted conditions.
            ledger: the rewrap's, where this pass changes it.
            create: Jobs to create.
            requeue_after: seconds until the next look.
            quiet: nothing new is said, so no event.
            is_reachable: a Job could reach the target.
        """
        step = self.step if is_reachable else Step(self.probe.work.ledger)
        errands = self.errand_step
        if not is_reachable:
            errands = ErrandStep((self.errands.grant.work.ledger, self.errands.index.work.ledger))
        ledgers = (ledger or self.work.ledger, step.ledger, *errands.ledgers)
        status: dict[str, Any] = {}
        if tasks := [kept.to_wire() for kept in ledgers if kept.started]:
            status["tasks"] = tasks
        if last := self.probe.last:
            # What the last one could not tell must not stay from the one before.
            status["probe"] = {"refusesOverwriting": None, **last.to_wire()}
            passed = sum(check.result == "Passed" for check in last.checks)
            status["summary"] = {"probe": f"{passed}/{len(last.checks)}"}
        if self.completed:
            status["rewrap"] = self.completed.to_wire()
        granted, signed = self.errands.granted, self.errands.signed
        if granted:
            status["grants"] = granted.to_wire()
        if signed or self.target.status.index:
            status["index"] = signed.to_wire() if signed else None
        plan = outcome(
            self.target,
            self.target.status.conditions,
            state,
            now=self.now,
            status=status,
            create=(*create, *step.create, *errands.create),
            delete=errands.delete,
            inputs=errands.inputs,
            requeue_after=_soonest(requeue_after, step.requeue_after, errands.requeue_after),
            quiet=quiet,
        )
        return replace(plan, events=(*plan.events, *self._failures()))

    def _failures(self) -> Iterator[Event]:
        """What a grant could not do though it did all else; told once, when it has ended."""
        result = self.errands.grant.work.result
        if result and result.failed:
            said = f"{result.failed} failed, all else is done: {result.said}"
            yield Event("Warning", Reason.NOT_GRANTED, one_line(said))


def _soonest(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None), default=None)


def _completed(generation: int, work: Work[RewrapResult], now: datetime) -> RewrapStatus | None:
    if work.result is None:
        return None
    last = work.ledger.last_end
    return RewrapStatus(
        **work.result.model_dump(),
        generation=generation,
        completed_at=last.time if last else format_time(now),
    )
