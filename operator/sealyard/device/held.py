"""A release that a device holds: both parts, sealed, in a folder; opened for whoever wants it.

What is held opens for as long as the index lists it and has not expired. Whoever opens it has asked
the index just before (`pulling`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.api.device_api import LEGACY_SMALL_MAX_BYTES
from sealyard.delivery.kept import (
    explained,
    kept_manifest_bytes,
    kept_parts,
    unnamed_file,
    write_at,
)
from sealyard.delivery.opening_pipeline import Opening, Progress, Write
from sealyard.delivery.readers import FileReader
from sealyard.delivery.trust import TrustedManifest
from sealyard.device.memory import MemoryFile
from sealyard.errors import IntegrityError, MissingError
from sealyard.sealing.formats import OpenedReader, open_sealed
from sealyard.sealing.manifest import Entry
from sealyard.sealing.slots import OpeningKeys

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldRelease:
    """One variant, sealed, and the keys that open it here.

    Attributes:
        folder: has both parts, and the manifest.
        entry: what the trusted manifest says about the variant.
        manifest_sha256: hex.
        keys: the device's.
    """

    folder: Path
    entry: Entry
    manifest_sha256: str
    keys: OpeningKeys

    @contextmanager
    def reader(self) -> Iterator[OpenedReader]:
        """The plaintext by ranges, each segment proven before it is given.

        Raises:
            MissingError: a part is not there, or was not granted to this device.
            IntegrityError: something is not as the manifest says.
        """
        with self._parts() as (small, big):
            yield OpenedReader(open_sealed(self.entry, small=small, big=big, keys=self.keys), big)

    def memory(self, progress: Progress = lambda _done, _all: None) -> MemoryFile:
        """The plaintext in memory, all of it proven, on no disk; close it when it is done with.

        Raises:
            MissingError, IntegrityError: as `reader`; or there is no room for it.
        """
        context = self.entry.context
        memory = MemoryFile(f"{context.model}-{context.version}-{context.variant}")
        try:
            self._open(memory.write_at, progress)
            memory.freeze()
        except BaseException:
            memory.close()
            raise
        return memory

    def write(self, path: Path, progress: Progress = lambda _done, _all: None) -> None:
        """The plaintext in a file of mode 0600, which has a name once all of it was proven.

        A plaintext cannot be withdrawn.

        Raises:
            MissingError, IntegrityError: as `reader`; or it cannot be written.
        """
        with explained(path), unnamed_file(path) as descriptor:

            def write(offset: int, plain: memoryview) -> None:
                write_at(descriptor, offset, plain)

            self._open(write, progress)

    def prove(self) -> None:
        """Open all of it to nowhere.

        Raises:
            MissingError, IntegrityError: as `reader`.
        """
        self._open(lambda _offset, _plain: None, lambda _done, _all: None)

    def _open(self, write: Write, progress: Progress) -> None:
        with self._parts() as (small, big):
            opener = open_sealed(self.entry, small=small, big=big, keys=self.keys)
            opening = Opening(opener, write=write, progress=progress)
            opening.open_from(big, range(opener.layout.segments))
            opening.finish(self.entry)

    @contextmanager
    def _parts(self) -> Iterator[tuple[bytes, FileReader]]:
        """The small part, at most a byte longer than any may be, and a reader of the big one."""
        small_path, big_path = kept_parts(self.folder, self.entry.variant.name)
        limit = LEGACY_SMALL_MAX_BYTES + 1
        with FileReader.open(small_path) as small, FileReader.open(big_path) as big:
            yield small.read_at(0, limit), big


def holds(release: HeldRelease, trusted: TrustedManifest) -> bool:
    """Whether a release is there, and opens: all of it is read.

    Args:
        release: where it would be.
        trusted: its manifest, as the index lists it.
    """
    try:
        if kept_manifest_bytes(release.folder) != trusted.raw:
            return False
    except (MissingError, IntegrityError):
        return False
    try:
        release.prove()
    except (MissingError, IntegrityError, OSError) as error:  # a disk may fail at any byte
        logger.warning("%s: held, but does not open (%s)", release.entry.context, error)
        return False
    return True


def release_folder(models: Path, trusted: TrustedManifest) -> Path:
    """Where a device keeps a release: by model, version and the beginning of its digest."""
    predicate = trusted.manifest.predicate
    return models / predicate.model / "releases" / f"{predicate.version}-{trusted.sha256[:16]}"
