from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.controller.workqueue import ShutDown, WorkQueue
from support.controller import FakeTimers


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


@pytest.fixture
def queue(timers: FakeTimers) -> Iterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue(timers, base_delay=1.0, max_delay=8.0)
    yield queue
    queue.close()


async def taken(queue: WorkQueue[str]) -> list[str]:
    """Everything that is ready, taken and done."""
    keys = []
    while len(queue):
        key = await queue.get()
        keys.append(key)
        queue.done(key)
    return keys


async def test_first_come_first_served_and_each_once(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)
    assert await taken(queue) == ["a", "b", "c"]


async def test_a_key_added_while_worked_on_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0, "two workers never have the same key"
    queue.done(key)
    assert await taken(queue) == ["a"]


async def test_a_delayed_key_waits(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add_after("a", 5)
    assert len(queue) == 0
    timers.advance(4.9)
    assert len(queue) == 0
    timers.advance(0.2)
    assert await taken(queue) == ["a"]


@pytest.mark.parametrize(("delays", "due"), [((5, 9), 5), ((9, 5), 5), ((5, 5), 5)])
async def test_of_several_delays_the_earliest_wins(
    queue: WorkQueue[str], timers: FakeTimers, delays: tuple[float, float], due: float
) -> None:
    for delay in delays:
        queue.add_after("a", delay)
    timers.advance(due - 0.1)
    assert len(queue) == 0
    timers.advance(0.1)
    assert await taken(queue) == ["a"]
    timers.advance(20)
    assert len(queue) == 0, "the later time is void"


async def test_adding_now_voids_the_later_time(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add_after("a", 5)
    queue.add("a")
    assert await taken(queue) == ["a"]
    timers.advance(10)
    assert len(queue) == 0


async def test_a_delayed_key_that_is_being_worked_on_comes_when_due(
    queue: WorkQueue[str], timers: FakeTimers
) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add_after("a", 5)
    queue.done(key)
    assert len(queue) == 0
    timers.advance(5)
    assert await taken(queue) == ["a"]


async def test_retries_double_up_to_the_limit_until_forgotten(queue: WorkQueue[str]) -> None:
    assert [queue.retry("a") for _ in range(5)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert queue.retry("b") == 1.0, "each key has its own"
    queue.forget("a")
    assert queue.retry("a") == 1.0


async def test_getters_are_woken_one_per_key(queue: WorkQueue[str]) -> None:
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("b")
    done, pending = await asyncio.wait(getters, timeout=0.05)
    assert {task.result() for task in done} == {"a", "b"}
    assert len(pending) == 1
    queue.close()
    with pytest.raises(ShutDown):
        await pending.pop()


async def test_a_cancelled_getter_passes_its_wake_up_on(queue: WorkQueue[str]) -> None:
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"
    assert first.cancelled() or first.done()


async def test_a_closed_queue_hands_out_nothing(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add("a")
    queue.add_after("b", 1)
    queue.close()
    with pytest.raises(ShutDown):
        await queue.get()
    timers.advance(5)
    queue.add("c")
    with pytest.raises(ShutDown):
        await queue.get()


async def test_the_oldest_age_counts_waiting_and_worked_on(
    queue: WorkQueue[str], timers: FakeTimers
) -> None:
    assert queue.oldest_age() == 0.0
    queue.add("a")
    timers.advance(3)
    queue.add("b")
    assert queue.oldest_age() == 3.0
    key = await queue.get()
    timers.advance(2)
    assert queue.oldest_age() == 2.0, "a: worked on for 2 s; b: waiting for 2 s"
    queue.done(key)
    timers.advance(1)
    assert queue.oldest_age() == 3.0
    assert await taken(queue) == ["b"]
    assert queue.oldest_age() == 0.0


async def test_a_delayed_key_is_not_late(queue: WorkQueue[str], timers: FakeTimers) -> None:
    queue.add_after("a", 600)
    timers.advance(599)
    assert queue.oldest_age() == 0.0


@given(st.lists(st.tuples(st.sampled_from(["add", "after", "take", "turn"]), st.integers(0, 3))))
def test_no_key_is_ever_lost_or_doubled(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        timers = FakeTimers()
        queue: WorkQueue[int] = WorkQueue(timers)
        wanted: set[int] = set()
        active: list[int] = []
        for step, number in steps:
            if step == "add":
                queue.add(number)
                wanted.add(number)
            elif step == "after":
                queue.add_after(number, float(number))
                wanted.add(number)
            elif step == "turn":
                timers.advance(1.0)
            elif len(queue):
                key = await queue.get()
                assert key not in active
                wanted.discard(key)
                active.append(key)
            elif active:
                queue.done(active.pop())
        while active:
            queue.done(active.pop())
        timers.advance(10.0)
        left = set()
        while len(queue):
            key = await queue.get()
            left.add(key)
            queue.done(key)
        assert wanted <= left

    asyncio.run(play())
