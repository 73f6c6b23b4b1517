"""The index Job against the real release API, and what a device makes of what lies there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sealyard.api.index import IndexInput
from sealyard.api.secrets import Purpose
from sealyard.core.times import format_time
from sealyard.delivery.index.errors import NotListedError
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.refusals import ForbiddenError
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.tuf_files import TufFiles
from sealyard.jobs.process import Interrupted
from support.authorised import Target, listed
from support.index import Trust, channel_of, version_of, wish, withdrawn
from support.published import now, published, publisher

pytestmark = pytest.mark.stores


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
