"""What a verified index says of a channel or a release."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from sealyard.core.times import format_time
from sealyard.delivery.http import TooLongError
from sealyard.delivery.index.errors import ExpiredReleaseError, NotListedError, TrustError
from sealyard.delivery.index.listing import Listed
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.release_api import Release
from sealyard.errors import IntegrityError
from support.index import NOW, World, channel_of, listed_release
from support.releases import sample

MADE = sample()
RELEASE = Release(MADE.model, MADE.version)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"))
    world.manifests[RELEASE] = MADE.raw
    return world


def trust(world: World) -> SignedTrust:
    device = world.client()
    return SignedTrust(device, device.refresh())


def test_a_channel_and_its_manifest(world: World) -> None:
    release = listed_release(RELEASE, MADE.raw)
    world.publish(release, channel_of(release))
    assert trust(world).channel("coins", "stable") == RELEASE
    found = trust(world).manifest(RELEASE)
    assert (found.manifest, found.raw, found.trust) == (MADE.manifest, MADE.raw, "signed")


@pytest.mark.parametrize(("left", "over"), [(1, False), (0, True), (-1, True)])
def test_the_time_of_a_release(world: World, left: int, over: bool) -> None:
    end = NOW + timedelta(hours=1)
    world.publish(listed_release(RELEASE, MADE.raw, not_after=format_time(end)))
    world.now = end - timedelta(seconds=left)
    if not over:
        assert trust(world).manifest(RELEASE)
        return
    with pytest.raises(ExpiredReleaseError, match="could be opened until"):
        trust(world).manifest(RELEASE)


def test_what_is_not_listed(world: World) -> None:
    world.publish()
    with pytest.raises(NotListedError, match=r"lists no coins 1\.0\.0; it was not released"):
        trust(world).manifest(RELEASE)
    with pytest.raises(NotListedError, match="lists no channel 'stable' of coins"):
        trust(world).channel("coins", "stable")


def test_what_is_listed_may_be_no_manifest(world: World) -> None:
    world.publish(world.release("2.0.0"))
    with pytest.raises(IntegrityError, match=r"^manifest: "):
        trust(world).manifest(Release("coins", "2.0.0"))


class TestWhatAThiefMaySign:
    """Whoever has the release key lists any file, and a device reads it with care."""

    PATH = "coins/1.0.0/manifest.json"

    def sign(self, world: World, **changes: Any) -> SignedTrust:
        listed = replace(Listed(MADE.sha256, len(MADE.raw)), **changes)
        world.publish()
        world.sign_listing({self.PATH: listed}, {self.PATH: MADE.raw})
        return trust(world)

    @pytest.mark.parametrize("sha256", ["", "../../../etc/passwd", "A" * 64, "0" * 63])
    def test_no_digest(self, world: World, sha256: str) -> None:
        with pytest.raises(TrustError, match="without a SHA-256"):
            self.sign(world, sha256=sha256).manifest(RELEASE)

    def test_a_length_that_no_manifest_has(self, world: World) -> None:
        with pytest.raises(TooLongError, match="with 1000000000 bytes, must be at most 262144"):
            self.sign(world, size_bytes=10**9).manifest(RELEASE)

    @pytest.mark.parametrize("not_after", [5, [], "soon", "0001-01-01T00:00:00+23:00"])
    def test_a_time_that_is_none(self, world: World, not_after: Any) -> None:
        with pytest.raises(ExpiredReleaseError):
            self.sign(world, not_after=not_after).manifest(RELEASE)


WIRE = channel_of(listed_release(RELEASE, MADE.raw)).to_wire()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no JSON", "is no channel"),
        (rfc8785.dumps({**WIRE, "version": "one"}), "is no channel"),
        (rfc8785.dumps({**WIRE, "channel": "beta"}), "does not name a release"),
        (rfc8785.dumps({**WIRE, "model": "nails"}), "does not name a release"),
        (rfc8785.dumps({**WIRE, "version": "2.0.0"}), "does not name a release"),
        (rfc8785.dumps({**WIRE, "manifestSha256": "0" * 64}), "does not name a release"),
    ],
)
def test_a_channel_that_was_signed_and_is_none(world: World, content: bytes, said: str) -> None:
    release = listed_release(RELEASE, MADE.raw)
    world.publish(release)
    path = "coins/channels/stable.json"
    world.sign_listing(
        {
            "coins/1.0.0/manifest.json": Listed(release.manifest_sha256, len(MADE.raw)),
            path: Listed.of(content, version="1.0.0"),
        },
        {path: content},
    )
    with pytest.raises(TrustError, match=said):
        trust(world).channel("coins", "stable")
