from __future__ import annotations

import threading

import pytest

from sealyard.delivery.threads import AHEAD, in_threads


@pytest.mark.parametrize("count", [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 50])
def test_results_come_in_order(count: int) -> None:
    assert list(in_threads(lambda index: index * index, count)) == [i * i for i in range(count)]


def test_no_more_than_so_many_are_begun_before_the_first_is_taken() -> None:
    begun: list[int] = []
    results = in_threads(lambda index: begun.append(index) or index, 50)
    for taken in range(10):
        assert next(results) == taken
        assert max(begun) < taken + AHEAD + 1
    results.close()
    assert max(begun) <= 10 + AHEAD


def test_the_first_error_ends_it_in_its_turn() -> None:
    def work(index: int) -> int:
        if index >= 3:
            raise ValueError(str(index))
        return index

    taken: list[int] = []
    with pytest.raises(ValueError, match=r"^3$"):
        taken.extend(in_threads(work, 50))
    assert taken == [0, 1, 2]


def test_no_thread_is_left() -> None:
    results = in_threads(lambda _index: threading.current_thread(), 50)
    worker = next(results)
    assert worker.is_alive()
    results.close()
    assert not worker.is_alive()


def test_one_worker_does_them_one_after_the_other() -> None:
    done: list[int] = []

    def work(index: int) -> int:
        assert done == list(range(index))
        done.append(index)
        return threading.get_ident()

    assert len(set(in_threads(work, 50, workers=1))) == 1
