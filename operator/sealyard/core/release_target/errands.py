"""Which of the two errands is next: one Job at a time, and grants before what they are for.

A withdrawal waits for no grant, not even for one that is being made, and neither does the freshness
of the index: for as long as something is not granted, the index Job is given all but what is new
(`index_document.held`). Neither waits for channels to note what the index names now; the rest does,
for what they are granted follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sealyard.api.answers import GrantResult, IndexResult
from sealyard.api.attempts import Attempts
from sealyard.api.release_target import GrantsStatus, IndexStatus, ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.core import live
from sealyard.core.jobs import grant_job, index_job, input_parts, variant_of
from sealyard.core.observed import ObservedJob, ReleaseTargetObserved
from sealyard.core.plan import JobKey
from sealyard.core.release_target.errand import Errand
from sealyard.core.roster import GrantDocument, IndexDocument, View
from sealyard.core.settings import Settings
from sealyard.core.times import parse_time


@dataclass(frozen=True, slots=True)
class ErrandStep:
    """What is done for both errands in this pass."""

    ledgers: tuple[Attempts, ...]
    create: tuple[dict[str, Any], ...] = ()
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    delete: tuple[JobKey, ...] = ()
    requeue_after: float | None = None
    taken: dict[str, str] = field(default_factory=dict)
    """By errand, the name of its next Job, where somebody else's has it."""

    def again_after(self, seconds: float | None) -> ErrandStep:
        """The same, looked at again after so many seconds at the latest."""
        delays = [one for one in (self.requeue_after, seconds) if one is not None]
        return replace(self, requeue_after=min(delays, default=None))

    def names_of(self, ledger: Attempts) -> list[str]:
        """The name of the Job that this step creates for an errand, if it does."""
        is_started = any(
            one.name == ledger.name and one.started > ledger.started for one in self.ledgers
        )
        return [job["metadata"]["name"] for job in self.create] if is_started else []


