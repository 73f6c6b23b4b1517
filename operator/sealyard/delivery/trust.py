"""Where the trust in a manifest comes from: the seam, and the way without an index.

`sealyard.delivery.index.trust` has the other one, which believes a signed index and no server.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.sealing.manifest import Manifest

TrustName: TypeAlias = Literal["unsigned", "signed"]


@dataclass(frozen=True, slots=True)
class TrustedManifest:
    """A manifest and why it is believed.

    Attributes:
        manifest: parsed.
        raw: its bytes as they were received.
        trust: shown to the user beside everything that follows from the manifest.
    """

    manifest: Manifest
    raw: bytes
    trust: TrustName

    @property
    def sha256(self) -> str:
        """The hex digest of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()


class Trust(Protocol):
    """Finds the manifest of a release and vouches for it."""

    @property
    def name(self) -> TrustName:
        """What is shown to the user."""

    def manifest(self, release: Release) -> TrustedManifest:
        """The manifest of a release.

        Raises:
            IntegrityError: what was found cannot be trusted, or is no manifest.
            NotPublishedError: there is none.
            UnavailableError: it cannot be asked for.
        """


class UnsignedApiTrust:
    """Believes what the release API says over verified TLS: nobody has signed it.

    Args:
        api: with a login that may read manifests.
    """

    name: TrustName = "unsigned"

    def __init__(self, api: ReleaseApi) -> None:
        self._api = api

    def manifest(self, release: Release) -> TrustedManifest:
        """The manifest that the API has."""
        raw = self._api.manifest(release)
        return TrustedManifest(Manifest.parse(raw), raw, self.name)
