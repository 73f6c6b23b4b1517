"""What the index Job is given."""

from __future__ import annotations

from typing import Any

import rfc8785

from sealyard.api.index import IndexInput
from sealyard.core.roster import IndexDocument
from support.builders import (
    NOW,
    at,
    time_of,
)
from support.fleet_builders import (
    a_channel,
    a_listable_release,
    a_roster,
    manifest_of,
)

R = a_listable_release
V1, V2, V3 = R("1.0.0"), R("1.1.0"), R("1.2.0", signed=False)
REVOKED = V2.with_spec("revoked", True)


def said(document: IndexDocument) -> dict[str, Any]:
    """The parts that are not empty, in words."""
    found = IndexInput.model_validate_json(document.text)
    assert document.text == rfc8785.dumps(found.to_wire())
    parts = {
        "releases": [release.version for release in found.releases],
        "channels": {channel.channel: channel.version for channel in found.channels},
        "withdrawn": [release.version for release in found.withdrawn_releases],
        "closed": [channel.channel for channel in found.withdrawn_channels],
    }
    return {name: part for name, part in parts.items() if part}


def test_everything_that_is_to_be_listed() -> None:
    view = a_roster(V3, V1, V2, a_channel(), a_channel("1.0.0", "old")).at(NOW)
    assert said(view.full) == {
        "releases": ["1.0.0", "1.1.0", "1.2.0"],
        "channels": {"old": "1.0.0", "stable": "1.2.0"},
    }


def test_nothing_follows_the_target() -> None:
    assert said(a_roster().at(NOW).full) == {}


def test_what_may_not_be_granted_yet_is_held_back_and_what_must_go_is_not() -> None:
    view = a_roster(V1, REVOKED, V3, a_channel().listing("1.1.0"), a_channel("^3", "next")).at(NOW)
    assert said(view.full) == {
        "releases": ["1.0.0", "1.2.0"],
        "channels": {"stable": "1.2.0"},
        "withdrawn": ["1.1.0"],
        "closed": ["next"],
    }
    # The channel stays as it is: an index that is not told of it changes nothing about it.
    assert said(view.held) == {"releases": ["1.0.0"], "withdrawn": ["1.1.0"], "closed": ["next"]}
    assert view.is_urgent


def test_a_channel_that_does_not_move_is_not_held_back() -> None:
    view = a_roster(V1, V2, a_channel().listing("1.1.0")).at(NOW)
    assert said(view.held) == said(view.full)
    assert view.held.digest == view.full.digest
    assert not view.is_urgent


def test_a_slip_of_the_pen_takes_no_version_from_anybody() -> None:
    assert said(a_roster(V1, a_channel("latest").listing("1.0.0")).at(NOW).full) == {
        "releases": ["1.0.0"]
    }


def test_what_was_never_published_is_not_withdrawn() -> None:
    unpublished = V2.with_status(phase="Exporting", manifestSha256=None).with_spec("revoked", True)
    view = a_roster(unpublished).at(NOW)
    assert said(view.full) == {}
    assert not view.is_urgent


def test_of_two_channels_of_one_name_the_older_speaks() -> None:
    younger = a_channel("1.0.0").named("rival", uid="rival").created_at(NOW)
    view = a_roster(V1, V2, younger, a_channel()).at(NOW)
    assert said(view.full)["channels"] == {"stable": "1.1.0"}


def test_time_passes() -> None:
    roster = a_roster(V1, V2.with_spec("notAfter", time_of(at(60))), a_channel())
    before = roster.at(NOW)
    assert before.until == at(60)
    assert roster.at(at(59.9)) is before, "made once"
    assert said(before.full)["channels"] == {"stable": "1.1.0"}
    after = roster.at(at(60))
    assert said(after.full) == {
        "releases": ["1.0.0"],
        "channels": {"stable": "1.0.0"},
        "withdrawn": ["1.1.0"],
    }
    assert after.until is None
    assert not after.is_urgent, "devices see for themselves what has expired"
    assert roster.index(before.full.digest, at(60)) is before.full, "a Job was given it"


def test_documents_of_earlier_times_are_forgotten_unless_they_are_spoken_of() -> None:
    roster = a_roster(*(R(f"1.0.{n}").with_spec("notAfter", time_of(at(n))) for n in range(1, 9)))
    made = [roster.at(at(second)).full.digest for second in range(8)]
    assert all(roster.index(digest, at(8)) for digest in made)
    roster.forget([made[2][:16]])
    assert [roster.index(digest, at(8)) is not None for digest in made].index(True) == 2
    assert sum(roster.index(digest, at(8)) is not None for digest in made) == 1


def test_what_expired_and_was_revoked_then_is_not_urgent() -> None:
    expired = V2.with_status(phase="Expired").with_spec("revoked", True)
    assert not a_roster(expired).at(NOW).is_urgent


def test_what_it_says_of_a_release_and_a_channel() -> None:
    document = a_roster(V1, REVOKED, a_channel(), a_channel("^3", "next")).at(NOW).full
    assert document.lists("coins", "1.0.0", manifest_of("1.0.0"))
    assert not document.lists("coins", "1.0.0", manifest_of("1.1.0"))
    assert not document.lists("coins", "1.0.0", None)
    assert not document.lists("coins", "1.1.0", manifest_of("1.1.0"))
    assert document.withdraws("coins", "1.1.0")
    assert not document.withdraws("coins", "1.0.0")
    listed = document.channel("coins", "stable")
    assert listed
    assert listed.version == "1.0.0"
    assert document.channel("coins", "next") is None
    assert document.closes("coins", "next")


def test_documents_that_are_still_spoken_of_outlive_their_roster() -> None:
    first = a_roster(V1)
    document = first.at(NOW).full
    other = first.successor(a_roster(V1, V2).releases, [document.digest[:16]])
    assert other.index(document.digest, NOW) is document
    assert other.at(NOW).full.digest != document.digest
    third = other.successor(a_roster(V1, V2).releases, [other.at(NOW).full.digest])
    assert third.index(document.digest, NOW) is None
    assert third.index(None, NOW) is None
