"""What time does to an index, and to a device without a network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealyard.core.times import format_time
from sealyard.delivery.index.errors import ExpiredReleaseError, StaleIndexError
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.retry import TransientError
from sealyard.errors import UnavailableError
from support import release_api
from support.authorised import Target, listed
from support.index import DAY, WEEK, channel_of
from support.published import now, published

pytestmark = pytest.mark.stores


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
