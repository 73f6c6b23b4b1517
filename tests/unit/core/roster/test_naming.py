"""Which release a channel names."""

from __future__ import annotations

import pytest

from support.builders import (
    NOW,
    ReleaseBuilder,
    at,
    time_of,
)
from support.fleet_builders import (
    ChannelBuilder,
    a_channel,
    a_listable_release,
    a_roster,
)

R = a_listable_release
V1, V2, V3 = R("1.0.0"), R("1.1.0"), R("1.2.0", signed=False)


def ending(release: ReleaseBuilder, seconds: float) -> ReleaseBuilder:
    return release.with_spec("notAfter", time_of(at(seconds)))


NAMINGS: dict[str, tuple[ChannelBuilder, list[ReleaseBuilder], str | None, str | None]] = {
    "the highest": (a_channel(), [V1, V2, V3], "1.2.0", None),
    "whatever their order": (a_channel(), [V3, V1, V2], "1.2.0", None),
    "what the range allows": (a_channel("1.0.x"), [V1, V2, V3], "1.0.0", None),
    "none fits": (a_channel("^2"), [V1, V2], None, None),
    "nothing is there": (a_channel(), [], None, None),
    "one not verified": (a_channel(), [V1, V2.with_status(phase="Verifying")], "1.0.0", None),
    "one that failed": (a_channel(), [V1, V2.with_status(phase="Failed")], "1.0.0", None),
    "a revoked one": (a_channel(), [V1, V2.with_spec("revoked", True)], "1.0.0", None),
    "one that has expired": (a_channel(), [V1, ending(V2, 0)], "1.0.0", None),
    "one that has not": (a_channel(), [V1, ending(V2, 1)], "1.1.0", None),
    "one that expired before": (a_channel(), [V1, V2.with_status(phase="Expired")], "1.0.0", None),
    "one that is withdrawn": (a_channel(), [V1, V2.being_deleted().held()], "1.0.0", None),
    "one that is deleted and retained": (a_channel(), [V1, V2.being_deleted()], "1.1.0", None),
    "another model's": (a_channel(), [V1, V2.with_spec("model", "notes")], "1.0.0", None),
    # While it moves, and afterwards, devices may have the one before.
    "moving": (a_channel().listing("1.1.0", "1.0.0"), [V1, V2, V3], "1.2.0", "1.1.0"),
    "moved": (a_channel().listing("1.2.0", "1.1.0"), [V1, V2, V3], "1.2.0", "1.1.0"),
    "rolled back": (a_channel("1.0.0").listing("1.1.0"), [V1, V2], "1.0.0", "1.1.0"),
    "falling back": (
        a_channel().listing("1.1.0", "1.0.0"), [V1, V2.with_spec("revoked", True)], "1.0.0", None,
    ),
    # Retained ones are known by the channel alone.
    "its object is gone": (a_channel().listing("1.1.0"), [V1], "1.1.0", None),
    "all objects are gone": (a_channel().listing("1.1.0", "1.0.0"), [], "1.1.0", "1.0.0"),
    "gone, and something newer": (a_channel().listing("1.1.0"), [V3], "1.2.0", "1.1.0"),
    "gone, and out of range": (a_channel("1.0.x").listing("1.1.0", "1.0.0"), [], "1.0.0", "1.1.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMINGS)
def test_what_a_channel_names(case: str) -> None:
    channel, releases, now, last = NAMINGS[case]
    naming = a_roster(channel, *releases).at(NOW).naming(channel.entry())
    assert naming.is_valid
    assert (naming.now.version if naming.now else None) == now
    assert (naming.last.version if naming.last else None) == last
    unknown = a_roster(*releases).at(NOW).naming(channel.entry())
    assert unknown == naming, "it need not be in the roster"


def test_what_it_is_not_to_remember() -> None:
    channel = a_channel().listing("1.1.0", "1.0.0")
    revoked, other = V2.with_spec("revoked", True), R("1.0.0").with_spec("model", "notes")
    releases = (revoked, other.with_spec("revoked", True), ending(R("1.2.0"), 0))
    for wanted in ("^1", "latest"):
        entry = channel.with_spec("version", wanted).entry()
        assert a_roster(*releases).at(NOW).naming(entry).over == {"1.1.0"}
    assert a_roster(V1).at(NOW).naming(channel.entry()).over == frozenset()


def test_what_is_no_range_names_nothing_and_says_so() -> None:
    naming = a_roster(V1).at(NOW).naming(a_channel("latest").entry())
    assert not naming.is_valid
    assert naming.releases == ()
