"""Changes are collected: whoever looks goes by what was known when the target last looked."""

from __future__ import annotations

import pytest

from sealyard.controller.followers import COLLECT_SECONDS, Followers
from sealyard.controller.resources import Key
from support.builders import NOW
from support.controller import TARGET, FakeTimers
from support.fleet_builders import (
    a_channel,
    a_device,
)


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


@pytest.fixture
def followers(timers: FakeTimers) -> Followers:
    found = Followers(timers.time)
    put(found, 1)
    return found


def put(followers: Followers, number: int, **spec: object) -> bool:
    device = a_device(number)
    for field, value in spec.items():
        device = device.with_spec(field, value)
    return followers.put(TARGET, Key("Device", "ns", f"device-{number}"), device.entry())


def count(followers: Followers) -> int:
    return len(followers.roster(TARGET).devices)


def test_the_first_look_has_everything(followers: Followers) -> None:
    put(followers, 2)
    assert followers.settles_in(TARGET) is None
    assert count(followers) == 2


def test_changes_are_collected(followers: Followers, timers: FakeTimers) -> None:
    assert count(followers) == 1
    assert followers.settles_in(TARGET) is None
    assert put(followers, 2)
    timers.advance(COLLECT_SECONDS / 2)
    assert put(followers, 3)
    assert count(followers) == 1
    assert followers.settles_in(TARGET) == COLLECT_SECONDS / 2, "since the first change"
    timers.advance(COLLECT_SECONDS)
    assert followers.settles_in(TARGET) == 0
    followers.renew(TARGET, [])
    assert followers.settles_in(TARGET) is None
    assert count(followers) == 3


def test_what_is_the_same_is_no_change(followers: Followers) -> None:
    roster = followers.roster(TARGET)
    assert not put(followers, 1)
    assert followers.settles_in(TARGET) is None
    assert followers.roster(TARGET) is roster
    assert put(followers, 1, suspend=True)
    assert followers.roster(TARGET) is roster, "until it is renewed"


def test_a_document_that_a_job_was_given_is_remembered(followers: Followers) -> None:
    document = followers.roster(TARGET).at(NOW).grants
    put(followers, 2)
    followers.renew(TARGET, [document.digest[:16]])
    assert followers.roster(TARGET).grants(document.digest, NOW) is document
    put(followers, 3)
    followers.renew(TARGET, [])
    assert followers.roster(TARGET).grants(document.digest, NOW) is None


def test_who_does_not_follow_any_more_is_forgotten(followers: Followers) -> None:
    key = Key("Device", "ns", "device-1")
    assert followers.put(TARGET, key, None)
    assert not followers.put(TARGET, key, None)
    assert len(followers) == 0
    assert count(followers) == 0
    assert followers.settles_in(TARGET) is None


def test_channels_are_known_as_they_are_now(followers: Followers) -> None:
    assert count(followers) == 1
    key, entry = Key("ReleaseChannel", "ns", "stable"), a_channel().entry()
    followers.put(TARGET, key, entry)
    assert followers.channels(TARGET) == {key: entry}
    assert followers.channels(Key("ReleaseTarget", "ns", "other")) == {}


def test_many_changes_are_one_document_however_many_look_in_between(
    followers: Followers, timers: FakeTimers
) -> None:
    first = a_device(1).entry().device_id
    documents = set()
    for number in range(2, 202):
        put(followers, number)
        document = followers.roster(TARGET).at(NOW).grants
        assert document.share(first)
        documents.add(id(document))
    assert len(documents) == 1
    timers.advance(COLLECT_SECONDS)
    followers.renew(TARGET, [])
    assert count(followers) == 201
