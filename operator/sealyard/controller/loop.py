"""The workers: take a key, observe, reconcile, apply, and look again when the plan says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sealyard.api.secrets import Role
from sealyard.controller.apply import (
    FOREIGN_SECONDS,
    Applier,
    ConflictError,
    Foreign,
    NameTakenError,
)
from sealyard.controller.caches import Caches
from sealyard.controller.namespaces import Namespaces
from sealyard.controller.observe import Around, observe
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import Key
from sealyard.controller.workqueue import ShutDown, WorkQueue
from sealyard.core.plan import Event, Plan
from sealyard.core.roster import TargetEntry
from sealyard.core.settings import Settings
from sealyard.core.status import merged

MAX_ROUNDS = 4
"""Decisions about one object in one pass; more than it ever needs. What is left comes next time."""
CLAIM_SECONDS = 10.0
"""Until those look again whom a Job that could not be created kept from a claim."""

Reconcile = Callable[[Any, Settings, datetime], Plan]

logger = logging.getLogger(__name__)


class ControlLoop:
    """Works on the keys of the queue.

    Args:
        queue: the keys.
        caches: what is known of the cluster.
        applier: carries out plans.
        foreign: names that are taken.
        namespaces: which of them end.
        reconcilers: what decides, by kind.
        settings: the operator's configuration as far as decisions depend on it.
        clock: the time that decisions go by, aware.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue[Key],
        caches: Caches,
        applier: Applier,
        foreign: Foreign,
        namespaces: Namespaces,
        reconcilers: Mapping[str, Reconcile],
        settings: Settings,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._queue = queue
        self._caches = caches
        self._applier = applier
        self._foreign = foreign
        self._namespaces = namespaces
        self._reconcilers = reconcilers
        self._settings = settings
        self._clock = clock or (lambda: datetime.now(UTC))

    async def run(self, workers: int) -> None:
        """Work until the queue is closed, on several keys at a time."""
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._work(), name=f"worker {number}")

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except ShutDown:
                return
            try:
                await self._attempt(key)
            finally:
                self._queue.done(key)

    async def _attempt(self, key: Key) -> None:
        """One pass; whatever goes wrong in it is this key's trouble alone."""
        try:
            again = await self.reconcile(key)
        except ConflictError:
            self._queue.retry(key)
        except Exception as error:
            delay = self._queue.retry(key)
            logger.error(  # noqa: TRY400 - one line; the trace stands at debug level
                "%s: %s; again in %.3g s",
                type(error).__name__,
                error,
                delay,
                extra={"key": str(key)},
            )
            logger.debug("the trace of it", exc_info=error, extra={"key": str(key)})
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again)

    async def reconcile(self, key: Key) -> float | None:
        """One pass over one object. The seconds until it should be looked at again, if any.

        Where Jobs were created or deleted, or the status became another, it decides anew with the
        status that was just decided: one patch tells of a Job and of its uid, and what follows from
        a new phase (tidying up after a release) needs no event from elsewhere.
        """
        record = self._caches.object(key)
        if record is None or (record.deleting and not record.is_held):
            self._foreign.forget(key)
            return None
        ends = record.deleting and await self._namespaces.ends(key.namespace)
        settles_in = self._collect(record)
        document = record.parse()
        events: dict[Event, None] = {}
        for _ in range(MAX_ROUNDS):
            taken, now = self._foreign.of(key), self._clock()
            around = Around(taken, self._applier.supplied(self._jobs_of(record)), ends)
            observed = observe(self._caches, record, document, now, around)
            plan = self._reconcilers[key.kind](observed, self._settings, now)
            # Before anything is awaited: another worker may look at who has a claim.
            self._caches.expect(record, plan.create)
            try:
                if plan.hold:
                    await self._applier.hold(record, wanted=True)
                    record = self._caches.object(key) or record
                    document["metadata"] = record.parse()["metadata"]
                changed = await self._applier.children(record, plan)
            except NameTakenError:
                changed = True
                continue
            finally:
                for kept_from_it in self._caches.settle(record):
                    # Not at once: what was refused to this one may be to those, in a circle.
                    self._queue.add_after(kept_from_it, CLAIM_SECONDS)
            status = merged(document["status"], plan.status)
            changed = changed or status != document["status"]
            document["status"] = status
            events.update(dict.fromkeys(plan.events))
            if not changed:
                break
        await self._applier.status(record, document["status"])
        await self._applier.events(record, tuple(events))
        if plan.hold is False:
            await self._applier.hold(self._caches.object(key) or record, wanted=False)
        delays = [
            plan.requeue_after,
            settles_in,
            FOREIGN_SECONDS if taken else None,
            1.0 if changed else None,
        ]
        return min((delay for delay in delays if delay is not None), default=None)

    def _collect(self, record: ObjectRecord) -> float | None:
        """Make a target's roster anew if it is time. Seconds until it is, if that is to come.

        Channels show how many devices they have, and what they name: they look again.
        """
        key, followers = record.key, self._caches.followers
        settles_in = followers.settles_in(key)
        if settles_in != 0.0:
            if isinstance(record.entry, TargetEntry):
                followers.roster(key).forget(self._given(record))
            return settles_in
        followers.renew(key, self._given(record))
        for channel in followers.channels(key):
            self._queue.add(channel)
        return None

    def _given(self, record: ObjectRecord) -> tuple[str, ...]:
        """The beginnings of the digests of documents that a Job was given, or the status names."""
        entry = record.entry
        digests = (
            (entry.index_digest, entry.grants_digest) if isinstance(entry, TargetEntry) else ()
        )
        jobs = [found.job for found in self._caches.jobs_of(record.uid)]
        variants = [job.variant for job in jobs if job.role in {Role.GRANT, Role.INDEX}]
        return tuple(digest for digest in (*digests, *variants) if digest)

    def _jobs_of(self, record: ObjectRecord) -> list[str]:
        return [found.uid for found in self._caches.jobs_of(record.uid)]
