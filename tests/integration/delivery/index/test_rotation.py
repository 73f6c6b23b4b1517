"""Keys of an index that are replaced."""

from __future__ import annotations

import pytest

from sealyard.delivery.index.roots import RELEASE_ROLES, RootKeys
from sealyard.delivery.release_api import ReleaseApi
from support.authorised import Target, listed
from support.index import key
from support.published import published

pytestmark = pytest.mark.stores


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
