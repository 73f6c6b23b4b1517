from __future__ import annotations

import pytest

from sealyard.delivery.retry import Retry, TransientError
from sealyard.errors import UnavailableError


class Flaky:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def test_a_failure_that_passes_is_tried_again() -> None:
    slept: list[float] = []
    action = Flaky(TransientError("a"), TransientError("b"))

    assert Retry(attempts=3, first_pause_seconds=1, sleep=slept.append).call(action) == "done"
    assert 0.5 <= slept[0] <= 1.5
    assert 1 <= slept[1] <= 3


def test_the_last_failure_is_raised() -> None:
    action = Flaky(*(TransientError(str(number)) for number in range(5)))

    with pytest.raises(UnavailableError, match=r"^2$"):
        Retry(attempts=3, sleep=lambda _seconds: None).call(action)
    assert action.calls == 3


def test_what_no_retry_mends_is_not_tried_again() -> None:
    action = Flaky(UnavailableError("its certificate has expired"))

    with pytest.raises(UnavailableError):
        Retry(sleep=lambda _seconds: None).call(action)
    assert action.calls == 1


def test_a_remote_that_asks_for_patience_gets_it() -> None:
    slept: list[float] = []
    action = Flaky(TransientError("busy", wait_seconds=7))

    assert Retry(sleep=slept.append).call(action) == "done"
    assert slept == [7]


def test_a_remote_that_asks_for_too_much_is_unavailable() -> None:
    action = Flaky(TransientError("busy", wait_seconds=3600))

    with pytest.raises(UnavailableError):
        Retry(sleep=lambda _seconds: None).call(action)
    assert action.calls == 1
