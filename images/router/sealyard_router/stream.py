"""RabbitMQ's stream as a `Source`.

The broker keeps no offset of ours, and sends a chunk for each credit that it has: one is given back
once what came with the last was taken, so that never more than `CREDITS` chunks are in memory,
however slow the filing is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from rstream import schema
from rstream.constants import OffsetType

from sealyard.annotations.amqp import unwrap
from sealyard.annotations.broker import (
    HEARTBEAT_SECONDS,
    MESSAGE_BYTES,
    Address,
    Connection,
    Pushed,
)
from sealyard.annotations.chunk import Chunk, Withheld
from sealyard.delivery.secrets import Pair
from sealyard.errors import UnavailableError
from sealyard_router.continuity import Place, check_continuity
from sealyard_router.delivery import Delivery

CREDITS: Final = 4
"""Some that are filed while others are on their way: a chunk may have few messages."""
PROBE_SECONDS: Final = 3.0
"""How long it is waited for a chunk of a stream, at least: of an empty one there is none."""
_IDLE_SECONDS: Final = 1.0
_MAIN: Final = 0
_PROBE: Final = 1


class RabbitmqSource:
    """A stream of one broker.

    Args:
        address: the broker.
        stream: the stream's name.
        login: gives name and password, read anew whenever it is opened.
        heartbeat_seconds: twice as long without a word, and the connection is given up.
        most_bytes: of a message; of a larger one only the begin is in memory.
    """

    def __init__(
        self,
        address: Address,
        stream: str,
        login: Callable[[], Pair],
        *,
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
        most_bytes: int = MESSAGE_BYTES,
    ) -> None:
        self._address = address
        self._stream = stream
        self._login = login
        self._heartbeat_seconds = heartbeat_seconds
        self._most_bytes = most_bytes
        self._connection: Connection | None = None
        self._came: asyncio.Queue[Chunk | UnavailableError] = asyncio.Queue()
        self._probed: asyncio.Future[Chunk] | None = None
        self._probing = asyncio.Lock()
        self._position = 0
        self._end: int | None = None
        self._idle_since: float | None = None

    async def open(self, place: Place) -> None:
        """See `Source`."""
        await self.close()
        self._came = asyncio.Queue()
        self._position = place.offset
        self._end = self._idle_since = None
        self._connection = await Connection.open(
            self._address,
            self._login(),
            on_push=self._take,
            on_loss=self._lose,
            heartbeat_seconds=self._heartbeat_seconds,
            most_bytes=self._most_bytes,
        )
        try:
            if place.offset > 0:
                chunk = await self._probe(_at(place.offset - 1))
                chunk = chunk or await self._probe(schema.OffsetSpec(OffsetType.LAST))
                check_continuity(place, chunk, self._about)
            await self._subscribe(_MAIN, _at(place.offset), CREDITS)
        except BaseException:
            await self.close()
            raise

    async def deliveries(self) -> AsyncIterator[list[Delivery]]:
        """What comes, chunk by chunk; see `Source`."""
        while True:
            connection = self._opened()
            if self._came.empty():
                self._idle_since = asyncio.get_running_loop().time()
            came = await self._came.get()
            self._idle_since = None
            if isinstance(came, UnavailableError):
                await self.close()
                raise came
            self._end = came.end
            batch = [
                _delivery(came, offset, body)
                for offset, body in came.records
                if offset >= self._position
            ]
            if batch:
                yield batch
            await connection.send(schema.Credit(_MAIN, 1))

    async def first_offset(self) -> int | None:
        """See `Source`."""
        chunk = await self._probe(schema.OffsetSpec(OffsetType.FIRST))
        return chunk.first if chunk else None

    async def last_offset(self) -> int | None:
        """See `Source`."""
        now = asyncio.get_running_loop().time()
        if (
            self._end is not None
            and self._idle_since is not None
            and now - self._idle_since > _IDLE_SECONDS
        ):
            # Whatever there was has come: the broker has credit, and sends nothing.
            return self._end - 1
        chunk = await self._probe(schema.OffsetSpec(OffsetType.LAST))
        return chunk.end - 1 if chunk else None

    async def close(self) -> None:
        """See `Source`; takes a few seconds at most."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _probe(self, begin: schema.OffsetSpec) -> Chunk | None:
        """The chunk at some place of the stream; None where there is none."""
        async with self._probing:
            connection = self._opened()
            probed = self._probed = asyncio.get_running_loop().create_future()
            try:
                await self._subscribe(_PROBE, begin, 1)
                await asyncio.wait([probed], timeout=PROBE_SECONDS)
                # What a slow broker has begun to send comes before this answer.
                await connection.request(
                    lambda number: schema.Unsubscribe(number, _PROBE),
                    schema.UnsubscribeResponse,
                    about=self._about,
                )
                return await probed if probed.done() else None
            finally:
                self._probed = None

    async def _subscribe(self, number: int, begin: schema.OffsetSpec, credit: int) -> None:
        await self._opened().request(
            lambda correlation: schema.Subscribe(
                correlation, number, self._stream, begin, credit, properties=[]
            ),
            schema.SubscribeResponse,
            about=self._about,
        )

    def _take(self, pushed: Pushed) -> None:
        if not isinstance(pushed, Chunk):
            return
        if pushed.subscription == _MAIN:
            self._came.put_nowait(pushed)
        elif self._probed is not None and not self._probed.done():
            self._probed.set_result(pushed)

    def _lose(self, error: UnavailableError) -> None:
        self._came.put_nowait(error)
        if self._probed is not None and not self._probed.done():
            self._probed.set_exception(error)
            self._probed.exception()  # nobody may wait for it any more, and asyncio would log that

    @property
    def _about(self) -> str:
        return f"stream {self._stream}"

    def _opened(self) -> Connection:
        if self._connection is None:
            raise UnavailableError(f"{self._address}: the connection is closed")
        return self._connection


def _at(offset: int) -> schema.OffsetSpec:
    return schema.OffsetSpecOffset(OffsetType.OFFSET, offset)


def _delivery(chunk: Chunk, offset: int, body: bytes | Withheld) -> Delivery:
    if isinstance(body, Withheld):
        return Delivery(offset, chunk.time_ms, body.begin, fault=body.reason)
    inside = unwrap(body)
    return Delivery(offset, chunk.time_ms, inside.data, inside.user_id)
