from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.delivery.parts import Part, Parts
from sealyard.errors import IntegrityError, UnavailableError


class Store:
    """Takes parts, and gives each of them back at once unless it is told to keep them."""

    def __init__(
        self, size: int, part_bytes: int, *, at_once: int = 3, keeps: bool = False
    ) -> None:
        self.parts: dict[int, bytes] = {}
        self.kept: list[Part] = []
        self._keeps = keeps
        self.intake = Parts(size, part_bytes, at_once=at_once, hand_on=self.take)

    def take(self, part: Part) -> None:
        self.parts[part.number] = bytes(part.body)
        if self._keeps:
            self.kept.append(part)
        else:
            self.intake.give_back(part)


@given(data=st.data(), whole=st.binary(min_size=1, max_size=200), part_bytes=st.integers(1, 64))
def test_the_same_bytes_come_in_full_parts(
    data: st.DataObject, whole: bytes, part_bytes: int
) -> None:
    store = Store(len(whole), part_bytes, at_once=len(whole))
    cuts = data.draw(st.sets(st.integers(1, len(whole))).map(lambda cuts: sorted({0, *cuts})))
    pieces = list(zip(cuts, [*cuts[1:], len(whole)], strict=True))
    for start, end in data.draw(st.permutations(pieces)):
        store.intake.write(start, whole[start:end])
    store.intake.close()

    numbers = sorted(store.parts)
    assert numbers == list(range(1, len(numbers) + 1))
    assert b"".join(store.parts[number] for number in numbers) == whole
    assert all(len(store.parts[number]) == part_bytes for number in numbers[:-1])


def test_memory_is_used_again() -> None:
    store = Store(100, 10, at_once=1, keeps=True)
    buffers = set()
    for offset in range(0, 100, 10):
        store.intake.write(offset, bytes(10))
        if offset == 90:
            store.intake.close()
        (part,) = store.kept
        buffers.add(id(part.buffer))
        store.kept.clear()
        store.intake.give_back(part)
    assert len(buffers) == 1


def test_the_last_part_waits_for_the_end() -> None:
    store = Store(8, 4)
    store.intake.write(4, b"5678")
    store.intake.write(0, b"1234")
    assert store.parts == {1: b"1234"}
    store.intake.close()
    assert store.parts == {1: b"1234", 2: b"5678"}


@pytest.mark.parametrize("written", [b"", b"12345", b"123456789"])
def test_fewer_bytes_than_announced_are_refused(written: bytes) -> None:
    store = Store(10, 4)
    store.intake.write(0, written)
    with pytest.raises(IntegrityError, match="fewer than the 10 bytes"):
        store.intake.close()


def test_more_bytes_than_announced_are_refused() -> None:
    store = Store(10, 4)
    with pytest.raises(IntegrityError, match="more than the 10 bytes"):
        store.intake.write(8, b"123")


@pytest.mark.parametrize("ended_by", ["give back", "fail"])
def test_who_would_begin_one_part_too_many_waits(ended_by: str) -> None:
    store = Store(20, 4, at_once=2, keeps=True)
    store.intake.write(0, b"12345678")
    raised: list[BaseException] = []
    waits = threading.Event()

    def write() -> None:
        waits.set()
        try:
            store.intake.write(8, b"9")
        except UnavailableError as error:
            raised.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    assert waits.wait(30)
    if ended_by == "fail":
        store.intake.fail(UnavailableError("the store is down"))
        store.intake.fail(UnavailableError("and it still is"))
    else:
        store.intake.give_back(store.kept[0])
    writer.join(30)
    assert not writer.is_alive()
    assert [str(error) for error in raised] == (["the store is down"] if ended_by == "fail" else [])
