"""The side that signs, over a store in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sealyard.core.times import format_time
from sealyard.delivery.index.errors import RollbackError, TrustError
from sealyard.delivery.index.publish import Published
from sealyard.delivery.index.roots import FRESHNESS_ROLES, RELEASE_ROLES, RootKeys, root_name
from sealyard.errors import IntegrityError, InvalidError, UnavailableError
from support.index import DAY, NOW, Trust, World, channel_of, key, nothing, version_of, withdrawn


def listed(published: Published) -> list[str]:
    return sorted(published.index.targets.targets)


def test_a_first_index(world: World) -> None:
    release = world.release()
    published = world.publish(release, channel_of(release))
    assert listed(published) == ["coins/1.0.0/manifest.json", "coins/channels/stable.json"]
    assert (published.changed, published.signed) == (True, True)
    assert (published.releases, published.channels) == (1, 1)
    assert published.index.expires == NOW + 7 * DAY


def test_the_timestamp_comes_last_and_the_files_first(world: World) -> None:
    release = world.release()
    world.publish(release, channel_of(release))
    root, *targets, signed, snapshot, timestamp = world.store.puts
    assert root == "1.root.json"
    assert all(name.startswith("targets/coins/") for name in targets)
    assert [signed, snapshot, timestamp] == [
        "1.targets.json",
        "1.snapshot.json",
        "timestamp.json",
    ]


def test_nothing_is_written_that_is_listed_and_fresh(world: World) -> None:
    release = world.release()
    world.publish(release)
    world.store.puts.clear()
    published = world.publish(release)
    assert world.store.puts == []
    assert (published.changed, published.signed) == (False, False)
    assert published.index.timestamp.version == 1


def test_half_of_the_lifetime_over_only_the_freshness_is_signed(world: World) -> None:
    release = world.release()
    world.publish(release)
    world.store.puts.clear()
    world.now += 4 * DAY
    published = world.publish(release)
    assert world.store.puts == ["2.snapshot.json", "timestamp.json"]
    assert (published.changed, published.signed) == (False, True)
    assert published.index.timestamp.expires == NOW + 11 * DAY


def test_targets_are_signed_before_they_expire(world: World) -> None:
    release = world.release()
    world.publish(release)
    world.now += 61 * DAY
    published = world.publish(release)
    assert published.changed
    assert published.index.targets.expires == NOW + 151 * DAY


def test_the_longest_lifetime_leaves_no_gap(world: World) -> None:
    """Looked after only when half of the lifetime is over, it is good all the same."""
    world.lifetime = 90 * DAY
    world.publish(world.release())
    for _ in range(6):
        world.now += 45 * DAY
        assert world.client().refresh().expires > world.now
        assert world.publish().index.expires > world.now + 45 * DAY


def test_an_index_that_is_out_of_date_is_mended(world: World) -> None:
    world.publish(world.release())
    world.now += 200 * DAY
    assert listed(world.publish()) == ["coins/1.0.0/manifest.json"]


def test_what_is_not_named_stays_until_it_is_withdrawn(world: World) -> None:
    first, second = world.release(), world.release("2.0.0")
    world.publish(first, channel_of(first))
    assert len(listed(world.publish(second))) == 3
    assert listed(world.publish(second, withdrawn(first))) == ["coins/2.0.0/manifest.json"]


def test_a_release_whose_time_is_over_goes(world: World) -> None:
    world.publish(world.release(not_after=format_time(NOW + DAY)))
    world.now += 2 * DAY
    assert listed(world.publish()) == []


def test_a_killed_job_leaves_numbers_in_use(world: World) -> None:
    world.publish(world.release())
    second = world.release("2.0.0")

    for last in ("2.targets.json", "2.snapshot.json", "timestamp.json"):

        def die(name: str, last: str = last) -> None:
            if name == last:
                raise UnavailableError("killed")

        world.store.before_put = die
        with pytest.raises(UnavailableError, match="killed"):
            world.publish(second)
        world.now += timedelta(seconds=1)
    world.store.before_put = nothing
    published = world.publish(second)
    assert len(listed(published)) == 2
    index = published.index
    assert (index.targets.version, index.snapshot.version, index.timestamp.version) == (4, 3, 2)


def test_of_two_at_once_the_later_begins_anew(world: World) -> None:
    world.publish(world.release())
    second, third = world.release("2.0.0"), world.release("3.0.0")

    def meanwhile(name: str) -> None:
        if name == "timestamp.json":
            world.store.before_put = nothing
            world.publish(third)

    world.store.before_put = meanwhile
    published = world.publish(second)
    assert published.index.timestamp.version == 3
    assert len(listed(published)) == 3


def test_who_is_overtaken_again_and_again_gives_up(world: World) -> None:
    world.publish()
    others = world.store.copy()
    wanted = world.release()

    def overtake(name: str) -> None:
        if name == "timestamp.json":
            # Somebody else's timestamp, each time.
            mine, world.store.before_put = world.store.before_put, nothing
            world.publish(world.release(f"9.0.{len(world.manifests)}"))
            world.store.before_put = mine

    world.store.before_put = overtake
    with pytest.raises(UnavailableError, match="does not follow"):
        world.publish(wanted)
    assert version_of(world.store.files["timestamp.json"]) > version_of(
        others.files["timestamp.json"]
    )


def test_one_manifest_that_is_not_there_does_not_keep_the_others_waiting(world: World) -> None:
    lost, other, good = world.release("1.0.0"), world.release("2.0.0"), world.release("3.0.0")
    kept = dict(world.manifests)
    world.manifests = {
        release: raw + b" " if release.version == "2.0.0" else raw
        for release, raw in kept.items()
        if release.version != "1.0.0"
    }
    with pytest.raises(IntegrityError, match=r"^2 not listed, all else is: .*1\.0\.0.*SHA-256"):
        world.publish(lost, other, good, channel_of(good), channel_of(lost, "old"))
    assert sorted(world.client().refresh().targets.targets) == [
        "coins/3.0.0/manifest.json",
        "coins/channels/stable.json",
    ]


class TestAnOlderIndex:
    def test_nothing_is_signed_upon_it(self, world: World) -> None:
        gone = world.release()
        world.publish(gone)
        older = world.store.files["timestamp.json"]
        world.publish(withdrawn(gone))
        world.store.files["timestamp.json"] = older
        world.store.puts.clear()
        world.known_version = 2
        with pytest.raises(RollbackError, match="has index 1, and index 2 was there before"):
            world.publish()
        assert world.store.puts == []

    def test_and_neither_upon_none(self, world: World) -> None:
        world.known_version = 2
        with pytest.raises(RollbackError, match="has no index, and index 2 was there before"):
            world.publish()

    def test_the_same_and_a_newer_one_are_good(self, world: World) -> None:
        world.publish(world.release())
        world.known_version = 1
        assert world.publish().index.timestamp.version == 1
        world.publish(world.release("2.0.0"))
        assert world.publish().index.timestamp.version == 2

    def test_what_was_read_first_is_known(self, world: World) -> None:
        world.publish()
        older = world.store.files["timestamp.json"]
        world.publish(world.release())
        get = world.store.get

        def replay(name: str, limit: int) -> bytes | None:
            raw = get(name, limit)
            if name == "timestamp.json":
                world.store.files[name] = older
            return raw

        world.store.get = replay  # type: ignore[method-assign]
        with pytest.raises(RollbackError, match="has index 1, and index 2 was there before"):
            world.publish()


class TestKeys:
    def test_a_key_that_the_root_does_not_name_signs_nothing(self, world: World) -> None:
        world.trust.release = key("Secret trust, key release-key.pem")
        with pytest.raises(InvalidError, match=r"^Secret trust, key release-key\.pem: is no key"):
            world.publish()
        assert world.store.puts == ["1.root.json"]

    def test_two_signatures_are_more_than_there_are_keys(self, world: World) -> None:
        keys = (world.trust.release.public, key("other").public)
        world.trust.rotate({RELEASE_ROLES: RootKeys(keys, 2)})
        with pytest.raises(InvalidError, match="wants 2 signatures for targets"):
            world.publish()

    def test_both_keys_count_until_the_old_one_is_dropped(self, world: World) -> None:
        release = world.release()
        world.publish(release)
        old, new = world.trust.release, key("new")
        world.trust.rotate({RELEASE_ROLES: RootKeys((old.public, new.public))})
        world.trust.release = new
        assert world.publish(release).changed
        world.trust.rotate({RELEASE_ROLES: RootKeys((new.public,))})
        assert not world.publish(release).changed
        assert world.store.files["3.root.json"] == world.trust.chain["3.root.json"]

    def test_nothing_is_taken_over_from_a_release_key_that_was_replaced(self, world: World) -> None:
        first, second = world.release(), world.release("2.0.0")
        world.publish(first)
        world.trust.release = key("new")
        world.trust.rotate({RELEASE_ROLES: RootKeys((world.trust.release.public,))})
        published = world.publish(second)
        assert listed(published) == ["coins/2.0.0/manifest.json"]
        assert published.index.targets.version == 2

    def test_a_replaced_freshness_key_changes_nothing_that_is_listed(self, world: World) -> None:
        world.publish(world.release())
        world.trust.freshness = key("new")
        world.trust.rotate({FRESHNESS_ROLES: RootKeys((world.trust.freshness.public,))})
        published = world.publish()
        assert listed(published) == ["coins/1.0.0/manifest.json"]
        assert published.index.timestamp.version == 2

    def test_what_a_replaced_freshness_key_names_may_be_nonsense(self, world: World) -> None:
        world.publish(world.release())
        del world.store.files["1.snapshot.json"]
        world.trust.freshness = key("new")
        world.trust.rotate({FRESHNESS_ROLES: RootKeys((world.trust.freshness.public,))})
        assert listed(world.publish(world.release("2.0.0"))) == ["coins/2.0.0/manifest.json"]

    def test_what_nobody_signed_is_not_mended_in_silence(self, world: World) -> None:
        world.publish(world.release())
        thief = World(world.folder, trust=Trust())
        thief.publish(thief.release())
        world.store.files["timestamp.json"] = thief.store.files["timestamp.json"]
        with pytest.raises(TrustError, match="not signed by the keys that the root names"):
            world.publish()


class TestRoots:
    def test_one_that_has_expired_is_to_be_renewed(self, world: World) -> None:
        world.now = NOW + 365 * DAY
        with pytest.raises(InvalidError, match=r"^root 1: expired at .*rotate root --renew"):
            world.publish()
        world.trust.expires = NOW + 730 * DAY
        world.trust.rotate({})
        assert world.publish().index.root.version == 2

    def test_another_root_in_the_store_is_refused(self, world: World) -> None:
        world.store.files["1.root.json"] = Trust().first
        with pytest.raises(TrustError, match=r"has another 1\.root\.json than ConfigMap trust"):
            world.publish()

    def test_a_newer_root_in_the_store_is_followed(self, world: World) -> None:
        world.publish()
        world.trust.rotate({})
        newer = world.trust.chain.pop(root_name(2))
        world.store.files["2.root.json"] = newer
        assert world.publish().index.root.version == 2

    def test_a_newer_root_that_does_not_follow_is_refused(self, world: World) -> None:
        world.publish()
        stranger = Trust()
        stranger.rotate({})
        world.store.files["2.root.json"] = stranger.chain["2.root.json"]
        with pytest.raises(
            TrustError,
            match=r"2\.root\.json: is not signed by enough keys",
        ):
            world.publish()


def test_too_many_orphans_are_somebody_s_work(world: World) -> None:
    world.publish()
    for number in range(2, 1100):
        world.store.files[f"{number}.targets.json"] = b"{}"
    with pytest.raises(UnavailableError, match="no index names"):
        world.publish(world.release())


def test_the_proof_fails_where_somebody_else_signs_something_else(world: World) -> None:
    release = world.release()

    def undo(name: str) -> None:
        if name == "timestamp.json":
            world.store.after_put = nothing
            world.publish(withdrawn(release))

    world.store.after_put = undo
    with pytest.raises(UnavailableError, match=r"does not list coins/1\.0\.0/manifest\.json"):
        world.publish(release)
