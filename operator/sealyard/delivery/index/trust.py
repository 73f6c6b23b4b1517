"""Trust in a manifest that comes from the signed index."""

from __future__ import annotations

from pydantic import ValidationError
from tuf.api.metadata import TargetFile

from sealyard.api.index import ListedChannel, channel_target, manifest_target
from sealyard.delivery.index.client import Index, IndexClient
from sealyard.delivery.index.current import listed_by
from sealyard.delivery.index.errors import ExpiredReleaseError, NotListedError, TrustError
from sealyard.delivery.index.listing import is_over
from sealyard.delivery.release_api import Release
from sealyard.delivery.trust import TrustedManifest, TrustName
from sealyard.sealing.manifest import Manifest


class SignedTrust:
    """Believes the index, whoever serves it: what it lists, for as long as it does. A `Trust`.

    Args:
        client: fetches the files that are listed.
        index: as the client has verified it.
    """

    name: TrustName = "signed"

    def __init__(self, client: IndexClient, index: Index) -> None:
        self._client = client
        self._index = index

    def channel(self, model: str, channel: str) -> Release:
        """The release that a channel names now.

        Raises:
            NotListedError: there is no such channel.
            TrustError: what is listed is no such channel, or names what is not listed with it.
            UnavailableError: the store cannot be reached.
        """
        path = channel_target(model, channel)
        target = self._target(path, f"channel {channel!r} of {model}")
        try:
            found = ListedChannel.model_validate_json(self._client.file(target))
        except ValidationError:
            raise TrustError(f"{self._index.server}: {path} is listed and is no channel") from None
        listed = listed_by(self._index.targets).get(manifest_target(model, found.version))
        is_it = (found.model, found.channel) == (model, channel)
        if not is_it or listed is None or listed.sha256 != found.manifest_sha256:
            raise TrustError(
                f"{self._index.server}: {path} does not name a release that is listed with it"
            )
        return Release(model, found.version)

    def manifest(self, release: Release) -> TrustedManifest:
        """The manifest that is listed, by its digest.

        Raises:
            NotListedError: it is not listed, or no more.
            ExpiredReleaseError: its time is over.
            TrustError: what is there is not what is listed.
            UnavailableError: the store cannot be reached.
        """
        path = manifest_target(release.model, release.version)
        target = self._target(path, str(release))
        not_after = listed_by(self._index.targets)[path].not_after
        if is_over(not_after, self._index.now):
            raise ExpiredReleaseError(
                f"{release} could be opened until {not_after}, which is over; take a newer version"
            )
        raw = self._client.file(target)
        manifest = Manifest.parse(raw, sha256=target.hashes["sha256"])
        return TrustedManifest(manifest, raw, self.name)

    def _target(self, path: str, what: str) -> TargetFile:
        target = self._index.targets.targets.get(path)
        if target is None or "sha256" not in target.hashes:
            raise NotListedError(
                f"{self._index.server}: its index lists no {what}; it was not released there, or "
                "was withdrawn"
            )
        return target
