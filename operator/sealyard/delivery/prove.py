"""Prove to a person what the verify Job proves to the operator: that a published release opens.

Nobody says here what was exported, so the manifest is the only measure. Every variant is tried,
also after one that does not open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sealyard.delivery.cdn import Cdn
from sealyard.delivery.pull import Progress
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.trust import Trust, TrustedManifest, TrustName
from sealyard.delivery.verify import check_opens
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.manifest import Entry, Manifest
from sealyard.sealing.slots import OpeningKeys


@dataclass(frozen=True, slots=True)
class Proof:
    """One variant: opened to what its manifest says, or refused.

    Attributes:
        entry: what the manifest says about it.
        refusal: why it does not open; None if it does.
    """

    entry: Entry
    refusal: IntegrityError | MissingError | None


@dataclass(frozen=True, slots=True)
class Proofs:
    """A release that was tried.

    Attributes:
        manifest_sha256: hex.
        trust: where the trust in the manifest comes from.
        variants: in the manifest's order.
    """

    manifest_sha256: str
    trust: TrustName
    variants: tuple[Proof, ...]


def prove(
    release: Release,
    variant: str | None,
    *,
    manifest_sha256: str | None,
    api: ReleaseApi,
    cdn: Cdn,
    trust: Trust,
    keys: OpeningKeys,
    progress: Progress = lambda _done, _all: None,
) -> Proofs:
    """Fetch both parts of every variant, open them in a stream, and keep nothing.

    Args:
        release: which.
        variant: only this one; all of them without it.
        manifest_sha256: the hex digest that the manifest must have, if somebody said.
        api: with a login that may read small parts.
        cdn: with a credential that may read.
        trust: vouches for the manifest.
        keys: open the parts.
        progress: told how many bytes of how many, of all variants, are opened.

    Raises:
        InvalidError: the release has no such variant, or the digest is none.
        IntegrityError: the manifest is not the one that was meant, or cannot be trusted.
        NotPublishedError: the release has no manifest.
        UnavailableError: a store fails.
        RefusedError: a store refuses the credentials.
    """
    if manifest_sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", manifest_sha256):
        raise InvalidError(f"manifest SHA-256: {manifest_sha256[:80]!r} must be 64 of 0-9 and a-f")
    trusted = trust.manifest(release)
    entries = _entries(trusted, release, variant, manifest_sha256)
    total = sum(entry.variant.plaintext_bytes for entry in entries)
    before = 0

    def opened(done: int, _all: int) -> None:
        progress(before + done, total)

    proofs = []
    for entry in entries:
        refusal: IntegrityError | MissingError | None = None
        try:
            check_opens(entry, api=api, cdn=cdn, keys=keys, progress=opened)
        except IntegrityError as error:
            refusal = error
        except MissingError as error:
            refusal = MissingError(f"{entry.context}: {error}")
        proofs.append(Proof(entry, refusal))
        before += entry.variant.plaintext_bytes
    return Proofs(trusted.sha256, trusted.trust, tuple(proofs))


def _entries(
    trusted: TrustedManifest, release: Release, variant: str | None, manifest_sha256: str | None
) -> list[Entry]:
    manifest = Manifest.parse(trusted.raw, sha256=manifest_sha256)
    names = [found.name for found in manifest.predicate.variants] if variant is None else [variant]
    return [manifest.entry(ReleaseContext(release.model, release.version, name)) for name in names]
