"""The files of the next index, each signed by its key. Bytes out; nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from sealyard.api.index import TARGETS_MAX_BYTES
from sealyard.core.times import format_time
from sealyard.delivery.index.client import SIGNED_AT
from sealyard.delivery.index.keys import SigningKey
from sealyard.delivery.index.listing import NOT_AFTER, TARGETS_LIFETIME, VERSION, Listed
from sealyard.delivery.index.roots import FRESHNESS_ROLES, RELEASE_ROLES
from sealyard.delivery.index.store import TARGETS
from sealyard.errors import InvalidError


@dataclass(frozen=True, slots=True)
class IndexSigner:
    """Signs what is published.

    Attributes:
        release: the key of the role targets.
        freshness: the key of the roles snapshot and timestamp.
        lifetime: how long snapshot and timestamp are good.
    """

    release: SigningKey
    freshness: SigningKey
    lifetime: timedelta

    def check(self, root: Root, now: datetime) -> None:
        """Whether a client of this root will believe what is signed here.

        Raises:
            InvalidError: the root has expired, a key is none of its, or it wants more than one
                signature.
        """
        if root.is_expired(now):
            raise InvalidError(
                f"root {root.version}: expired at {format_time(root.expires)}, and nobody believes "
                "what it names; renew it with `sealyard trust rotate root --renew`"
            )
        for key, roles in ((self.release, RELEASE_ROLES), (self.freshness, FRESHNESS_ROLES)):
            for name in roles:
                role = root.roles[name]
                if key.keyid not in role.keyids:
                    raise InvalidError(
                        f"{key.source}: is no key of the role {name} in root {root.version}; "
                        "mount the key that this root names, or the chain that names this key"
                    )
                if role.threshold != 1:
                    raise InvalidError(
                        f"root {root.version}: wants {role.threshold} signatures for {name}, "
                        "must want 1"
                    )

    def targets(self, version: int, listed: Mapping[str, Listed], now: datetime) -> bytes:
        """The targets of this version.

        Raises:
            InvalidError: more is listed than a client would read.
        """
        targets = {path: _target(path, one) for path, one in listed.items()}
        signed = Targets(version, expires=now + TARGETS_LIFETIME, targets=targets)
        raw = _signed(signed, self.release)
        if len(raw) > TARGETS_MAX_BYTES:
            raise InvalidError(
                f"the index would list {len(listed)} releases and channels in {len(raw)} bytes, "
                f"must be at most {TARGETS_MAX_BYTES}; withdraw old ones"
            )
        return raw

    def snapshot(self, version: int, targets: MetaFile, now: datetime) -> bytes:
        """The snapshot of this version, which names the targets."""
        signed = Snapshot(version, expires=now + self.lifetime, meta={TARGETS: targets})
        return _signed(signed, self.freshness)

    def timestamp(self, version: int, snapshot: MetaFile, now: datetime) -> bytes:
        """The timestamp of this version, which names the snapshot."""
        signed = Timestamp(
            version,
            expires=now + self.lifetime,
            snapshot_meta=snapshot,
            unrecognized_fields={SIGNED_AT: format_time(now)},
        )
        return _signed(signed, self.freshness)


def meta_of(version: int, raw: bytes) -> MetaFile:
    """How another file names this one."""
    return MetaFile.from_data(version, raw, ["sha256"])


def _target(path: str, listed: Listed) -> TargetFile:
    custom = {NOT_AFTER: listed.not_after, VERSION: listed.version}
    given: dict[str, Any] = {key: text for key, text in custom.items() if text is not None}
    fields = {"custom": given} if given else {}
    return TargetFile(listed.size_bytes, {"sha256": listed.sha256}, path, fields)


def _signed(signed: Signed, key: SigningKey) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    metadata.sign(key.signer)
    return metadata.to_bytes()
