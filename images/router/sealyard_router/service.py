"""A router as a process: files, tells how far it is, and ends when it is told to.

After SIGTERM it finishes the batch that it files, reads no more, and ends with 143, within
`INTERRUPT_GRACE_SECONDS`; a batch that takes longer is dropped. Its pod is one of a Deployment, so
whatever it ends with, it is started anew: codes tell people why, and nothing is lost by any end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from typing import Final, NoReturn

from sealyard.annotations.message import MAX_LINE_BYTES
from sealyard.api.annotation_route import FilingProblem
from sealyard.api.filing import FilingReport, RouteTask
from sealyard.errors import UnavailableError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.process import EXIT_INTERRUPTED, INTERRUPT_GRACE_SECONDS, Interrupted
from sealyard_router.arrivals import Limits
from sealyard_router.assembly import Parts, assembled
from sealyard_router.health import PORT, Health
from sealyard_router.pipeline import Pipeline
from sealyard_router.reporting import Reporting, start_reporting

_TELL_SECONDS: Final = 1.0
_LAG_SECONDS: Final = 10.0
_STUCK_SECONDS: Final = 60.0
_MESSAGE_CHARACTERS: Final = 512


PORT_VARIABLE: Final = "SEALYARD_HTTP_PORT"
"""Where several routers share a network, each may listen at a port of its own."""


def run_route(task: RouteTask, mounts: Mounts) -> NoReturn:
    """File until the process is told to end.

    Raises:
        SealyardError: what waiting does not mend.
        Interrupted: SIGTERM came.
    """
    port = int(os.environ.get(PORT_VARIABLE, PORT))
    reporting = start_reporting(task.progress, mounts.progress_token)
    try:
        with assembled(task, mounts) as parts:
            asyncio.run(Service(task, parts, reporting, port=port).run())
    finally:
        reporting.close()


class Service:
    """Files, and tells of it.

    Args:
        task: whose route it is.
        parts: what files.
        reporting: where it tells how far it is.
        port: of the HTTP server.
    """

    def __init__(self, task: RouteTask, parts: Parts, reporting: Reporting, *, port: int) -> None:
        self._task = task
        self._parts = parts
        self._reporting = reporting
        self._port = port
        self._beat = time.monotonic()
        self._lag: int | None = None
        self._pipeline = Pipeline(
            parts.source,
            parts.filer,
            troubles=parts.troubles,
            metrics=parts.metrics,
            limits=Limits(),
            most=2 * (task.max_picture_bytes + MAX_LINE_BYTES),
        )

    async def run(self) -> NoReturn:
        """File until SIGTERM.

        Raises:
            SealyardError: what waiting does not mend.
            Interrupted: SIGTERM came.
        """
        told_to_end = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end, told_to_end)
        health = Health(
            self._parts.metrics.registry, alive=self._is_stuck, ready=self._is_idle, port=self._port
        )
        waiting = asyncio.create_task(told_to_end.wait())
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(self._pipeline.run()),
            asyncio.create_task(self._tell()),
            asyncio.create_task(self._watch_lag()),
        ]
        try:
            await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            # What gave up waiting because of the signal has failed by now, too.
            if not told_to_end.is_set():
                for task in tasks:
                    if task.done():
                        task.result()
            raise Interrupted("interrupted by SIGTERM; the next pod goes on from here")
        finally:
            waiting.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(waiting, *tasks, return_exceptions=True)
            self._tell_now()
            health.close()

    def _end(self, told_to_end: asyncio.Event) -> None:
        if told_to_end.is_set():
            os._exit(EXIT_INTERRUPTED)
        # What waits for a store that is away need wait no longer.
        self._parts.stopped.set()
        deadline = threading.Timer(INTERRUPT_GRACE_SECONDS, os._exit, (EXIT_INTERRUPTED,))
        deadline.daemon = True
        deadline.start()
        told_to_end.set()

    async def _tell(self) -> None:
        while True:
            self._beat = time.monotonic()
            self._tell_now()
            await asyncio.sleep(_TELL_SECONDS)

    async def _watch_lag(self) -> None:
        while True:
            self._lag = None
            if self._pipeline.is_open:
                with contextlib.suppress(UnavailableError):
                    last = await self._parts.source.last_offset()
                    end = self._parts.filer.ledger.end
                    self._lag = max(0, last + 1 - end) if last is not None else 0
            await asyncio.sleep(_LAG_SECONDS)

    def _tell_now(self) -> None:
        ledger, counts = self._parts.filer.ledger, self._parts.index.counts
        problem, line = self._trouble or (None, None)
        self._parts.metrics.stands(counts, offset=ledger.end, lag=self._lag)
        if not self._pipeline.is_open and problem is None:
            # Nothing is known yet, and whether it can go on neither.
            return
        self._reporting.tell(
            FilingReport(
                route=self._task.owner,
                offset=ledger.end,
                lag=self._lag,
                validated=counts.validated,
                seed=counts.seed,
                rejected=ledger.rejected,
                unproven=ledger.unproven,
                lost=ledger.lost,
                problem=problem,
                message=line[:_MESSAGE_CHARACTERS] if line else None,
            )
        )

    @property
    def _trouble(self) -> tuple[FilingProblem, str] | None:
        hanging = self._parts.store.hanging
        return ("StoreUnavailable", hanging) if hanging else self._parts.troubles.first

    def _is_stuck(self) -> str | None:
        age = time.monotonic() - self._beat
        if age > _STUCK_SECONDS:
            return f"nothing has moved for {age:.0f} s"
        return self._parts.store.hanging

    def _is_idle(self) -> str | None:
        first = self._trouble
        if first is not None:
            return f"{first[0]}: {first[1]}"
        return None if self._pipeline.is_open else "the journal is being read"
