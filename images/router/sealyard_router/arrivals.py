"""What has come and waits to be filed, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from sealyard_router.delivery import Delivery
from sealyard_router.reading import Message, Unreadable


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is in memory at once.

    Attributes:
        bytes_in_flight: of messages and pictures that came and are not filed; one message alone
            may have more.
        batch_bytes: of one batch, likewise.
        batch_messages: of one batch.
        few_messages: fewer wait for others while a batch is being filed.
        linger_seconds: how long the first message of a batch waits for others.
        messages_in_flight: that came and are not filed; a small one takes more memory than it has
            bytes.
    """

    bytes_in_flight: int = 64 << 20
    batch_bytes: int = 24 << 20
    batch_messages: int = 512
    few_messages: int = 16
    linger_seconds: float = 0.005
    messages_in_flight: int = 8192


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came.

    Attributes:
        delivery: as it came.
        reading: what it says.
        lost: how many offsets before it the broker no longer had.
    """

    delivery: Delivery
    reading: Message | Unreadable
    lost: int = 0

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory until it is filed, the picture that it names included."""
        weight = len(self.delivery.body)
        if isinstance(self.reading, Message):
            weight += len(self.reading.content)
            picture = self.reading.annotation.picture
            if picture is not None and picture.uri is not None and not self.reading.content:
                weight += picture.size_bytes
        return weight


class Inbox:
    """Between who reads the stream and who files.

    Args:
        limits: how much it takes.
        most: the most that one message is counted for; one that names a larger picture is refused.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self._limits = limits
        self._most = most
        self._waiting: deque[Arrival] = deque()
        self._waiting_bytes = 0
        self._used = 0
        self._count = 0
        self._batches = 0
        """That were given and are not freed."""
        self._changed = asyncio.Condition()

    async def put(self, arrival: Arrival) -> None:
        """Take a message, once there is room for it."""
        weight = self._counted(arrival)
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(weight))
            self._used += weight
            self._count += 1
            self._waiting_bytes += weight
            self._waiting.append(arrival)
            self._changed.notify_all()

    async def batch(self) -> list[Arrival]:
        """The next messages: at least one, as many as there are, and no more than a batch has.

        Messages before which some were lost begin a batch. Each batch costs an entry, so few
        messages wait for others until every batch before them is freed.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._are_several() or (self._waiting and not self._batches)
            )
        if not self._are_several():
            await asyncio.sleep(self._limits.linger_seconds)
        batch: list[Arrival] = []
        size = 0
        while self._waiting and len(batch) < self._limits.batch_messages:
            following = self._waiting[0]
            weight = self._counted(following)
            if batch and (following.lost or size + weight > self._limits.batch_bytes):
                break
            size += weight
            batch.append(self._waiting.popleft())
        self._waiting_bytes -= size
        self._batches += 1
        return batch

    async def free(self, batch: list[Arrival]) -> None:
        """A batch is filed, and its memory given back."""
        async with self._changed:
            self._used -= sum(map(self._counted, batch))
            self._count -= len(batch)
            self._batches -= 1
            self._changed.notify_all()

    def _has_room(self, weight: int) -> bool:
        if self._count >= self._limits.messages_in_flight:
            return False
        return not self._used or self._used + weight <= self._limits.bytes_in_flight

    def _counted(self, arrival: Arrival) -> int:
        return min(arrival.weight, self._most)

    def _are_several(self) -> bool:
        return (
            len(self._waiting) >= self._limits.few_messages
            or self._waiting_bytes >= self._limits.batch_bytes
        )
