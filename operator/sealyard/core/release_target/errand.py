"""A piece of work that comes again whenever what it is about changes: the grants, the index.

As with the probe each time is a Job, and its end is accounted in one ledger. What it was about
stands in the Job's label and, once it is done, in the target's status, as the digest of its input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sealyard.api.answers import GrantResult, IndexResult
from sealyard.api.attempts import Attempts, EndReason
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.core import attempts
from sealyard.core.attempts import Failure, Work
from sealyard.core.jobs import variant_of
from sealyard.core.observed import ReleaseTargetObserved
from sealyard.core.roster import GrantDocument, IndexDocument
from sealyard.core.settings import Settings
from sealyard.core.times import parse_time

RETRY_AFTER_FAULT = timedelta(minutes=5)
"""It is given up for nobody: an index that is not signed anew would expire on every device."""
PAUSE = timedelta(minutes=1)
"""After a Job that succeeded, before another one for the same input."""
NO_TROUBLE = frozenset({EndReason.DONE, EndReason.NO_ANSWER}) | attempts.INTERRUPTIONS

R = TypeVar("R", GrantResult, IndexResult)


@dataclass(frozen=True, slots=True)
class Errand(Generic[R]):
    """An errand, with the ends of its Jobs accounted."""

    work: Work[R]
    failure: Failure | None
    asked: str
    """What calls for it beside its input: the target's generation, and the request for it."""

    @classmethod
    def of(
        cls,
        role: Role,
        read: Callable[[dict[str, Any]], R],
        observed: ReleaseTargetObserved,
        settings: Settings,
        now: datetime,
    ) -> Errand[R]:
        """Accounts what the errand's Jobs say."""
        name = str(role)
        target = observed.target
        ledgers = {ledger.name: ledger for ledger in target.status.tasks or []}
        ledger = ledgers.get(name, Attempts(name=name))
        jobs = [job for job in observed.jobs if job.role == role]
        newest = max(jobs, key=lambda job: job.attempt, default=None)
        if newest and newest.attempt > ledger.started:
            # Created, and the patch that says so lost: what was done before is not done again yet.
            ledger = Attempts(name=name, started=ledger.started, last_end=ledger.last_end)

        def read_own(document: dict[str, Any]) -> R:
            result = read(document)
            if newest is None or not result.input_sha256.startswith(newest.variant):
                raise ValueError("it is about other input than its Job was given")
            return result

        work = attempts.settle(ledger, jobs, read_own, now=now)
        return cls(
            work,
            attempts.failure(work, backoff_limit=settings.release_backoff_limit),
            _asked(target),
        )

    @property
    def is_settled(self) -> bool:
        """Whether the newest Job, if there was any, succeeded.

        One that failed may have done a part: what the last success was about holds no more.
        """
        ledger = self.work.ledger
        return ledger.started == 0 or bool(ledger.done)

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody calls for it, though its input may be the same as the last time."""
        ledger = self.work.ledger
        return ledger.started > 0 and (ledger.watched or "").partition(" ")[2] != self.asked

    @property
    def has_trouble(self) -> bool:
        """Whether the newest end says that it cannot be done as things are."""
        end = self.work.ledger.last_end
        return end is not None and EndReason(end.reason or EndReason.FAULT) not in NO_TROUBLE

    def free_at(self, document: GrantDocument | IndexDocument, now: datetime) -> datetime:
        """The time from which on a Job with this input may be created.

        A change of the spec, and a request, may be what a waiting attempt waits for. Other input is
        no reason to ask a store again that does not answer, but mends what a Job refused as wrong.
        """
        ledger = self.work.ledger
        end = ledger.last_end
        if end is None or self.is_asked_for:
            return now
        ended = parse_time(end.time) or now
        is_same = ledger.watched == self._watched(document)
        if ledger.done:
            return ended + PAUSE if is_same else now
        is_refused = EndReason(end.reason or EndReason.FAULT) in attempts.FINAL
        return now if is_refused and not is_same else self.again_at(now)

    def again_at(self, now: datetime) -> datetime:
        """When it is tried again, if nothing changes."""
        end = self.work.ledger.last_end
        if end and self.failure:
            return (parse_time(end.time) or now) + RETRY_AFTER_FAULT
        return parse_time(self.work.ledger.not_before) or now

    def started(self, document: GrantDocument | IndexDocument) -> Attempts:
        """The ledger once the next Job is created. How the one before ended stays until it has."""
        ledger = self.work.ledger
        if ledger.done or self.failure:
            ledger = Attempts(name=ledger.name, started=ledger.started, last_end=ledger.last_end)
        return attempts.start(ledger, watched=self._watched(document))

    def _watched(self, document: GrantDocument | IndexDocument) -> str:
        return f"{variant_of(document)} {self.asked}"


def _asked(target: ReleaseTarget) -> str:
    metadata = target.metadata
    return attempts.watched(
        str(metadata.generation), metadata.annotations.get(REQUESTED_AT_ANNOTATION)
    )
