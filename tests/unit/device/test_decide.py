"""The updater's decisions, as a table."""

from __future__ import annotations

from typing import Literal

import pytest

from sealyard.api.device_api import Health
from sealyard.device.updater.backoff import LONGEST_SECONDS, pause_seconds
from sealyard.device.updater.decide import (
    BAD_MAX,
    Action,
    Choice,
    Event,
    Keep,
    Memory,
    Prove,
    Switch,
    Withdraw,
    decide,
    health_of,
    instead,
    judged,
    switched,
    told,
    withdrawn,
)


def choice(digit: str) -> Choice:
    return Choice(version=f"{digit}.0.0", manifest_sha256=digit * 64)


ONE, TWO, THREE = choice("1"), choice("2"), choice("3")
ALL = ("1", "2", "3")


def digests(digits: tuple[str, ...]) -> frozenset[str]:
    return frozenset(digit * 64 for digit in digits)


def memory(
    current: Choice | None = None,
    previous: Choice | None = None,
    *,
    proven: bool = True,
    bad: tuple[str, ...] = (),
    owed: Literal[Event.ROLLED_BACK, Event.WITHDRAWN] | None = None,
) -> Memory:
    digests = [digit * 64 for digit in bad]
    return Memory(current=current, previous=previous, proven=proven, bad=digests, owed=owed)


@pytest.mark.parametrize(
    ("remembered", "named", "listed", "action"),
    [
        pytest.param(memory(), ONE, ALL, Switch(to=ONE), id="the first"),
        pytest.param(memory(), None, ALL, Keep(), id="nothing named, nothing runs"),
        pytest.param(memory(ONE), ONE, ALL, Keep(), id="as it should be"),
        pytest.param(memory(ONE), TWO, ALL, Switch(to=TWO), id="a newer one"),
        pytest.param(memory(TWO, ONE), ONE, ALL, Switch(to=ONE), id="the channel goes back"),
        pytest.param(memory(ONE, proven=False), ONE, ALL, Prove(), id="killed before the hook"),
        pytest.param(
            memory(ONE, proven=False), TWO, ALL, Switch(to=TWO), id="moved on before the hook"
        ),
        pytest.param(
            memory(ONE, bad=("2",)), TWO, ALL, Keep(), id="a bad one is never tried again"
        ),
        pytest.param(
            memory(ONE, bad=("2",)), THREE, ALL, Switch(to=THREE), id="the one after a bad one"
        ),
        pytest.param(memory(ONE), None, ALL, Keep(), id="the channel is gone, the release is not"),
        pytest.param(memory(ONE), None, (), Withdraw(), id="revoked, and nothing in its place"),
        pytest.param(memory(ONE), TWO, ("2",), Switch(to=TWO), id="revoked, and replaced"),
        pytest.param(
            memory(TWO, ONE), None, ("1",), Switch(to=ONE), id="revoked: the one before is listed"
        ),
        pytest.param(
            memory(THREE, ONE, bad=("2",)),
            TWO,
            ("1", "2"),
            Switch(to=ONE),
            id="revoked, and the one in its place is bad",
        ),
        pytest.param(
            memory(TWO, bad=("1",)),
            ONE,
            ("1",),
            Withdraw(),
            id="revoked, and only a bad one is left",
        ),
        pytest.param(
            memory(TWO, ONE, bad=("1",)), None, ("1",), Withdraw(), id="the one before was bad"
        ),
        pytest.param(
            memory(TWO, ONE, proven=False), None, (), Withdraw(), id="revoked before the hook"
        ),
    ],
)
def test_decisions(
    remembered: Memory, named: Choice | None, listed: tuple[str, ...], action: Action
) -> None:
    assert decide(remembered, named, digests(listed)) == action


@pytest.mark.parametrize(
    ("remembered", "failed", "listed", "action"),
    [
        pytest.param(memory(), ONE, ALL, Keep(), id="nothing runs"),
        pytest.param(memory(ONE), TWO, ALL, Keep(), id="what is listed goes on"),
        pytest.param(memory(ONE, proven=False), None, ALL, Keep(), id="and is proven later"),
        pytest.param(memory(ONE), TWO, ("2",), Withdraw(), id="revoked, its successor fails"),
        pytest.param(memory(ONE), None, ("2",), Withdraw(), id="revoked, its successor is unknown"),
        pytest.param(
            memory(TWO, ONE), THREE, ("1", "3"), Switch(to=ONE), id="the one before is listed"
        ),
        pytest.param(memory(TWO, ONE), ONE, ("1",), Withdraw(), id="the one before fails too"),
        pytest.param(memory(TWO, ONE), THREE, ("3",), Withdraw(), id="both are revoked"),
        pytest.param(
            memory(TWO, ONE, bad=("1",)), THREE, ("1", "3"), Withdraw(), id="the one before is bad"
        ),
    ],
)
def test_what_is_done_where_a_switch_fails(
    remembered: Memory, failed: Choice | None, listed: tuple[str, ...], action: Action
) -> None:
    assert instead(remembered, failed, digests(listed)) == action


