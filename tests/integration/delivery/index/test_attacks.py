"""What lies there, changed by whoever has broken into the release API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealyard.delivery.http import TooLongError
from sealyard.delivery.index.client import IndexClient
from sealyard.delivery.index.errors import RollbackError, StaleIndexError, TrustError
from sealyard.delivery.index.roots import FRESHNESS_ROLES, RootKeys
from sealyard.delivery.index.signing import meta_of
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.release_api import Release, ReleaseApi
from support.authorised import Target, listed
from support.index import WEEK, Trust, channel_of, key, withdrawn
from support.published import now, published

pytestmark = pytest.mark.stores


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
