"""The side that believes: what it accepts, and each attack with the reason it is refused for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tuf.api.metadata import Metadata

from sealyard.api.index import SNAPSHOT_MAX_BYTES
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import SIGNED_AT, IndexClient
from sealyard.delivery.index.errors import (
    RollbackError,
    StaleIndexError,
    TrustError,
)
from sealyard.delivery.index.roots import FRESHNESS_ROLES, RootKeys
from sealyard.delivery.index.signing import meta_of
from sealyard.errors import IntegrityError, InvalidError, MissingError, UnavailableError
from support.index import DAY, NOW, WEEK, MemoryStore, Trust, World, channel_of, key


@pytest.fixture
def published(world: World) -> World:
    release = world.release()
    world.publish(release, channel_of(release))
    return world


def test_a_device_follows_the_index(published: World) -> None:
    device = published.client()
    assert device.refresh().timestamp.version == 1
    published.publish(published.release("2.0.0"))
    index = published.client().refresh()
    assert index.timestamp.version == 2
    assert len(index.targets.targets) == 3


def test_a_device_follows_the_roots(published: World) -> None:
    published.client().refresh()
    for _ in range(3):
        published.trust.rotate({})
        published.publish()
    assert published.client().refresh().root.version == 4
    assert published.client("another").refresh().root.version == 4
    assert published.client().offline().root.version == 4


class TestAttacks:
    def test_an_older_timestamp(self, published: World) -> None:
        older = published.store.copy()
        published.publish(published.release("2.0.0"))
        published.client().refresh()
        published.store = older
        with pytest.raises(RollbackError, match="older than one that was seen"):
            published.client().refresh()

    def test_an_older_snapshot_under_a_newer_timestamp(self, published: World) -> None:
        """Whoever has the freshness key and not the release key goes back to older targets."""
        published.publish(published.release("2.0.0"))
        published.client().refresh()
        thief = World(published.folder, store=published.store.copy(), trust=published.trust)
        store, signer = thief.store, thief.trust.signer()

        targets = store.files["1.targets.json"]
        snapshot = signer.snapshot(3, meta_of(1, targets), NOW)
        store.files["3.snapshot.json"] = snapshot
        store.files["timestamp.json"] = signer.timestamp(3, meta_of(3, snapshot), NOW)
        with pytest.raises(RollbackError, match=r"Expected targets\.json version"):
            thief.client().refresh()

    def test_targets_of_another_moment(self, published: World) -> None:
        old = published.store.files["1.targets.json"]
        published.publish(published.release("2.0.0"))
        published.store.files["2.targets.json"] = old
        with pytest.raises(TrustError, match="not the one that its index names"):
            published.client().refresh()

    def test_a_wrong_root(self, published: World) -> None:
        stranger = World(published.folder)
        stranger.publish(stranger.release())
        stranger.trust = published.trust
        with pytest.raises(TrustError, match="not signed by the keys that the root names"):
            stranger.client().refresh()

    def test_a_root_of_a_stranger_follows_nothing(self, published: World) -> None:
        stranger = Trust()
        stranger.rotate({})
        published.store.files["2.root.json"] = stranger.chain["2.root.json"]
        with pytest.raises(TrustError, match="not signed by the keys that the root names"):
            published.client().refresh()

    def test_a_root_that_skips_one(self, published: World) -> None:
        for _ in range(2):
            published.trust.rotate({})
        published.store.files["2.root.json"] = published.trust.chain["3.root.json"]
        with pytest.raises(RollbackError, match="Expected root version 2"):
            published.client().refresh()

    def test_an_index_that_is_held_back(self, published: World) -> None:
        published.client().refresh()
        published.now += WEEK
        with pytest.raises(StaleIndexError, match="out of date"):
            published.client().refresh()

    def test_fast_forward_is_mended_by_another_key(self, published: World) -> None:
        """A stolen freshness key makes versions and times that no honest index reaches."""
        world = published
        signer = world.trust.signer(200 * 365 * DAY)

        targets = world.store.files["1.targets.json"]
        snapshot = signer.snapshot(10**6, meta_of(1, targets), NOW + 40 * DAY)
        stolen = world.store.copy()
        stolen.files[f"{10**6}.snapshot.json"] = snapshot
        stolen.files["timestamp.json"] = signer.timestamp(
            10**6, meta_of(10**6, snapshot), NOW + 40 * DAY
        )
        honest, world.store = world.store, stolen
        assert world.client().refresh().now == NOW + 40 * DAY
        world.store = honest
        with pytest.raises(RollbackError):
            world.client().refresh()
        world.trust.freshness = key("new")
        world.trust.rotate({FRESHNESS_ROLES: RootKeys((world.trust.freshness.public,))})
        world.publish()
        index = world.client().refresh()
        assert (index.timestamp.version, index.now) == (2, NOW)

    def test_a_file_that_is_not_the_one_listed(self, published: World) -> None:
        client = published.client()
        target = client.refresh().targets.targets["coins/1.0.0/manifest.json"]
        (path,) = target.get_prefixed_paths()
        published.store.files[f"targets/{path}"] = b"x" * target.length
        with pytest.raises(TrustError, match="not the one that its index names"):
            client.file(target)
        del published.store.files[f"targets/{path}"]
        with pytest.raises(TrustError, match="which is not there"):
            client.file(target)

    @pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
    @pytest.mark.parametrize("content", [b"", b"[]", b'{"signed":{}}', b"\xff"])
    def test_what_is_no_metadata(self, published: World, name: str, content: bytes) -> None:
        published.store.files[name] = content
        with pytest.raises(TrustError):
            published.client().refresh()

    def test_a_length_that_a_thief_has_signed_receives_no_more(self, published: World) -> None:
        asked: dict[str, int] = {}

        class Store(MemoryStore):
            def get(self, name: str, limit: int) -> bytes | None:
                asked[name] = limit
                return super().get(name, limit)

        signer, files = published.trust.signer(), published.store.files
        meta = meta_of(1, files["1.snapshot.json"])
        meta.length = 10**12
        published.store = Store()
        published.store.files = {**files, "timestamp.json": signer.timestamp(2, meta, NOW)}
        with pytest.raises(TrustError):
            published.client().refresh()
        assert asked["1.snapshot.json"] == SNAPSHOT_MAX_BYTES

    def test_nothing_of_a_refused_index_is_kept(self, published: World) -> None:
        published.client().refresh()
        published.publish(published.release("2.0.0"))
        published.store.files["2.targets.json"] = b"{}"
        with pytest.raises(TrustError):
            published.client().refresh()
        assert published.client().offline().timestamp.version == 1


class TestOffline:
    def test_what_was_seen_stays_good_until_it_expires(self, published: World) -> None:
        client = published.client()
        before = client.refresh()
        client.file(before.targets.targets["coins/channels/stable.json"])
        published.store.files.clear()
        published.now += WEEK - timedelta(seconds=1)
        index = published.client().offline()
        assert index.targets == before.targets
        assert published.client().file(index.targets.targets["coins/channels/stable.json"])
        published.now += timedelta(seconds=1)
        with pytest.raises(StaleIndexError, match="out of date"):
            published.client().offline()

    def test_nothing_was_ever_fetched(self, published: World) -> None:
        with pytest.raises(UnavailableError, match=r"there is no timestamp\.json"):
            published.client().offline()

    def test_another_root_was_installed(self, published: World) -> None:
        published.client().refresh()
        with pytest.raises(TrustError):
            published.client(root=Trust().first).offline()

    def test_a_cache_that_is_damaged_is_not_forgotten_in_silence(self, published: World) -> None:
        published.client().refresh()
        path = published.folder / "device" / "metadata.json"
        for content in (b"{", b"[]", b'{"../x": ""}', b'{"timestamp.json": 1}'):
            path.write_bytes(content)
            with pytest.raises(IntegrityError, match="is damaged; delete it"):
                published.client().refresh()

    def test_a_target_that_is_damaged_is_fetched_again(self, published: World) -> None:
        client = published.client()
        target = client.refresh().targets.targets["coins/1.0.0/manifest.json"]
        content = client.file(target)
        (published.folder / "device" / "targets" / target.hashes["sha256"]).write_bytes(b"x")
        assert client.file(target) == content

    def test_a_folder_that_cannot_be_written(self, published: World) -> None:
        (published.folder / "device").write_bytes(b"a file")
        with pytest.raises(MissingError, match=r"device: cannot be written"):
            published.client()

    def test_what_a_killed_refresh_left_goes(self, published: World) -> None:
        left = published.folder / "device" / ".refresh-left"
        left.mkdir(parents=True)
        published.client().refresh()
        assert not left.exists()
        assert {path.name for path in left.parent.iterdir()} == {"lock", "metadata.json", "targets"}


class TestClock:
    def test_a_clock_that_starts_in_1970_is_no_earlier_than_what_was_signed(
        self, published: World
    ) -> None:
        published.now = datetime(1970, 1, 1, tzinfo=UTC)
        assert published.client().refresh().now == NOW
        assert published.client().offline().now == NOW

    def test_and_expires_what_it_has_seen_a_newer_time_than(self, published: World) -> None:
        stolen = published.store.copy()
        published.client().refresh()
        signer = published.trust.signer(20 * DAY)

        snapshot = stolen.files["1.snapshot.json"]
        published.store.files["timestamp.json"] = signer.timestamp(
            2, meta_of(1, snapshot), NOW + 8 * DAY
        )
        published.now = datetime(1970, 1, 1, tzinfo=UTC)
        with pytest.raises(StaleIndexError, match="it expired at"):
            published.client().refresh()

    @pytest.mark.parametrize("said", [None, 5, "yesterday", "0001-01-01T00:00:00+23:00"])
    def test_a_timestamp_need_not_say_when_it_was_signed(
        self, published: World, said: object
    ) -> None:
        client = published.client()
        files = published.store.files
        document = json.loads(files["timestamp.json"])
        document["signed"][SIGNED_AT] = said

        metadata = Metadata.from_dict(document)
        metadata.sign(published.trust.freshness.signer)
        files["timestamp.json"] = metadata.to_bytes()
        assert client.refresh().now == NOW


@pytest.mark.parametrize("root", [b"", b"{}", b"not JSON"])
def test_an_installed_root_that_is_none(world: World, root: bytes) -> None:
    with pytest.raises(InvalidError, match=r"^trust root: must be a root\.json of TUF"):
        IndexClient(world.store, root, Cache(world.folder / "device"))


def test_a_timestamp_is_no_root(published: World) -> None:
    with pytest.raises(InvalidError, match=r"^trust root"):
        published.client(root=published.store.files["timestamp.json"])
