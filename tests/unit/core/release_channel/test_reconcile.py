"""How a channel stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.core.observed import ReleaseChannelObserved
from sealyard.core.plan import Plan
from sealyard.core.release_channel import reconcile
from sealyard.core.roster import Naming, TargetEntry
from support.builders import (
    NOW,
    SETTINGS,
    says,
)
from support.fleet_builders import (
    ChannelBuilder,
    a_channel,
    named,
)

TRUSTED = TargetEntry(has_trust=True, index_digest=None, grants_digest=None)
UNTRUSTED = replace(TRUSTED, has_trust=False)
NOTHING = Naming(is_valid=True)
NEW = Naming(is_valid=True, now=named("1.2.0"))


def look(
    channel: ChannelBuilder,
    naming: Naming = NEW,
    listed: str | None = None,
    target: TargetEntry | None = TRUSTED,
    owner: str | None = None,
    *,
    withdrawn: tuple[str, ...] = (),
) -> Plan:
    observed = ReleaseChannelObserved(
        channel.build(),
        target,
        owner,
        naming,
        named(listed) if listed else None,
        frozenset(withdrawn),
        devices=3,
    )
    return reconcile(observed, SETTINGS, NOW)


CASES: dict[str, tuple[Plan, str, str, str]] = {
    "an invalid range": (
        look(a_channel("latest"), Naming(is_valid=False), "1.0.0"),
        "FFT",
        "InvalidSpec",
        (
            "spec.version: latest is neither a version nor a range: use 1.2.3, ^1.2, >=1.2 <2; "
            "until then the index stays as it is"
        ),
    ),
    "taken": (
        look(a_channel(), owner="older"),
        "FFT",
        "ChannelTaken",
        (
            "channel stable of coins for target stores belongs to the older ReleaseChannel older: "
            "delete one of them"
        ),
    ),
    "no target": (
        look(a_channel(), target=None),
        "FTF",
        "TargetMissing",
        (
            "ReleaseTarget stores (spec.targetRef.name) does not exist in namespace coins: create "
            "it, and the channel goes on"
        ),
    ),
    "no trust": (
        look(a_channel(), target=UNTRUSTED),
        "FTF",
        "TrustMissing",
        (
            "ReleaseTarget stores has no spec.trust, and so no index that lists channels: give it "
            "one, and the channel goes on"
        ),
    ),
    "no match": (
        look(a_channel("^9"), NOTHING),
        "FTF",
        "NoMatch",
        (
            "no release of coins that is verified and neither revoked nor expired fits ^9: release "
            "one, or change spec.version"
        ),
    ),
    "new": (
        look(a_channel()),
        "FTF",
        "Indexing",
        (
            "waiting for a signed index of ReleaseTarget stores that names 1.2.0; grants for "
            "devices come first"
        ),
    ),
    "moving": (
        look(a_channel(), NEW, "1.1.0"),
        "FTF",
        "Indexing",
        (
            "waiting for a signed index of ReleaseTarget stores that names 1.2.0; grants for "
            "devices come first"
        ),
    ),
    "current": (
        look(a_channel(), NEW, "1.2.0"),
        "TFF",
        "Current",
        "the signed index names 1.2.0: devices get it",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said(case: str) -> None:
    plan, letters, reason, message = CASES[case]
    assert says(plan)[1:] == (letters, reason, message)
    assert plan.create == ()


def test_a_life() -> None:
    channel = a_channel()
    first = look(channel)
    assert first.status["wanted"] == "1.2.0"
    assert (first.status["listed"], first.status["devices"]) == (None, 3)
    channel = channel.after(first)
    listed = look(channel, NEW, "1.2.0")
    assert [event.reason for event in listed.events] == ["Current"]
    channel = channel.after(listed)
    assert look(channel, NEW, "1.2.0").events == ()
    # It moves, and keeps in mind what it named before, for as long as it names the next.
    newer = Naming(is_valid=True, now=named("1.3.0"))
    channel = channel.after(look(channel, newer, "1.2.0"))
    assert channel.build().status.previous is None
    channel = channel.after(look(channel, newer, "1.3.0"))
    status = channel.build().status
    assert (status.wanted, status.listed, status.previous) == (
        "1.3.0",
        named("1.3.0"),
        named("1.2.0"),
    )
    channel = channel.after(look(channel, newer, "1.3.0"))
    assert channel.build().status.previous == named("1.2.0")
    # Back again, by a commit.
    older = Naming(is_valid=True, now=named("1.2.0"), last=named("1.3.0"))
    channel = channel.after(look(channel, older, "1.3.0"))
    channel = channel.after(look(channel, older, "1.2.0"))
    assert channel.build().status.previous == named("1.3.0")
    # Nothing fits any more, and the index says so.
    channel = channel.after(look(channel, NOTHING, None))
    status = channel.build().status
    assert (status.wanted, status.listed, status.previous) == (None, None, named("1.2.0"))


def test_what_nobody_should_get_is_forgotten() -> None:
    channel = a_channel().listing("1.2.0", "1.1.0")
    newer = Naming(is_valid=True, now=named("1.3.0"))
    for plan in (
        look(channel, NEW, "1.2.0", withdrawn=("1.1.0",)),
        look(channel, replace(NEW, over=frozenset({"1.1.0"})), "1.2.0"),
    ):
        status = channel.after(plan).build().status
        assert (status.listed, status.previous) == (named("1.2.0"), None)
    # An index that only takes the release out leaves the channel as it is, until it may move.
    for listed in ("1.2.0", "1.3.0"):
        status = channel.after(look(channel, newer, listed, withdrawn=("1.2.0",))).build().status
        assert "1.2.0" not in {one.version for one in (status.listed, status.previous) if one}


def test_the_younger_of_two_shows_nothing() -> None:
    channel = a_channel().listing("1.0.0", "0.9.0").with_status(wanted="1.0.0", devices=4)
    status = channel.after(look(channel, owner="older")).build().status
    assert (status.wanted, status.listed, status.previous, status.devices) == (None,) * 4


def test_a_channel_that_is_being_deleted_is_left_alone() -> None:
    assert look(a_channel().being_deleted()) == Plan()