@dataclass(frozen=True, slots=True)
class Errands:
    """The grants and the index of a target."""

    target: ReleaseTarget
    view: View
    grant: Errand[GrantResult]
    index: Errand[IndexResult]
    granted: GrantsStatus | None
    """The last grants that were made."""
    signed: IndexStatus | None
    """The last index that was signed."""
    is_noted: bool
    """The channels know what it names: else the view is of a time before it."""

    @classmethod
    def of(cls, observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Errands:
        """Accounts what the Jobs of both say."""
        status = observed.target.status
        grant = Errand.of(Role.GRANT, GrantResult.from_wire, observed, settings, now)
        index = Errand.of(Role.INDEX, IndexResult.from_wire, observed, settings, now)
        granted = grant.work.result
        signed = _signed(observed.target, index.work.result)
        return cls(
            observed.target,
            observed.roster.at(now),
            grant,
            index,
            GrantsStatus(digest=granted.input_sha256, devices=granted.devices)
            if granted
            else status.grants,
            signed,
            observed.roster.has_noted(signed.digest if signed else None, now),
        )

    @property
    def all_is_granted(self) -> bool:
        """Whether the newest grants were made, and for what follows the target now."""
        if not self.grant.is_settled:
            return False
        if self.granted is None:
            return not self.view.has_devices
        return self.granted.digest == self.view.grants.digest

    def next_step(
        self, observed: ReleaseTargetObserved, settings: Settings, now: datetime
    ) -> ErrandStep:
        """Starts what is due, sees to it that what runs has its input, or says when to look."""
        running = tuple(job for job in (self.grant.work.job, self.index.work.job) if job)
        step = self._attend(running, observed.supplied, now)
        is_free = self.is_noted and not running
        candidates = self._candidates(now) if is_free else self._beside(now)
        free = {one: one.free_at(now) for one in candidates if not one.errand.work.job}
        chosen = next((candidate for candidate, at in free.items() if at <= now), None)
        if chosen is None:
            later = [*free.values(), self._stale_at, self.view.until]
            soonest = min((at for at in later if at and at > now), default=None)
            return step.again_after((soonest - now).total_seconds() if soonest else None)
        job = chosen.build(self.target, settings)
        name = job["metadata"]["name"]
        if name in observed.foreign_jobs:
            return replace(step, taken={chosen.errand.work.ledger.name: name})
        started = chosen.started()
        # Their input is megabytes for a fleet, and would lie there until their TTL.
        finished = (
            JobKey(done.namespace, done.name, done.uid)
            for done in observed.jobs
            if done.role == started.name and done.state == "Complete" and not done.deleting
        )
        return replace(
            step,
            ledgers=tuple(
                started if ledger.name == started.name else ledger for ledger in step.ledgers
            ),
            create=(job,),
            inputs={**step.inputs, name: input_parts(chosen.document.text)},
            delete=(*step.delete, *finished),
        )

    def _candidates(self, now: datetime) -> Iterator[_Candidate]:
        """What is to be done, the most pressing first."""
        view = self.view
        if withdrawal := self._withdrawal():
            yield withdrawal
        if not self.all_is_granted or (self.granted and self.grant.is_asked_for):
            yield _Candidate(self.grant, view.grants)
        if self.target.spec.trust is None:
            return
        is_stale = self._stale_at is not None and self._stale_at <= now
        if self.all_is_granted:
            if is_stale or self.index.is_asked_for or view.full.digest != self._signed_digest:
                yield _Candidate(self.index, view.full)
        elif is_stale:
            yield _Candidate(self.index, view.held)

    def _beside(self, now: datetime) -> Iterator[_Candidate]:
        """What waits for no Job of the other errand, and for no channel."""
        withdrawal = self._withdrawal()
        if withdrawal:
            yield withdrawal
        elif self._stale_at is not None and self._stale_at <= now:
            yield _Candidate(self.index, self.view.held)

    def _withdrawal(self) -> _Candidate | None:
        """The index without what must leave it, if it is not signed yet."""
        view = self.view
        if self.target.spec.trust is None or not view.is_urgent:
            return None
        is_signed = view.held.digest == self._signed_digest
        return None if is_signed else _Candidate(self.index, view.held)

    @property
    def _signed_digest(self) -> str | None:
        return self.signed.digest if self.signed and self.index.is_settled else None

    @property
    def _stale_at(self) -> datetime | None:
        """When the index is to be signed anew: at half of its life."""
        trust = self.target.spec.trust
        expires = parse_time(self.signed.expires) if self.signed else None
        if trust is None or expires is None:
            return None
        return expires - timedelta(seconds=trust.index_lifetime_seconds / 2)

    def _attend(
        self, running: Iterable[ObservedJob], supplied: frozenset[str], now: datetime
    ) -> ErrandStep:
        """An operator that was killed before its Job had its input gives it, if it still can."""
        step = ErrandStep((self.grant.work.ledger, self.index.work.ledger))
        for job in running:
            if live.has_started(job) or job.uid in supplied or job.deleting:
                step = step.again_after(live.look_again(job, now))
                continue
            is_grant = job.role == Role.GRANT
            documents = (self.view.grants,) if is_grant else (self.view.full, self.view.held)
            document = next((one for one in documents if variant_of(one) == job.variant), None)
            if document:
                step = replace(step, inputs={**step.inputs, job.name: input_parts(document.text)})
            else:
                lost = JobKey(job.namespace, job.name, job.uid)
                step = replace(step, delete=(*step.delete, lost))
        return step


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An errand and the input that it is to be run with."""

    errand: Errand[Any]
    document: GrantDocument | IndexDocument

    def free_at(self, now: datetime) -> datetime:
        """When its Job may be created."""
        return self.errand.free_at(self.document, now)

    def started(self) -> Attempts:
        """The ledger once it is."""
        return self.errand.started(self.document)

    def build(self, target: ReleaseTarget, settings: Settings) -> dict[str, Any]:
        """The Job."""
        attempt = self.errand.work.next_attempt
        if isinstance(self.document, GrantDocument):
            return grant_job(target, settings, self.document, attempt=attempt)
        trust = target.spec.trust
        if trust is None:
            raise AssertionError("without trust no index is a candidate")
        return index_job(target, trust, settings, self.document, attempt=attempt)


def _signed(target: ReleaseTarget, result: IndexResult | None) -> IndexStatus | None:
    """What the status says of the index; nothing, once nobody is asked to trust it."""
    if target.spec.trust is None:
        return None
    if result is None:
        return target.status.index
    return IndexStatus(version=result.version, expires=result.expires, digest=result.input_sha256)
