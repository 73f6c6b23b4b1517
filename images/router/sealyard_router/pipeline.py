"""From the stream to the store: reads, decides, writes, files.

The files of a batch are written while the one before is being filed; entries come one after the
other. A broker or a store that is away is waited for; what no waiting mends ends `run`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from sealyard.errors import UnavailableError
from sealyard_router.arrivals import Arrival, Inbox, Limits
from sealyard_router.continuity import Place
from sealyard_router.delivery import Delivery, Source
from sealyard_router.filer import Filer, Filing
from sealyard_router.ledger import OvertakenError
from sealyard_router.metrics import Metrics
from sealyard_router.patience import pauses
from sealyard_router.reading import read_delivery
from sealyard_router.strays import pause_after
from sealyard_router.troubles import Troubles

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Pipeline:
    """Files one stream.

    Args:
        source: the stream.
        filer: what files its batches.
        troubles: where an outage is told.
        metrics: what is counted.
        limits: how much is in memory.
        most: the most bytes that a message which is filed may hold.
    """

    def __init__(
        self,
        source: Source,
        filer: Filer,
        *,
        troubles: Troubles,
        metrics: Metrics,
        limits: Limits,
        most: int,
    ) -> None:
        self._source = source
        self._filer = filer
        self._troubles = troubles
        self._metrics = metrics
        self._limits = limits
        self._most = most
        self._checkpoint: asyncio.Task[None] | None = None
        self.is_open = False
        """Whether the stream is being read."""

    async def run(self) -> None:
        """File what comes, until cancelled.

        Raises:
            SealyardError: of the broker, the stores or the journal, where waiting mends nothing.
        """
        await asyncio.to_thread(self._filer.start)
        sweep = asyncio.create_task(self._sweep())
        try:
            while True:
                try:
                    await self._file_on(sweep)
                except OvertakenError:
                    logger.warning(
                        "another router filed what comes after offset %d; going on behind it",
                        self._filer.ledger.end,
                    )
                    self._metrics.overtaken.inc()
                    await asyncio.to_thread(self._filer.recover)
        finally:
            sweep.cancel()
            await _ended(sweep, self._checkpoint)

    async def _sweep(self) -> None:
        """Look for strays now and then, as long as it files."""
        while True:
            begun = time.monotonic()
            looking = asyncio.create_task(asyncio.to_thread(self._filer.sweep))
            try:
                await asyncio.shield(looking)
            finally:
                await _ended(looking)
            await asyncio.sleep(pause_after(time.monotonic() - begun))

    async def _file_on(self, sweep: asyncio.Task[None]) -> None:
        """File what comes after the journal's end, until something ends it."""
        inbox = Inbox(self._limits, self._most)
        reader = asyncio.create_task(self._read(inbox))
        filing: asyncio.Task[None] | None = None
        batch: asyncio.Task[list[Arrival]] | None = None
        beginning: asyncio.Task[Filing] | None = None
        try:
            while True:
                batch = asyncio.create_task(inbox.batch())
                came = await _first(batch, reader, filing, sweep)
                beginning = asyncio.create_task(asyncio.to_thread(self._filer.begin, came))
                begun = await _first(beginning, reader, filing, sweep)
                if filing is not None:
                    await filing
                filing = asyncio.create_task(self._file(inbox, came, begun))
        finally:
            self.is_open = False
            reader.cancel()
            if batch is not None:
                batch.cancel()
            # A thread cannot be cancelled, and must not work on what is read anew.
            await _ended(reader, batch, beginning, filing)
            await self._source.close()

    async def _file(self, inbox: Inbox, batch: list[Arrival], filing: Filing) -> None:
        with self._metrics.timed_batch():
            await asyncio.to_thread(self._filer.file, filing)
        await inbox.free(batch)
        self._metrics.filed(filing)
        if self._checkpoint is None or self._checkpoint.done():
            write = self._filer.checkpoint()
            if write is not None:
                self._checkpoint = asyncio.create_task(asyncio.to_thread(write))

    async def _read(self, inbox: Inbox) -> None:
        """Put what comes into the inbox; a broker that is away is waited for."""
        place = self._filer.ledger.place
        is_first = self._filer.ledger.is_new
        waits = pauses()
        while True:
            try:
                async for delivery in self._deliveries(place):
                    lost = 0 if is_first else await self._lost(place.offset, delivery.offset)
                    await inbox.put(Arrival(delivery, read_delivery(delivery), lost))
                    place, is_first = Place(delivery.offset + 1, delivery.time_ms), False
                    waits = pauses()
            except UnavailableError as error:
                self.is_open = False
                self._troubles.begin("BrokerUnavailable", str(error))
                await asyncio.sleep(next(waits))

    async def _deliveries(self, place: Place) -> AsyncIterator[Delivery]:
        """What comes from `place` on."""
        await self._source.open(place)
        self.is_open = True
        self._troubles.over("BrokerUnavailable")
        async for batch in self._source.deliveries():
            for delivery in batch:
                yield delivery

    async def _lost(self, position: int, offset: int) -> int:
        """How many messages between two were deleted; offsets may be missing for other reasons."""
        if offset <= position:
            return 0
        first = await self._source.first_offset()
        if first is None:
            raise UnavailableError("the broker does not say what it still has; asking it again")
        lost = max(0, min(first, offset) - position)
        if lost:
            logger.error(
                "the broker has deleted %d messages from offset %d on before they were filed; "
                "keep them longer",
                lost,
                position,
            )
        return lost


async def _first(wanted: asyncio.Future[T], *others: asyncio.Task[None] | None) -> T:
    """What a task gives, unless one of the others fails first."""
    while not wanted.done():
        waiting: set[asyncio.Future[Any]] = {wanted}
        waiting.update(one for one in others if one is not None and not one.done())
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in others:
            if one is not None and one.done():
                one.result()
    return wanted.result()


async def _ended(*tasks: asyncio.Task[object] | None) -> None:
    """Wait until tasks have ended, however they do."""
    running = [one for one in tasks if one is not None]
    if running:
        await asyncio.shield(asyncio.gather(*running, return_exceptions=True))
