"""A whole release in a folder, compared with its manifest by who has no key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.delivery.kept import kept_manifest_bytes, kept_parts
from sealyard.delivery.pull import Progress
from sealyard.delivery.readers import FileReader
from sealyard.delivery.release_api import Release
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import check_parts
from sealyard.sealing.manifest import Entry, Manifest


@dataclass(frozen=True, slots=True)
class KeptVariant:
    """Both parts of a variant, which are those of the manifest.

    Attributes:
        entry: what the manifest says about it.
        small: the small part.
        big: the big part's file, open.
    """

    entry: Entry
    small: bytes
    big: FileReader


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """All parts of a release, and its manifest.

    Attributes:
        release: model and version.
        raw: the manifest's bytes as they are.
        variants: each that the manifest names.
    """

    release: Release
    raw: bytes
    variants: tuple[KeptVariant, ...]

    @property
    def sha256(self) -> str:
        """The manifest's hex digest."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def big_bytes(self) -> int:
        """Of all variants."""
        return sum(variant.big.size for variant in self.variants)


@contextmanager
def checked_release(
    folder: Path, *, progress: Progress = lambda _done, _all: None
) -> Iterator[KeptRelease]:
    """The release in a folder, once every byte of it agrees with the manifest; open for the block.

    Args:
        folder: has the manifest, and both parts of every variant.
        progress: told how many bytes of how many were compared.

    Raises:
        MissingError: the manifest or a part is not there.
        IntegrityError: something is not as the manifest says.
    """
    raw = kept_manifest_bytes(folder)
    manifest = Manifest.parse(raw)
    release = Release(manifest.predicate.model, manifest.predicate.version)
    with ExitStack() as opened:
        names = [variant.name for variant in manifest.predicate.variants]
        variants = tuple(_opened(folder, manifest, release, name, opened) for name in names)
        kept = KeptRelease(release, raw, variants)
        done = 0
        for variant in variants:
            for count in _compared(variant):
                done += count
                progress(done, kept.big_bytes)
        yield kept


def _opened(
    folder: Path, manifest: Manifest, release: Release, variant: str, opened: ExitStack
) -> KeptVariant:
    entry = manifest.entry(ReleaseContext(release.model, release.version, variant))
    small_path, big_path = kept_parts(folder, variant)
    big = opened.enter_context(FileReader.open(big_path))
    with FileReader.open(small_path) as small:
        return KeptVariant(entry, small.read_at(0, entry.variant.small.size_bytes + 1), big)


def _compared(variant: KeptVariant) -> Iterator[int]:
    try:
        yield from check_parts(
            variant.entry, small=variant.small, big=variant.big, in_order=in_threads
        )
    except IntegrityError as error:
        raise IntegrityError(f"{variant.entry.context}: {error}") from None
