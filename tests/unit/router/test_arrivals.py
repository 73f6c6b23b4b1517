"""What waits to be filed is bounded, and comes in batches."""

from __future__ import annotations

import asyncio

from sealyard_router.arrivals import Arrival, Inbox, Limits
from sealyard_router.delivery import Delivery
from sealyard_router.reading import Unreadable, read
from support.annotations import a_body, a_picture

LIMITS = Limits(
    bytes_in_flight=100, batch_bytes=60, batch_messages=3, few_messages=1, linger_seconds=0
)


def arrival(offset: int, size: int, lost: int = 0) -> Arrival:
    return Arrival(Delivery(offset, 0, bytes(size)), Unreadable("it is none"), lost)


async def offsets(inbox: Inbox) -> list[int]:
    return [one.delivery.offset for one in await inbox.batch()]


async def test_a_batch_has_no_more_messages_than_it_may() -> None:
    inbox = Inbox(LIMITS, 1000)
    for offset in range(4):
        await inbox.put(arrival(offset, 1))
    assert await offsets(inbox) == [0, 1, 2]
    assert await offsets(inbox) == [3]


async def test_a_batch_has_no_more_bytes_than_it_may_unless_one_message_has() -> None:
    inbox = Inbox(Limits(1000, 60, 10, 1, 0), 1000)
    for offset, size in enumerate([40, 40, 90, 10]):
        await inbox.put(arrival(offset, size))
    assert [await offsets(inbox) for _ in range(4)] == [[0], [1], [2], [3]]


async def test_few_wait_for_others_while_a_batch_is_being_filed() -> None:
    inbox = Inbox(Limits(1000, 60, 10, 2, 0), 1000)
    await inbox.put(arrival(0, 1))
    first = await inbox.batch()
    await inbox.put(arrival(1, 1))
    second = asyncio.create_task(inbox.batch())
    await asyncio.wait({second}, timeout=0.05)
    assert not second.done()
    await inbox.put(arrival(2, 1))
    assert [one.delivery.offset for one in await second] == [1, 2]
    await inbox.put(arrival(3, 1))
    third = asyncio.create_task(inbox.batch())
    await inbox.free(first)
    await asyncio.wait({third}, timeout=0.05)
    assert not third.done()
    await inbox.free(await second)
    assert [one.delivery.offset for one in await third] == [3]


async def test_what_comes_after_a_loss_begins_a_batch() -> None:
    inbox = Inbox(LIMITS, 1000)
    for offset, lost in [(0, 5), (1, 0), (9, 7)]:
        await inbox.put(arrival(offset, 1, lost))
    assert [await offsets(inbox) for _ in range(2)] == [[0, 1], [9]]


async def test_more_is_taken_only_once_there_is_room() -> None:
    inbox = Inbox(LIMITS, 1000)
    await inbox.put(arrival(0, 60))
    waiting = asyncio.create_task(inbox.put(arrival(1, 60)))
    batch = await inbox.batch()
    assert not waiting.done()
    await inbox.free(batch)
    await waiting
    assert await offsets(inbox) == [1]


async def test_messages_without_a_byte_are_bounded_too() -> None:
    inbox = Inbox(Limits(100, 60, 3, 0, messages_in_flight=4), 1000)
    for offset in range(4):
        await inbox.put(arrival(offset, 0))
    waiting = asyncio.create_task(inbox.put(arrival(4, 0)))
    batch = await inbox.batch()
    assert not waiting.done()
    await inbox.free(batch)
    await waiting
    assert await offsets(inbox) == [3, 4]


async def test_one_alone_may_have_more_than_all_together() -> None:
    inbox = Inbox(LIMITS, 1000)
    await inbox.put(arrival(0, 500))
    assert await offsets(inbox) == [0]


def test_a_picture_that_must_be_fetched_weighs_before_it_comes() -> None:
    body = a_body(picture=a_picture(sizeBytes=5000, uri="s3://pictures/a.jpg"))
    assert Arrival(Delivery(0, 0, body), read(body)).weight == len(body) + 5000
