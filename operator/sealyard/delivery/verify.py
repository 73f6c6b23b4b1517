"""Prove that a delivery opens: both parts by the other credentials, compared and not kept."""

from __future__ import annotations

import logging

from sealyard.api.answers import VerifyResult
from sealyard.api.tasks import ExportedVariant, VerifyTask
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.opening_pipeline import Opening, Progress
from sealyard.delivery.readers import ObjectReader
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.source import platform_of
from sealyard.errors import IntegrityError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import open_sealed
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import Entry, Manifest
from sealyard.sealing.slots import OpeningKeys

logger = logging.getLogger(__name__)


def verify(task: VerifyTask, *, api: ReleaseApi, cdn: Cdn, keyring: Keyring) -> VerifyResult:
    """Fetch and open every variant of a release in a stream, and compare it with its export.

    Args:
        task: says which manifest, by digest, and what was exported.
        api: with a login of role Verifier.
        cdn: with a credential that may read.
        keyring: opens the parts.

    Raises:
        IntegrityError: something is not as it was published or exported.
        MissingError: a part, or a key of the keyring, is not there.
        UnavailableError: a store fails.
        RefusedError: a store refuses the credentials.
    """
    release = Release(task.model, task.version)
    manifest = Manifest.parse(api.manifest(release), sha256=task.manifest_sha256)
    promised = {variant.name for variant in manifest.predicate.variants}
    exported = {variant.spec.name: variant for variant in task.variants}
    if promised != set(exported):
        raise IntegrityError(
            f"the manifest of {release} has the variants {', '.join(sorted(promised))}, "
            f"{', '.join(sorted(exported))} were exported"
        )
    for name, variant in exported.items():
        entry = manifest.entry(ReleaseContext(task.model, task.version, name))
        _check_entry(entry, variant)
        check_opens(entry, api=api, cdn=cdn, keys=keyring)
        logger.info("%s opens, its digest is the export's", entry.context)
    return VerifyResult(manifest_sha256=task.manifest_sha256, variants=sorted(exported))


def _check_entry(entry: Entry, exported: ExportedVariant) -> None:
    promised = (entry.plaintext_sha256, entry.variant.plaintext_bytes)
    if promised != (exported.sha256, exported.size_bytes):
        raise IntegrityError(
            f"{entry.context}: the manifest promises SHA-256 {promised[0]} and {promised[1]} "
            f"bytes, {exported.sha256} and {exported.size_bytes} bytes were exported"
        )
    if entry.variant.platform != platform_of(exported):
        raise IntegrityError(
            f"{entry.context}: the manifest offers it to other machines than it was exported for"
        )


def check_opens(
    entry: Entry,
    *,
    api: ReleaseApi,
    cdn: Cdn,
    keys: OpeningKeys,
    progress: Progress = lambda _done, _all: None,
) -> None:
    """Fetch both parts of a variant and open them in a stream, to what the manifest says.

    Args:
        entry: what the manifest says about the variant.
        api: with a login that may read small parts.
        cdn: with a credential that may read.
        keys: open the parts.
        progress: told how many bytes of how many of the plaintext are opened.

    Raises:
        IntegrityError, MissingError, UnavailableError, RefusedError: as `verify`.
    """
    small = api.small(entry.context)
    big = ObjectReader(cdn, entry.variant.big.key, entry.variant.big.size_bytes)
    try:
        opener = open_sealed(entry, small=small, big=big, keys=keys)
        opening = Opening(opener, hashing=True, progress=progress)
        opening.open_from(big, range(opener.layout.segments))
        opening.finish(entry)
    except IntegrityError as error:
        raise IntegrityError(f"{entry.context}: {error}") from None
    if opening.sha256 != entry.plaintext_sha256:
        raise IntegrityError(
            f"{entry.context}: opens to SHA-256 {opening.sha256}, "
            f"{entry.plaintext_sha256} was sealed"
        )
