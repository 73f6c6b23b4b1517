"""Bring a release back: fetch both parts of a variant, check everything, open it.

The order is that of contracts.md section 4: the manifest, the small part, the size and the tree of
the big part, the key, and then each segment before it is written. A plaintext appears at its place
with mode 0600, after its last byte was checked; until then it has no name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.delivery.cdn import Cdn
from sealyard.delivery.fetch import fetch_all, proved_segments
from sealyard.delivery.kept import (
    MANIFEST_FILE,
    explained,
    kept_manifest,
    kept_parts,
    private_file,
    unnamed_file,
    write_at,
)
from sealyard.delivery.opening_pipeline import Opening, Progress, Write
from sealyard.delivery.partial import Partial, partial_beside
from sealyard.delivery.readers import FileReader, ObjectReader, Source
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.trust import Trust, TrustedManifest, TrustName
from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import OpenedReader, format_named, open_sealed
from sealyard.sealing.layout import Range
from sealyard.sealing.manifest import Entry, Manifest, object_key
from sealyard.sealing.slots import OpeningKeys

__all__ = ["Progress", "Pulled", "Puller", "chosen", "open_kept", "open_kept_range"]


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
        progress: told how many bytes of how many are fetched; where segments prove themselves,
            they are open then.
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

        What was fetched is kept beside the place that it goes to, until it is there: if this is
        interrupted or fails, the next pull of the same object to the same place goes on with it.

        Args:
            release: which.
            variant: which; may be left out where the release has only one.
            output: where the plaintext goes.
            sealed: a folder that keeps the manifest and both sealed parts, for `open_kept`.
                Without an output they are opened all the same, to prove that they do.

        Raises:
            InvalidError: the release has no such variant, or several and none is named; or there is
                no place.
            IntegrityError: something is not as the manifest says.
            MissingError: the release, a part or a key is not there; or a folder that is written to.
            UnavailableError: a store fails, or another pull to this place is under way.
            RefusedError: a store refuses the credentials.
        """
        trusted = self.trust.manifest(release)
        entry = chosen(trusted.manifest, release, variant)
        self._check_place(entry)
        small = self.api.small(entry.context)
        opened = self.keys.opened_small(small)
        format_named(entry.variant.sealing.format).checked_layout(entry, small=opened)
        with (
            partial_beside(_place(entry, output, sealed), _object_id(entry)) as partial,
            _written(output) as write,
        ):
            if entry.variant.sealing.format == "sealed-v2":
                trailer = self._open_as_it_comes(entry, small, partial, write)
            else:
                trailer = self._fetch_then_open(entry, small, partial, write)
            if sealed is not None:
                partial.append(trailer)
                partial.take_place()
                _keep_rest(sealed, entry, small, trusted)
        return Pulled(entry, trusted.sha256, trusted.trust, output, sealed)

    def _check_place(self, entry: Entry) -> None:
        key = entry.variant.big.key
        if self.prefix is not None and key != object_key(self.prefix, _object_id(entry)):
            raise IntegrityError(
                f"{entry.context}: its big part is {key}, which is not below {self.prefix}/objects"
            )

    def _open_as_it_comes(
        self, entry: Entry, small: bytes, partial: Partial, write: Write
    ) -> bytes:
        """sealed-v2: each segment proves itself, so it is opened when it is there."""
        remote = self._remote(entry)
        opener = open_sealed(entry, small=small, big=remote, keys=self.keys)
        layout = opener.layout
        opening = Opening(opener, write=write, progress=self.progress)
        with partial.reader() as before:
            proved = proved_segments(opener, before)
            partial.cut(layout.end_of(proved))
            opening.open_from(before, range(proved))
        opening.open_from(remote, range(proved, layout.segments), arrived=partial.append)
        return opener.trailer

    def _fetch_then_open(self, entry: Entry, small: bytes, partial: Partial, write: Write) -> bytes:
        """aes-256-cbc-v1: nothing is decrypted before the digest of all of big was compared."""
        fetch_all(self._remote(entry), entry, partial, progress=self.progress)
        with partial.reader() as big:
            _open(entry, small=small, big=big, keys=self.keys, write=write)
        return b""

    def _remote(self, entry: Entry) -> ObjectReader:
        big = entry.variant.big
        return ObjectReader(self.cdn, big.key, big.size_bytes)


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
    with _kept_pair(sealed, entry) as (small, big), _written(output) as write:
        _open(entry, small=small, big=big, keys=keys, write=write, progress=progress)
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
        opener = open_sealed(entry, small=small, big=big, keys=keys)
        yield from OpenedReader(opener, big).stream(wanted)


@contextmanager
def _kept_pair(sealed: Path, entry: Entry) -> Iterator[tuple[bytes, FileReader]]:
    """The small part, at most a byte longer than it may be, and a reader of the big one."""
    small_path, big_path = kept_parts(sealed, entry.variant.name)
    with FileReader.open(small_path) as small, FileReader.open(big_path) as big:
        yield small.read_at(0, min(small.size, entry.variant.small.size_bytes + 1)), big


def _open(
    entry: Entry,
    *,
    small: bytes,
    big: Source,
    keys: OpeningKeys,
    write: Write,
    progress: Progress = lambda _done, _all: None,
) -> None:
    opener = open_sealed(entry, small=small, big=big, keys=keys)
    opening = Opening(opener, write=write, progress=progress)
    opening.open_from(big, range(opener.layout.segments))
    opening.finish(entry)


def _object_id(entry: Entry) -> str:
    return entry.variant.big.key.rsplit("/", 1)[-1]


def _place(entry: Entry, output: Path | None, sealed: Path | None) -> Path:
    """What the big part is fetched for."""
    if sealed is not None:
        with explained(sealed):
            sealed.mkdir(mode=0o700, parents=True, exist_ok=True)
        return kept_parts(sealed, entry.variant.name)[1]
    if output is None:
        raise InvalidError("pull: give an output, a folder for the sealed parts, or both")
    return output


def _keep_rest(folder: Path, entry: Entry, small: bytes, trusted: TrustedManifest) -> None:
    """The small part, and the manifest last: a folder that has it has the parts that it names."""
    small_path, _ = kept_parts(folder, entry.variant.name)
    for path, content in ((small_path, small), (folder / MANIFEST_FILE, trusted.raw)):
        with explained(folder), private_file(path) as file:
            file.write(content)


@contextmanager
def _written(path: Path | None) -> Iterator[Write]:
    """Writes a plaintext, which is at its place when the block has ended without an error."""
    if path is None:
        yield lambda _offset, _plain: None
        return
    with explained(path), unnamed_file(path) as descriptor:

        def write(offset: int, plain: memoryview) -> None:
            with explained(path):
                write_at(descriptor, offset, plain)

        yield write
