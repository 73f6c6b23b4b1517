"""What stands in the store now, as the side that signs has to know it.

It judges signatures and not freshness: an index that is out of date is what it is here to mend. And
it tells a key that was replaced from no key at all. What a replaced key has signed may be a
thief's, so nothing that is listed there is taken over; its version is, because the next one must be
higher.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tuf.api.exceptions import BadVersionNumberError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from sealyard.delivery.index.errors import explained, printable
from sealyard.delivery.index.listing import NOT_AFTER, VERSION, Listed
from sealyard.delivery.index.store import TARGETS, TIMESTAMP, IndexStore, limit_of

SignedT = TypeVar("SignedT", Timestamp, Snapshot, Targets)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found(Generic[SignedT]):
    """A role's file in the store.

    Attributes:
        metadata: its content.
        raw: its bytes.
        trusted: whether the newest root's keys have signed it; else those of a former one.
    """

    metadata: Metadata[SignedT]
    raw: bytes
    trusted: bool

    @property
    def signed(self) -> SignedT:
        """What is signed."""
        return self.metadata.signed

    def is_by(self, keyid: str) -> bool:
        """Whether this key has signed it, and the newest root believes that."""
        return self.trusted and keyid in self.metadata.signatures


@dataclass(frozen=True, slots=True)
class Current:
    """The index in the store.

    Attributes:
        timestamp: None where nothing was published yet.
        snapshot: the one that the timestamp names.
        targets: those that the snapshot names.
    """

    timestamp: Found[Timestamp] | None = None
    snapshot: Found[Snapshot] | None = None
    targets: Found[Targets] | None = None

    @property
    def listed(self) -> dict[str, Listed]:
        """What it lists, by target path; nothing if it is a replaced key that says so."""
        if self.targets is None or not self.targets.trusted:
            return {}
        return listed_by(self.targets.signed)

    @property
    def timestamp_version(self) -> int:
        """Of the timestamp; 0 before the first."""
        return self.timestamp.signed.version if self.timestamp else 0

    @property
    def snapshot_version(self) -> int:
        """Of the snapshot that the timestamp names; 0 before the first."""
        return self.timestamp.signed.snapshot_meta.version if self.timestamp else 0

    @property
    def targets_version(self) -> int:
        """Of the targets that the snapshot names; 0 where none are known."""
        return self.snapshot.signed.meta[TARGETS].version if self.snapshot else 0


def read_current(store: IndexStore, roots: Sequence[Root]) -> Current:
    """The index in the store, whatever its age.

    Args:
        store: where it lies.
        roots: the verified chain, the oldest first.

    Raises:
        TrustError: something is signed by none of the roots' keys, or is not what is named.
        UnavailableError: the store cannot be reached.
    """
    raw = store.get(TIMESTAMP, limit_of(TIMESTAMP))
    if raw is None:
        return Current()
    try:
        timestamp = _found(Timestamp, raw, roots)
        snapshot = _named(Snapshot, timestamp, timestamp.signed.snapshot_meta, store, roots)
        if snapshot is None or TARGETS not in snapshot.signed.meta:
            return Current(timestamp)
        meta = snapshot.signed.meta[TARGETS]
        return Current(timestamp, snapshot, _named(Targets, snapshot, meta, store, roots))
    except RepositoryError as error:
        raise explained(error, store.name) from None


def _named(
    kind: type[SignedT], by: Found[Any], meta: MetaFile, store: IndexStore, roots: Sequence[Root]
) -> Found[SignedT] | None:
    """What another file names. One that a replaced key has signed may name what there is not."""
    path = f"{meta.version}.{kind.type}.json"
    raw = store.get(path, limit_of(path))
    try:
        return _checked(kind, raw, meta, roots)
    except RepositoryError as error:
        if by.trusted:
            raise
        logger.warning("not taken over: %s (%s)", path, printable(str(error)))
        return None


def _checked(
    kind: type[SignedT], raw: bytes | None, meta: MetaFile, roots: Sequence[Root]
) -> Found[SignedT]:
    if raw is None:
        raise RepositoryError(f"{kind.type} {meta.version} is named and not there")
    meta.verify_length_and_hashes(raw)
    found = _found(kind, raw, roots)
    if found.signed.version != meta.version:
        raise BadVersionNumberError(f"{kind.type} {meta.version} has another version")
    return found


def _found(kind: type[SignedT], raw: bytes, roots: Sequence[Root]) -> Found[SignedT]:
    metadata = Metadata[SignedT].from_bytes(raw)
    if metadata.signed.type != kind.type:
        raise RepositoryError(f"{metadata.signed.type} stands in the place of {kind.type}")
    results = [
        root.get_verification_result(kind.type, metadata.signed_bytes, metadata.signatures)
        for root in reversed(roots)
    ]
    if not any(results):
        raise UnsignedMetadataError(f"{kind.type} has no signature that counts")
    if not results[0]:
        logger.warning("%s is signed by a key that the newest root has no more", kind.type)
    return Found(metadata, raw, trusted=bool(results[0]))


def listed_by(targets: Targets) -> dict[str, Listed]:
    """What targets list, by target path."""
    return {path: _listed(target) for path, target in targets.targets.items()}


def _listed(target: TargetFile) -> Listed:
    custom = target.custom if isinstance(target.custom, dict) else {}
    return Listed(
        sha256=target.hashes.get("sha256", ""),
        size_bytes=target.length,
        not_after=_text(custom.get(NOT_AFTER)),
        version=_text(custom.get(VERSION)),
    )


def _text(value: object) -> str | None:
    # Whoever has the release key may have signed anything: a number is no time and no version.
    return None if value is None else str(value)
