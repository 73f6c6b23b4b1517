"""Bring a release back: fetch both parts of a variant, check everything, open it.

The order is that of contracts.md section 4: the manifest, the small part, the size and the tree of
the big part, the key, and then each segment before it is written. A plaintext appears at its place
by rename, with mode 0600, after its last byte was checked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

from sealyard.delivery.cdn import Cdn
from sealyard.delivery.kept import (
    MANIFEST_FILE,
    explained,
    kept_manifest,
    kept_parts,
    private_file,
)
from sealyard.delivery.readers import FileReader, ObjectReader
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.threads import in_threads
from sealyard.delivery.trust import Trust, TrustedManifest, TrustName
from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import OpenedReader, open_sealed, open_stream
from sealyard.sealing.layout import SEGMENT_BYTES, Range, Reader
from sealyard.sealing.manifest import Entry, Manifest, object_key
from sealyard.sealing.slots import OpeningKeys

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of how many are opened."""

_COPIED_AT_ONCE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was brought back.

    Attributes:
        entry: what the manifest says about the variant.
        manifest_sha256: hex.
        trust: where the trust in the manifest comes from.
        output: the plaintext, if it was asked for.
        sealed: the folder with the sealed parts, if they were asked for.
    """

    entry: Entry
    manifest_sha256: str
    trust: TrustName
    output: Path | None
    sealed: Path | None


@dataclass(frozen=True, slots=True)
class Puller:
    """Brings releases back from one pair of stores.

    Attributes:
        api: with a login that may read small parts.
        cdn: with a credential that may read.
        trust: vouches for the manifest.
        keys: open the parts.
        prefix: what object keys must begin with; None where it does not matter.
        progress: told how far it is.
    """

    api: ReleaseApi
    cdn: Cdn
    trust: Trust
    keys: OpeningKeys
    prefix: str | None = None
    progress: Progress = lambda _done, _all: None

    def pull(
        self, release: Release, variant: str | None, *, output: Path | None, sealed: Path | None
    ) -> Pulled:
        """Fetch and open one variant.

        Args:
            release: which.
            variant: which; may be left out where the release has only one.
            output: where the plaintext goes.
            sealed: a folder that keeps the manifest and both sealed parts, for `open_kept`.
                Without an output they are opened all the same, to prove that they do.

        Raises:
            InvalidError: the release has no such variant, or several and none is named.
            IntegrityError: something is not as the manifest says.
            MissingError: the release, a part or a key is not there; or a folder that is written to.
            UnavailableError: a store fails.
            RefusedError: a store refuses the credentials.
        """
        trusted = self.trust.manifest(release)
        entry = chosen(trusted.manifest, release, variant)
        self._check_place(entry)
        small = self.api.small(entry.context)
        with ExitStack() as opened:
            big = self._big(entry, small, trusted, opened, output=output, sealed=sealed)
            open_to(output, entry, small=small, big=big, keys=self.keys, progress=self.progress)
        return Pulled(entry, trusted.sha256, trusted.trust, output, sealed)

    def _check_place(self, entry: Entry) -> None:
        key = entry.variant.big.key
        if self.prefix is not None and key != object_key(self.prefix, key.rsplit("/", 1)[-1]):
            raise IntegrityError(
                f"{entry.context}: its big part is {key}, which is not below {self.prefix}/objects"
            )

    def _big(
        self,
        entry: Entry,
        small: bytes,
        trusted: TrustedManifest,
        opened: ExitStack,
        *,
        output: Path | None,
        sealed: Path | None,
    ) -> Reader:
        """A reader of the big part: where it must be read twice or kept, it is fetched first."""
        remote = opened.enter_context(ObjectReader(self.cdn, entry.variant.big.key))
        if remote.size != entry.variant.big.size_bytes:
            raise IntegrityError(
                f"big part: {remote.size} bytes, the manifest says {entry.variant.big.size_bytes}"
            )
        if sealed is not None:
            kept = _keep(sealed, entry, small, trusted, remote)
            return opened.enter_context(FileReader.open(kept))
        if entry.variant.sealing.format == "aes-256-cbc-v1":
            return opened.enter_context(_spooled(remote, output.parent if output else None))
        return remote


def chosen(manifest: Manifest, release: Release, variant: str | None) -> Entry:
    """The entry of the variant that was asked for, or of the only one.

    Raises:
        InvalidError: there is no such variant, or several and none was asked for.
        IntegrityError: the manifest is of another release.
    """
    names = [found.name for found in manifest.predicate.variants]
    if variant is None and len(names) > 1:
        raise InvalidError(f"{release} has the variants {', '.join(names)}; choose with --variant")
    return manifest.entry(ReleaseContext(release.model, release.version, variant or names[0]))


def open_kept(
    sealed: Path,
    variant: str | None,
    *,
    keys: OpeningKeys,
    output: Path | None,
    progress: Progress = lambda _done, _all: None,
) -> Pulled:
    """Open what `Puller.pull` kept, without any network.

    Raises:
        MissingError: the folder has no such parts.
        InvalidError, IntegrityError: as `Puller.pull`.
    """
    manifest, raw_sha256 = kept_manifest(sealed)
    predicate = manifest.predicate
    entry = chosen(manifest, Release(predicate.model, predicate.version), variant)
    with _kept_pair(sealed, entry) as (small, big):
        open_to(output, entry, small=small, big=big, keys=keys, progress=progress)
    return Pulled(entry, raw_sha256, "unsigned", output, sealed)


def open_kept_range(
    sealed: Path, variant: str | None, wanted: Range, *, keys: OpeningKeys
) -> Iterator[bytes]:
    """The bytes of a range of the plaintext, in pieces; only segments that it touches are opened.

    Raises:
        InvalidError: the range does not lie in the plaintext.
        MissingError, IntegrityError: as `open_kept`; what was given until then proved itself.
    """
    manifest, _ = kept_manifest(sealed)
    entry = chosen(manifest, Release(manifest.predicate.model, manifest.predicate.version), variant)
    size, end = entry.variant.plaintext_bytes, wanted.offset + wanted.length
    if wanted.offset < 0 or wanted.length < 0 or end > size:
        raise InvalidError(
            f"range: {wanted.offset}:{wanted.length} must lie in the {size} bytes of the plaintext"
        )
    with _kept_pair(sealed, entry) as (small, big):
        reader = OpenedReader(open_sealed(entry, small=small, big=big, keys=keys), big)
        for offset in range(wanted.offset, end, SEGMENT_BYTES):
            yield reader.read_at(offset, min(SEGMENT_BYTES, end - offset))


@contextmanager
def _kept_pair(sealed: Path, entry: Entry) -> Iterator[tuple[bytes, Reader]]:
    """The small part, at most a byte longer than it may be, and a reader of the big one."""
    small_path, big_path = kept_parts(sealed, entry.variant.name)
    with FileReader.open(small_path) as small, FileReader.open(big_path) as big:
        yield small.read_at(0, min(small.size, entry.variant.small.size_bytes + 1)), big


def open_to(
    output: Path | None,
    entry: Entry,
    *,
    small: bytes,
    big: Reader,
    keys: OpeningKeys,
    progress: Progress,
) -> None:
    """Open an artifact to a file, or to nowhere, only to prove that it opens."""
    opener = open_sealed(entry, small=small, big=big, keys=keys)
    total, done = entry.variant.plaintext_bytes, 0
    with _written(output) as write:
        for chunk in open_stream(opener, big, sha256=entry.plaintext_sha256, in_order=in_threads):
            write(chunk)
            done += len(chunk)
            progress(done, total)


def _keep(folder: Path, entry: Entry, small: bytes, trusted: TrustedManifest, big: Reader) -> Path:
    """Store the manifest and both sealed parts; returns where the big one is."""
    small_path, big_path = kept_parts(folder, entry.variant.name)
    with explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in ((folder / MANIFEST_FILE, trusted.raw), (small_path, small)):
            with private_file(path) as file:
                file.write(content)
        with private_file(big_path) as file:
            _copy(big, file)
    return big_path


def _spooled(reader: Reader, folder: Path | None) -> FileReader:
    """A copy in a file without a name, on the disk that the output goes to."""
    where = folder or Path(tempfile.gettempdir())
    with explained(where), tempfile.TemporaryFile(dir=where) as file:
        _copy(reader, file)
        return FileReader(os.dup(file.fileno()))


def _copy(reader: Reader, file: IO[bytes]) -> None:
    offsets = range(0, reader.size, _COPIED_AT_ONCE)
    file.writelines(reader.read_at(offset, _COPIED_AT_ONCE) for offset in offsets)
    file.flush()


@contextmanager
def _written(path: Path | None) -> Iterator[Callable[[memoryview], object]]:
    if path is None:
        yield lambda _chunk: None
        return
    with explained(path), private_file(path) as file:
        yield file.write
