"""Writes what is reported into statuses, no faster than the API server should have to bear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealyard.api.model import Model
from sealyard.controller.caches import Caches
from sealyard.controller.kubernetes_api import ApiError, KubernetesApi
from sealyard.controller.progress_auth import FinishedError, NotThePodError
from sealyard.controller.report_kinds import ReportKind
from sealyard.controller.resources import Key
from sealyard.controller.workqueue import ShutDown, Timers, WorkQueue

SECONDS_PER_OBJECT = 10.0
WRITES_PER_SECOND = 20.0
WRITERS = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pending:
    kind: ReportKind[Any]
    report: Model
    pod_uid: str


class ProgressWriter:
    """Keeps the latest report of each object and writes it when its turn comes.

    Args:
        api: the API server.
        caches: where the answers go; the pod is checked once more before the write.
        timers: the event loop.
        clock: the time that stands in the status, aware.
        concerns: told which objects have to be looked at for what was written.
    """

    def __init__(
        self,
        api: KubernetesApi,
        caches: Caches,
        timers: Timers,
        clock: Callable[[], datetime],
        concerns: Callable[[set[Key]], None],
    ) -> None:
        self._api = api
        self._caches = caches
        self._timers = timers
        self._clock = clock
        self._concerns = concerns
        self._queue: WorkQueue[Key] = WorkQueue(timers)
        self._pending: dict[Key, _Pending] = {}
        self._next_of_object: dict[Key, float] = {}
        self._next_of_all = 0.0

    def submit(self, kind: ReportKind[Any], key: Key, report: Model, pod_uid: str) -> None:
        """Keep this report; an older one of the object that was not written yet is void."""
        self._pending[key] = _Pending(kind, report, pod_uid)
        self._queue.add_after(key, self._next_of_object.get(key, 0.0) - self._timers.time())

    async def run(self) -> None:
        """Write until `close`."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._work())

    def close(self) -> None:
        """Write nothing more."""
        self._queue.close()

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
        """One write; whatever goes wrong in it costs this report alone."""
        try:
            await self._write(key)
        except ApiError as error:
            logger.warning("progress was not written: %s", error, extra={"key": str(key)})
        except Exception as error:
            logger.error(  # noqa: TRY400 - one line; the trace stands at debug level
                "progress was not written: %s: %s",
                type(error).__name__,
                error,
                extra={"key": str(key)},
            )
            logger.debug("the trace of it", exc_info=error, extra={"key": str(key)})

    async def _write(self, key: Key) -> None:
        turn = self._take_turn(key)
        if turn > 0:
            await asyncio.sleep(turn)
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        kind = pending.kind
        try:
            kind.check(self._caches, pending.report, pending.pod_uid)
        except (NotThePodError, FinishedError):
            return
        body = kind.body(pending.report, self._clock())
        raw = await self._api.apply_progress(kind.resource, key.namespace, key.name, body)
        concerned = self._caches.note(kind.resource, raw)
        if kind.decides:
            self._concerns(concerned)

    def _take_turn(self, key: Key) -> float:
        """Seconds until this write may go out; the turns after it move back accordingly."""
        now = self._timers.time()
        turn = max(now, self._next_of_all)
        self._next_of_all = turn + 1.0 / WRITES_PER_SECOND
        for other in [one for one, after in self._next_of_object.items() if after <= now]:
            del self._next_of_object[other]
        self._next_of_object[key] = turn + SECONDS_PER_OBJECT
        return turn - now
