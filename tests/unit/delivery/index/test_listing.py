"""What the next index lists, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sealyard.api.index import (
    ListedChannel,
    ListedRelease,
    WithdrawnChannel,
    WithdrawnRelease,
)
from sealyard.delivery.index.listing import (
    Listed,
    are_targets_due,
    channel_file,
    is_due,
    is_over,
    next_channels,
    next_releases,
)
from support.index import wish

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PAST, FUTURE = "2026-11-25T12:00:00Z", "2026-11-25T12:00:01Z"
A, B = "aa" * 32, "bb" * 32
V1, V2 = "coins/1.0.0/manifest.json", "coins/2.0.0/manifest.json"
STABLE = "coins/channels/stable.json"


def release(version: str = "1.0.0", sha256: str = A, not_after: str | None = None) -> ListedRelease:
    return ListedRelease(
        model="coins", version=version, manifest_sha256=sha256, not_after=not_after
    )


def channel(version: str = "1.0.0", sha256: str = A) -> ListedChannel:
    return ListedChannel(model="coins", channel="stable", version=version, manifest_sha256=sha256)


def listed(sha256: str = A, not_after: str | None = None) -> Listed:
    return Listed(sha256, 100, not_after)


def names(version: str) -> Listed:
    return Listed(B, 90, version=version)


GONE = WithdrawnRelease(model="coins", version="1.0.0")


@pytest.mark.parametrize(
    ("current", "wanted", "kept", "unread"),
    [
        pytest.param({}, [], {}, [], id="nothing"),
        pytest.param({}, [release()], {}, [release()], id="a new one is to be read"),
        pytest.param({V1: listed()}, [release()], {V1: listed()}, [], id="listed already"),
        pytest.param({V1: listed()}, [], {V1: listed()}, [], id="what is not named stays"),
        pytest.param(
            {V1: listed()}, [release("2.0.0")], {V1: listed()}, [release("2.0.0")], id="one more"
        ),
        pytest.param({V1: listed()}, [GONE], {}, [], id="withdrawn"),
        pytest.param({V1: listed()}, [release(), GONE], {}, [], id="a withdrawal beats a wish"),
        pytest.param({}, [release(), GONE], {}, [], id="and is not read for it"),
        pytest.param(
            {V1: listed()},
            [release(not_after=FUTURE)],
            {V1: listed(not_after=FUTURE)},
            [],
            id="its time is shortened",
        ),
        pytest.param({V1: listed()}, [release(not_after=PAST)], {}, [], id="its time is over"),
        pytest.param({V1: listed(not_after=PAST)}, [], {}, [], id="over, though nobody names it"),
        pytest.param(
            {V1: listed(not_after=PAST)}, [release()], {V1: listed()}, [], id="its time is extended"
        ),
        pytest.param({}, [release(not_after=PAST)], {}, [], id="over before it was listed"),
        pytest.param({V1: listed()}, [release(sha256=B)], {}, [release(sha256=B)], id="another"),
        pytest.param({V1: listed(), STABLE: names("1.0.0")}, [], {V1: listed()}, [], id="channels"),
    ],
)
def test_releases(
    current: Mapping[str, Listed],
    wanted: list[Any],
    kept: Mapping[str, Listed],
    unread: list[ListedRelease],
) -> None:
    found = next_releases(current, wish(*wanted), NOW)
    assert (found.listed, list(found.unread)) == (kept, unread)


def test_what_could_be_read_is_listed_with_its_length() -> None:
    found = next_releases({}, wish(release(not_after=FUTURE), release("2.0.0")), NOW)
    assert found.read({V1: 123}) == {V1: Listed(A, 123, FUTURE)}


@pytest.mark.parametrize(
    ("current", "releases", "wanted", "expected"),
    [
        pytest.param({}, {V1: listed()}, [channel()], "1.0.0", id="new"),
        pytest.param({STABLE: names("1.0.0")}, {V1: listed()}, [], "1.0.0", id="not named: stays"),
        pytest.param(
            {STABLE: names("1.0.0")},
            {V1: listed(), V2: listed()},
            [channel("2.0.0")],
            "2.0.0",
            id="moves",
        ),
        pytest.param(
            {STABLE: names("1.0.0")},
            {V1: listed()},
            [channel("2.0.0")],
            "1.0.0",
            id="stays while its new release is not listed",
        ),
        pytest.param(
            {STABLE: names("1.0.0")},
            {V1: listed(), V2: listed(B)},
            [channel("2.0.0")],
            "1.0.0",
            id="stays while another manifest is listed",
        ),
        pytest.param(
            {STABLE: names("1.0.0")}, {V2: listed()}, [], None, id="goes with its release"
        ),
        pytest.param(
            {STABLE: names("1.0.0")},
            {V1: listed()},
            [WithdrawnChannel(model="coins", channel="stable")],
            None,
            id="withdrawn",
        ),
        pytest.param(
            {},
            {V1: listed()},
            [channel(), WithdrawnChannel(model="coins", channel="stable")],
            None,
            id="a withdrawal beats a wish",
        ),
    ],
)
def test_channels(
    current: Mapping[str, Listed],
    releases: Mapping[str, Listed],
    wanted: list[Any],
    expected: str | None,
) -> None:
    found = next_channels(current, releases, wish(*wanted))
    assert {path: one.version for path, one in found.items()} == (
        {STABLE: expected} if expected else {}
    )


def test_a_channel_file_has_one_spelling() -> None:
    assert channel_file(channel()) == (
        b'{"channel":"stable","manifestSha256":"' + A.encode() + b'","model":"coins",'
        b'"version":"1.0.0"}'
    )


@pytest.mark.parametrize(
    ("not_after", "over"),
    [(None, False), (FUTURE, False), (PAST, True), ("soon", True), ("2027-01-01", True)],
)
def test_is_over(not_after: str | None, over: bool) -> None:
    assert is_over(not_after, NOW) is over


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("left", "due"),
    [
        (10 * HOUR, False),
        (5 * HOUR, False),
        (5 * HOUR - timedelta(seconds=1), True),
        (timedelta(), True),
        (-HOUR, True),
        (11 * HOUR, True),
    ],
)
def test_signed_anew_at_half_of_the_lifetime_or_when_it_was_shortened(
    left: timedelta, due: bool
) -> None:
    assert is_due(NOW + left, 10 * HOUR, NOW) is due


@pytest.mark.parametrize(
    ("lifetime", "days", "due"),
    [
        (2, 90, False),
        (2, 31, False),
        (2, 30, True),
        (2, -1, True),
        (90, 90, False),
        (90, 75, False),
        (90, 74, True),
        (90, 45, True),
    ],
)
def test_targets_are_signed_anew_with_30_days_left_beyond_the_next_look(
    lifetime: int, days: int, due: bool
) -> None:
    left = timedelta(days=days)
    assert are_targets_due(NOW + left, timedelta(days=lifetime), NOW) is due