@pytest.mark.parametrize(
    ("before", "to", "after"),
    [
        (memory(), ONE, memory(ONE, proven=False)),
        (memory(ONE), TWO, memory(TWO, ONE, proven=False)),
        (memory(TWO, ONE), THREE, memory(THREE, TWO, proven=False)),
        # What nobody has proven is nothing to come back to.
        (memory(TWO, ONE, proven=False), THREE, memory(THREE, ONE, proven=False)),
        (memory(TWO, ONE, proven=False), ONE, memory(ONE, proven=False)),
        # A hook that hears of the new one need not hear of what was before.
        (memory(owed=Event.WITHDRAWN), ONE, memory(ONE, proven=False)),
    ],
)
def test_switching(before: Memory, to: Choice, after: Memory) -> None:
    assert switched(before, to) == after


@pytest.mark.parametrize(
    ("healthy", "listed", "after"),
    [
        (True, ALL, memory(TWO, ONE)),
        (False, ALL, memory(ONE, bad=("2",), owed=Event.ROLLED_BACK)),
        (False, ("2",), memory(None, bad=("2",), owed=Event.ROLLED_BACK)),
    ],
)
def test_judging(healthy: bool, listed: tuple[str, ...], after: Memory) -> None:
    before = memory(TWO, ONE, proven=False)
    assert judged(before, healthy=healthy, listed=digests(listed)) == after


def test_a_first_release_that_is_bad_leaves_nothing() -> None:
    after = judged(memory(ONE, proven=False), healthy=False, listed=digests(ALL))
    assert after == memory(None, bad=("1",), owed=Event.ROLLED_BACK)
    assert decide(after, ONE, digests(ALL)) == Keep()


def test_withdrawing_forgets_what_ran_and_not_what_was_bad() -> None:
    after = memory(bad=("3",), owed=Event.WITHDRAWN)
    assert withdrawn(memory(TWO, ONE, proven=False, bad=("3",))) == after


def test_what_is_owed_is_owed_until_the_hook_has_heard_it() -> None:
    owing = memory(ONE, bad=("2",), owed=Event.ROLLED_BACK)
    assert told(owing, heard=False) == owing
    assert told(owing, heard=True) == memory(ONE, bad=("2",))
    assert withdrawn(owing).owed == Event.WITHDRAWN


def test_what_is_bad_is_bounded_and_the_latest_stays() -> None:
    full = Memory(current=ONE, proven=False, bad=[f"{n:064x}" for n in range(BAD_MAX)])
    after = judged(full, healthy=False, listed=frozenset())
    assert len(after.bad) == BAD_MAX
    assert after.bad[-1] == ONE.manifest_sha256


@pytest.mark.parametrize(
    ("remembered", "named", "asked", "health"),
    [
        (memory(ONE), ONE, True, Health.HEALTHY),
        (memory(ONE), ONE, False, Health.UNKNOWN),
        (memory(ONE, proven=False), ONE, True, Health.UNKNOWN),
        (memory(ONE, bad=("2",)), TWO, True, Health.ROLLED_BACK),
        (memory(ONE, bad=("2",)), None, True, Health.HEALTHY),
        (memory(None), None, True, Health.STOPPED),
        (memory(None, bad=("2",)), TWO, True, Health.STOPPED),
        (memory(None, owed=Event.WITHDRAWN), None, False, Health.STOPPED),
    ],
)
def test_what_is_reported(
    remembered: Memory, named: Choice | None, asked: bool, health: Health
) -> None:
    assert health_of(remembered, named, asked=asked) == health


@pytest.mark.parametrize(
    ("interval", "failures", "middle"),
    [
        (300, 0, 300),
        (300, 1, 10),
        (300, 2, 20),
        (300, 5, 160),
        (300, 50, LONGEST_SECONDS),
        (7200, 50, 7200),
    ],
)
def test_pauses(interval: float, failures: int, middle: float) -> None:
    assert pause_seconds(interval, failures, 0.5) == middle
    assert pause_seconds(interval, failures, 0.0) == middle * 0.75
    assert pause_seconds(interval, failures, 1.0) == middle * 1.25
