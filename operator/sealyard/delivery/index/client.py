"""The side that believes: what a device, and whoever proves a signature, makes of the index.

The order of the checks is The Update Framework's own: roots one after the other, each signed by the
former and by itself; the timestamp; the snapshot that it names; the targets that this names. None
may be older than what was seen, and all must be fresh.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuf.api.exceptions import (
    DownloadError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from sealyard.api.index import (
    ROOT_MAX_BYTES,
    SNAPSHOT_MAX_BYTES,
    TARGETS_MAX_BYTES,
    TIMESTAMP_MAX_BYTES,
    TUF_PATH,
    TUF_TARGETS_PATH,
)
from sealyard.core.times import format_time, parse_time
from sealyard.delivery.http import TooLongError
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.errors import TrustError, explained, printable
from sealyard.delivery.index.fetcher import BASE_URL, CacheFetcher, StoreFetcher
from sealyard.delivery.index.roots import check_first_root
from sealyard.delivery.index.store import SNAPSHOT, TARGETS, TIMESTAMP, IndexStore, limit_of

SIGNED_AT: Final = "x-sealyard-signed-at"
"""A field of the timestamp beside those of the specification: when it was signed. It is what a
machine with a wrong clock knows of the time."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FOLDER: Final = TUF_TARGETS_PATH.removeprefix(f"{TUF_PATH}/")
_ROLES: Final = (TIMESTAMP, SNAPSHOT, TARGETS)
_CONFIG: Final = UpdaterConfig(
    root_max_length=ROOT_MAX_BYTES,
    timestamp_max_length=TIMESTAMP_MAX_BYTES,
    snapshot_max_length=SNAPSHOT_MAX_BYTES,
    targets_max_length=TARGETS_MAX_BYTES,
)


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one moment, verified.

    Attributes:
        root: the newest root.
        timestamp: what is the newest; its version is the version of the index.
        snapshot: which targets belong to it.
        targets: what is listed.
        now: the clock, fixed when the index was read and no earlier than what was signed.
        server: what served it, as messages call it.
    """

    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    now: datetime
    server: str

    @property
    def expires(self) -> datetime:
        """When the first of its parts expires."""
        parts = (self.root, self.timestamp, self.snapshot, self.targets)
        return min(part.expires for part in parts)


class IndexClient:
    """Fetches and verifies the index, and remembers what it saw.

    Args:
        store: where the index lies.
        root: the first root that is believed, from elsewhere than the store.
        cache: what is remembered.
        clock: the machine's; may be wrong.

    Raises:
        InvalidError: that root is none, or not signed by itself.
    """

    def __init__(
        self,
        store: IndexStore,
        root: bytes,
        cache: Cache,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        check_first_root(root)
        self._root = root
        self._cache = cache
        self._clock = clock

    def refresh(self) -> Index:
        """The newest index that the store has.

        Raises:
            RollbackError: it is older than what was seen, or mixed from two moments.
            TrustError: it is not signed by whom the root names, or is no index.
            StaleIndexError: it is out of date.
            TooLongError: more was served than may be.
            UnavailableError: the store cannot be reached.
            MissingError: the cache cannot be read or written.
        """
        return self._verified(StoreFetcher(self._store))

    def offline(self) -> Index:
        """The index that was verified last, without any network. It expires all the same.

        Raises:
            StaleIndexError: it is out of date.
            TrustError: it is not signed by whom the root names: another root was installed.
            UnavailableError: none was ever fetched.
        """
        return self._verified(None)

    def file(self, target: TargetFile) -> bytes:
        """A file that the index lists, from the cache where it is there.

        Raises:
            TrustError: it is not there, or not the one that is listed.
            TooLongError: it is longer than such a file may be.
            UnavailableError: the store cannot be reached.
            MissingError: the cache cannot be written.
        """
        listed = f"{self._store.name}: its index lists {printable(target.path)}"
        sha256 = target.hashes.get("sha256", "")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise TrustError(f"{listed} without a SHA-256")
        kept = self._cache.target(sha256)
        if kept is not None:
            return kept
        folder, _, name = target.path.rpartition("/")
        path = f"{_FOLDER}/{folder}/{sha256}.{name}"
        if target.length > limit_of(path):
            raise TooLongError(
                f"{listed} with {target.length} bytes, must be at most {limit_of(path)}"
            )
        content = self._store.get(path, target.length)
        if content is None:
            raise TrustError(f"{listed}, which is not there")
        try:
            target.verify_length_and_hashes(content)
        except LengthOrHashMismatchError as error:
            raise explained(error, self._store.name) from None
        self._cache.keep_target(content)
        return content

    def _verified(self, fetcher: FetcherInterface | None) -> Index:
        clock = self._clock()
        with self._cache.locked():
            before = self._cache.load()
            with self._cache.unpacked(before) as folder:
                try:
                    self._update(fetcher or CacheFetcher(before), folder)
                    files = _read(folder)
                    index = self._index(files, before, clock)
                except (RepositoryError, DownloadError) as error:
                    raise explained(error, self._store.name) from None
            if files != before:
                self._cache.save(files)
        return index

    def _update(self, fetcher: FetcherInterface, folder: Path) -> None:
        Updater(
            str(folder), BASE_URL, fetcher=fetcher, config=_CONFIG, bootstrap=self._root
        ).refresh()

    def _index(
        self, files: Mapping[str, bytes], before: Mapping[str, bytes], clock: datetime
    ) -> Index:
        """What was verified, once more against a clock that nobody can turn back."""
        root = Metadata[Root].from_bytes(files[newest_root(files)]).signed
        timestamp = Metadata[Timestamp].from_bytes(files[TIMESTAMP]).signed
        now = max(clock, _signed_at(timestamp), _seen_at(before, root))
        index = Index(
            root=root,
            timestamp=timestamp,
            snapshot=Metadata[Snapshot].from_bytes(files[SNAPSHOT]).signed,
            targets=Metadata[Targets].from_bytes(files[TARGETS]).signed,
            now=now,
            server=self._store.name,
        )
        if index.expires <= now:
            raise ExpiredMetadataError(
                f"it expired at {format_time(index.expires)}, and it is {format_time(now)} at least"
            )
        return index


def _read(folder: Path) -> dict[str, bytes]:
    """What python-tuf has verified: three files, and the roots up to the one that it trusts."""
    trusted = Metadata[Root].from_bytes((folder / "root.json").read_bytes()).signed.version
    roots = (
        path
        for path in (folder / "root_history").iterdir()
        if int(path.name.partition(".")[0]) <= trusted
    )
    paths = (*sorted(roots), *(folder / name for name in _ROLES))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def newest_root(files: Mapping[str, bytes]) -> str:
    """The name of the newest root among files of the cache."""
    roots = (name for name in files if name.startswith("root_history/"))
    return max(roots, key=lambda name: int(Path(name).name.partition(".")[0]))


def _signed_at(timestamp: Timestamp) -> datetime:
    """When a timestamp was signed; the beginning of time where it does not say."""
    text = timestamp.unrecognized_fields.get(SIGNED_AT)
    return (parse_time(text) if isinstance(text, str) else None) or _NEVER


def _seen_at(before: Mapping[str, bytes], root: Root) -> datetime:
    """When the newest timestamp was signed that was seen before.

    Not if its key was replaced since: whoever stole that key could have signed in any year.
    """
    if TIMESTAMP not in before:
        return _NEVER
    seen = Metadata[Timestamp].from_bytes(before[TIMESTAMP])
    try:
        root.verify_delegate(Timestamp.type, seen.signed_bytes, seen.signatures)
    except UnsignedMetadataError:
        return _NEVER
    return _signed_at(seen.signed)
