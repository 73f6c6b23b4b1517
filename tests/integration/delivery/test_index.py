"""The index Job against the real release API, and what a device makes of what lies there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.index import IndexInput
from sealyard.api.secrets import Purpose
from sealyard.core.times import format_time
from sealyard.delivery.http import TooLongError
from sealyard.delivery.index.client import IndexClient
from sealyard.delivery.index.errors import (
    ExpiredReleaseError,
    NotListedError,
    RollbackError,
    StaleIndexError,
    TrustError,
)
from sealyard.delivery.index.publish import IndexPublisher
from sealyard.delivery.index.roots import FRESHNESS_ROLES, RELEASE_ROLES, RootKeys
from sealyard.delivery.index.signing import meta_of
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.refusals import ForbiddenError
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.retry import TransientError
from sealyard.delivery.tuf_files import TufFiles
from sealyard.errors import UnavailableError
from sealyard.jobs.process import Interrupted
from support import release_api
from support.authorised import Target, listed
from support.index import DAY, WEEK, Trust, channel_of, key, version_of, wish, withdrawn

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[release_api.ReleaseApi]:
    with release_api.release_api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def target(api: release_api.ReleaseApi, tmp_path: Path) -> Iterator[Target]:
    target = Target(api, tmp_path / "target")
    yield target
    target.assert_no_secret_in(api.log_text())
    target.forget_index()


@pytest.fixture
def client(target: Target) -> Iterator[ReleaseApi]:
    with target.connected() as opened:
        yield opened


def now() -> datetime:
    return datetime.now(UTC)


def published(target: Target, *wanted: Any) -> None:
    """An index, by the code of the Job in this process."""
    with target.connected(Purpose.API_PUBLISHER) as writer:
        publisher(target, TufFiles(writer.session), writer).publish(wish(*wanted))


def publisher(target: Target, store: TufFiles, writer: ReleaseApi) -> IndexPublisher:
    return IndexPublisher(
        store,
        target.trust.chain,
        "ConfigMap trust-root",
        target.trust.signer(),
        writer.manifest,
        scratch=target.folder,
    )


class TestJob:
    def test_from_a_cluster_to_a_device(self, target: Target, client: ReleaseApi) -> None:
        first, second = target.put(), target.put()
        job = target.index(listed(first), listed(second), channel_of(listed(first)))
        assert job.result["changed"]
        assert {name: job.result[name] for name in ("version", "releases", "channels")} == {
            "version": 1,
            "releases": 2,
            "channels": 1,
        }
        device = target.device(client)
        trust = SignedTrust(device, device.refresh())
        release = trust.channel(first.model, "stable")
        found = trust.manifest(release)
        assert (found.raw, found.trust, found.sha256) == (first.raw, "signed", first.sha256)
        assert found.manifest == first.manifest

    def test_again_it_writes_nothing(self, target: Target) -> None:
        release = listed(target.put())
        published(target, release)
        before = target.stored()
        again = target.index(release)
        assert (again.result["version"], again.result["changed"]) == (1, False)
        assert again.message.startswith("found index 1: 1 releases and 0 channels, good until 20")
        assert target.stored() == before

    def test_a_shorter_lifetime_signs_only_the_freshness_anew(self, target: Target) -> None:
        release = listed(target.put())
        published(target, release)
        again = target.index(release, index_lifetime_seconds=3600).result
        assert (again["version"], again["changed"]) == (2, False)
        assert again["expires"] <= format_time(now() + timedelta(hours=1))
        assert {"2.snapshot.json", "1.targets.json"} < set(target.stored())
        assert "2.targets.json" not in target.stored()

    def test_a_withdrawn_release_is_listed_no_more(
        self, target: Target, client: ReleaseApi
    ) -> None:
        made = target.put()
        published(target, listed(made), channel_of(listed(made)))
        device = target.device(client)
        assert SignedTrust(device, device.refresh()).channel(made.model, "stable")
        gone = target.index(withdrawn(listed(made))).result
        assert (gone["releases"], gone["channels"], gone["changed"]) == (0, 0, True)
        trust = SignedTrust(device, device.refresh())
        with pytest.raises(NotListedError, match="lists no channel 'stable'"):
            trust.channel(made.model, "stable")
        with pytest.raises(NotListedError, match="was withdrawn"):
            trust.manifest(Release(made.model, made.version))

    def test_several_at_once_are_all_listed(self, target: Target, client: ReleaseApi) -> None:
        """None takes back what another has listed, whoever is first."""
        releases = [listed(target.put()) for _ in range(3)]
        jobs = [target.start(target.index_task(), wish(release)) for release in releases]
        ended = [job.wait() for job in jobs]
        assert [one.code for one in ended] == [0] * 3, [one.output for one in ended]
        assert version_of(target.stored()["timestamp.json"]) == 3
        index = target.device(client).refresh()
        assert len(index.targets.targets) == 3

    def test_after_one_that_was_killed_between_two_files(self, target: Target) -> None:
        release = listed(target.put())
        published(target)

        class Store(TufFiles):
            last = ""

            def put(self, name: str, metadata: bytes) -> None:
                if name.endswith(self.last):
                    raise Interrupted("killed")
                super().put(name, metadata)

        for Store.last in ("snapshot.json", "timestamp.json"):
            with target.connected(Purpose.API_PUBLISHER) as writer, pytest.raises(Interrupted):
                publisher(target, Store(writer.session), writer).publish(wish(release))
        assert {"2.targets.json", "2.snapshot.json"} < set(target.stored())
        job = target.index(release)
        assert (job.result["version"], job.result["releases"]) == (2, 1)

    def test_a_manifest_that_is_lost_keeps_no_other_waiting(self, target: Target) -> None:
        good, lost = listed(target.put()), listed(target.put())
        lost = lost.model_copy(update={"model": "nowhere"})
        job = target.index(good, lost)
        assert job.code == 65
        assert "1 not listed, all else is: " in job.message
        assert "nowhere" in job.message
        with target.connected() as client:
            assert len(target.device(client).refresh().targets.targets) == 1


class TestWhatAJobLacks:
    @pytest.mark.parametrize(
        ("purpose", "name", "secret"),
        [
            (Purpose.RELEASE_KEY, "release-key.pem", "trust-release-key"),
            (Purpose.FRESHNESS_KEY, "freshness-key.pem", "trust-freshness-key"),
            (Purpose.API_PUBLISHER, "api-publisher-email", "release-api-publisher"),
        ],
    )
    def test_a_key_of_a_secret(
        self, target: Target, purpose: Purpose, name: str, secret: str
    ) -> None:
        (target.folder / "secrets" / purpose / name).unlink()
        job = target.index()
        assert (job.code, job.message) == (66, f"Secret {secret} has no key {name}; add it")

    def test_a_key_that_is_one(self, target: Target) -> None:
        target.write_secret(Purpose.RELEASE_KEY, "release-key.pem", b"no key")
        job = target.index()
        assert job.code == 64
        assert job.message.startswith("Secret trust-release-key, key release-key.pem: must be an")

    def test_the_root_s_own_key(self, target: Target) -> None:
        target.trust = Trust(freshness=target.trust.freshness)
        job = target.index()
        assert job.code == 64
        assert "key release-key.pem: is no key of the role targets in root 1" in job.message

    def test_the_chain_of_roots(self, target: Target) -> None:
        target.trust.chain.clear()
        job = target.index()
        assert job.code == 66
        assert job.message.startswith("ConfigMap trust-root has no key 1.root.json")

    def test_its_own_input(self, target: Target) -> None:
        running = target.start(target.index_task(), IndexInput(), parts=2)
        (running.folder / "input" / "0001").unlink(missing_ok=True)
        job = running.wait()
        assert job.code == 65
        assert "the task says" in job.message

    def test_the_api(self, target: Target) -> None:
        nowhere = target.remote("release-api-publisher").model_copy(
            update={"url": "https://127.0.0.1:1"}
        )
        job = target.index(publisher=nowhere)
        assert job.code == 69
        assert "cannot be reached" in job.message

    def test_a_login_that_may_write(self, target: Target, client: ReleaseApi) -> None:
        store = TufFiles(client.session)
        with pytest.raises(ForbiddenError, match=r"write 1\.root\.json of the index"):
            publisher(target, store, client).publish(wish())


@pytest.fixture
def seen(target: Target, client: ReleaseApi) -> IndexClient:
    """A device that has seen two versions of an index."""
    made = target.put()
    published(target, listed(made), channel_of(listed(made)))
    device = target.device(client)
    device.refresh()
    published(target, listed(target.put()))
    device.refresh()
    return device


class TestAttacks:
    """By whoever has broken into the release API, each refused for its own reason."""

    def test_rollback(self, target: Target, client: ReleaseApi) -> None:
        published(target)
        older = target.stored()["timestamp.json"]
        published(target, listed(target.put()))
        device = target.device(client)
        device.refresh()
        target.tamper("timestamp.json", older)
        with pytest.raises(RollbackError, match="New timestamp version 1 must be >= 2"):
            device.refresh()

    @pytest.mark.usefixtures("seen")
    def test_freeze(self, target: Target, client: ReleaseApi) -> None:
        later = target.device(client, clock=lambda: now() + WEEK)
        with pytest.raises(StaleIndexError, match="out of date"):
            later.refresh()

    def test_mix_and_match(self, target: Target, client: ReleaseApi) -> None:
        published(target, listed(target.put()))
        published(target, listed(target.put()))
        files = target.stored()
        for role in ("snapshot", "targets"):
            target.tamper(f"2.{role}.json", files[f"1.{role}.json"])
            with pytest.raises(TrustError, match="is not the one that its index names"):
                target.device(client).refresh()
            target.tamper(f"2.{role}.json", files[f"2.{role}.json"])
        assert target.device(client).refresh().timestamp.version == 2

    def test_older_targets_by_a_stolen_freshness_key(
        self, target: Target, seen: IndexClient
    ) -> None:
        signer, files = target.trust.signer(), target.stored()
        snapshot = signer.snapshot(3, meta_of(1, files["1.targets.json"]), now())
        target.tamper("3.snapshot.json", snapshot)
        stolen = signer.timestamp(3, meta_of(3, snapshot), now())
        target.tamper("timestamp.json", stolen, version=3)
        with pytest.raises(RollbackError, match=r"Expected targets\.json version 1, got 2"):
            seen.refresh()

    @pytest.mark.usefixtures("seen")
    def test_wrong_root(self, target: Target, client: ReleaseApi, tmp_path: Path) -> None:
        stranger = Target(target.api, tmp_path / "stranger")
        with pytest.raises(TrustError, match="not signed by the keys that the root names"):
            stranger.device(client).refresh()

    def test_a_root_that_nobody_signed(self, target: Target, seen: IndexClient) -> None:
        stranger = Trust()
        stranger.rotate({})
        target.tamper("2.root.json", stranger.chain["2.root.json"])
        with pytest.raises(TrustError, match="not signed by the keys that the root names"):
            seen.refresh()

    def test_fast_forward(self, target: Target, seen: IndexClient) -> None:
        signer, files = target.trust.signer(), target.stored()
        snapshot = signer.snapshot(10**6, meta_of(2, files["2.targets.json"]), now())
        target.tamper(f"{10**6}.snapshot.json", snapshot)
        stolen = signer.timestamp(10**6, meta_of(10**6, snapshot), now())
        target.tamper("timestamp.json", stolen, version=10**6)
        assert seen.refresh().timestamp.version == 10**6
        # The server is mended, and the device believes only what is newer than the thief's.
        target.tamper("timestamp.json", files["timestamp.json"], version=2)
        with pytest.raises(RollbackError, match="must be >= 1000000"):
            seen.refresh()
        # Until a root names another key: what the stolen one signed is forgotten.
        target.trust.freshness = key("new freshness key")
        target.trust.rotate({FRESHNESS_ROLES: RootKeys((target.trust.freshness.public,))})
        published(target)
        assert seen.refresh().timestamp.version == 3

    def test_a_target_that_was_replaced(self, target: Target, client: ReleaseApi) -> None:
        made = target.put()
        published(target, listed(made))
        device = target.device(client)
        index = device.refresh()
        target.tamper_targets(made.raw.replace(b"0.98", b"0.99"))
        with pytest.raises(TrustError, match="not the one that its index names"):
            SignedTrust(device, index).manifest(Release(made.model, made.version))

    @pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
    def test_an_endless_file(self, target: Target, client: ReleaseApi, name: str) -> None:
        published(target)
        published(target, listed(target.put()))
        target.tamper(name, target.stored()[name] + b" " * (9 << 20), version=2)
        with pytest.raises(TooLongError, match="bytes that such an answer may have"):
            target.device(client).refresh()

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"no JSON"])
    def test_what_is_no_metadata(self, target: Target, seen: IndexClient, body: bytes) -> None:
        target.tamper("timestamp.json", body, version=3)
        with pytest.raises(TrustError, match="cannot be believed"):
            seen.refresh()

    def test_the_job_signs_nothing_upon_an_older_index(self, target: Target) -> None:
        gone = listed(target.put())
        published(target, gone)
        older = target.stored()["timestamp.json"]
        published(target, withdrawn(gone))
        target.tamper("timestamp.json", older, version=1)
        before = target.stored()
        job = target.index(known_version=2)
        assert job.code == 65
        assert "has index 1, and index 2 was there before" in job.message
        assert target.stored() == before

    def test_the_job_signs_nothing_upon_what_nobody_signed(self, target: Target) -> None:
        published(target, listed(target.put()))
        document = json.loads(target.stored()["timestamp.json"])
        document["signed"]["snapshot"] = 7
        target.tamper("timestamp.json", json.dumps(document).encode())
        before = target.stored()
        job = target.index(listed(target.put()))
        assert job.code == 65
        assert "not signed by the keys that the root names" in job.message
        assert target.stored() == before


class TestRotation:
    def test_of_the_release_key(self, target: Target, client: ReleaseApi) -> None:
        """Both count, the new one signs, the old one is dropped: no device notices anything."""
        made = target.put()
        release = listed(made)
        published(target, release)
        device = target.device(client)
        device.refresh()
        old, new = target.trust.release, key("new release key")
        target.trust.rotate({RELEASE_ROLES: RootKeys((old.public, new.public))})
        target.trust.release = new
        published(target, release)
        assert device.refresh().root.version == 2
        target.trust.rotate({RELEASE_ROLES: RootKeys((new.public,))})
        published(target, release)
        index = device.refresh()
        assert (index.root.version, index.targets.version, len(index.targets.targets)) == (3, 2, 1)

    def test_of_a_release_key_that_leaked(self, target: Target, client: ReleaseApi) -> None:
        """What only the thief has listed is gone, and so is what the cluster forgot to name."""
        forgotten, named = listed(target.put()), listed(target.put())
        published(target, forgotten, named)
        device = target.device(client)
        device.refresh()
        target.trust.release = key("new release key")
        target.trust.rotate({RELEASE_ROLES: RootKeys((target.trust.release.public,))})
        published(target, named)
        assert list(device.refresh().targets.targets) == [
            f"{named.model}/{named.version}/manifest.json"
        ]


class TestTime:
    def test_a_release_whose_time_is_over(self, target: Target, client: ReleaseApi) -> None:
        made = target.put()
        published(target, listed(made, format_time(now() + DAY)))
        device = target.device(client, clock=lambda: now() + 2 * DAY)
        release = Release(made.model, made.version)
        with pytest.raises(ExpiredReleaseError, match="could be opened until"):
            SignedTrust(device, device.refresh()).manifest(release)
        today = target.device(client)
        assert SignedTrust(today, today.refresh()).manifest(release)

    def test_offline(self, tmp_path: Path) -> None:
        with release_api.release_api_server(tmp_path / "own") as api:
            own = Target(api, tmp_path / "own-target")
            made = own.put()
            published(own, listed(made), channel_of(listed(made)))
            with own.connected() as reader:
                device = own.device(reader)
                trust = SignedTrust(device, device.refresh())
                release = trust.channel(made.model, "stable")
                trust.manifest(release)
                api.stop()
                with pytest.raises(TransientError, match="cannot be reached"):
                    device.refresh()
                kept = SignedTrust(device, device.offline())
                assert kept.manifest(kept.channel(made.model, "stable")).raw == made.raw
                late = own.device(reader, clock=lambda: now() + WEEK)
                with pytest.raises(StaleIndexError, match="out of date"):
                    late.offline()
                early = own.device(reader, clock=lambda: datetime(1970, 1, 1, tzinfo=UTC))
                assert early.offline().now > now() - DAY

    def test_nothing_was_seen_yet(self, target: Target, client: ReleaseApi) -> None:
        with pytest.raises(UnavailableError, match=r"there is no timestamp\.json"):
            target.device(client).refresh()
        with pytest.raises(UnavailableError, match=r"there is no timestamp\.json"):
            target.device(client).offline()
