from __future__ import annotations

import pytest

from sealyard_release_api.limits import AttemptLimiter, LoginGuard


def test_so_many_at_once_and_then_one_by_one() -> None:
    limiter = AttemptLimiter(3, 30)
    assert [limiter.take("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.take("a", 0.0) == pytest.approx(10)
    assert limiter.take("a", 6.0) == pytest.approx(4)
    assert limiter.take("a", 10.0) == 0
    assert limiter.take("a", 10.0) == pytest.approx(10)
    assert limiter.take("b", 10.0) == 0


def test_waiting_long_saves_up_no_more_than_at_first() -> None:
    limiter = AttemptLimiter(2, 20)
    assert [limiter.take("a", 1e6) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limiter = AttemptLimiter(1, 10)
    assert limiter.take("a", 100.0) == 0
    assert limiter.take("a", 0.0) == pytest.approx(10)


def test_what_was_no_guess_is_given_back() -> None:
    limiter = AttemptLimiter(1, 10)
    for _ in range(5):
        assert limiter.take("a", 0.0) == 0
        limiter.give_back("a")
    limiter.give_back("a")
    assert [limiter.take("a", 0.0) > 0 for _ in range(2)] == [False, True]


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    limiter = AttemptLimiter(1, 10, max_keys=2)
    for key in ("a", "b", "c"):
        assert limiter.take(key, 0.0) == 0
    assert limiter.take("c", 0.0) > 0
    assert limiter.take("a", 0.0) == 0


def guard(*, account: int = 2, address: int = 4) -> LoginGuard:
    return LoginGuard(account_attempts=account, address_attempts=address, window_seconds=60)


def test_one_account_is_bounded_from_however_many_addresses() -> None:
    logins = guard()
    waits = [logins.admit("a", f"192.0.2.{n}", 0.0) for n in range(4)]
    assert [wait > 0 for wait in waits] == [False, False, True, True]


def test_one_address_is_bounded_for_however_many_accounts() -> None:
    logins = guard()
    waits = [logins.admit(f"a{n}", "192.0.2.1", 0.0) for n in range(6)]
    assert [wait > 0 for wait in waits] == [False] * 4 + [True] * 2


def test_an_account_that_is_locked_costs_its_address_nothing() -> None:
    logins = guard()
    for _ in range(10):
        logins.admit("a", "192.0.2.1", 0.0)
    assert logins.admit("b", "192.0.2.1", 0.0) == 0


def test_right_passwords_are_not_counted() -> None:
    logins = guard()
    for _ in range(20):
        assert logins.admit("a", "192.0.2.1", 0.0) == 0
        logins.forgive("a", "192.0.2.1")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_an_ipv6_network_is_one_address(first: str, second: str, same: bool) -> None:
    logins = guard(account=100, address=1)
    assert logins.admit("a", first, 0.0) == 0
    assert (logins.admit("b", second, 0.0) > 0) is same
