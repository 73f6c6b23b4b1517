"""A signed index in memory: its keys, a store with the rules of the release API, and both sides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from sealyard.api.index import (
    IndexInput,
    ListedChannel,
    ListedRelease,
    WithdrawnChannel,
    WithdrawnRelease,
)
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import IndexClient
from sealyard.delivery.index.keys import SigningKey, new_key
from sealyard.delivery.index.listing import Listed
from sealyard.delivery.index.publish import IndexPublisher, Published
from sealyard.delivery.index.roots import RootKeys, new_root, next_root, root_name, sign_root
from sealyard.delivery.index.signing import IndexSigner, meta_of
from sealyard.delivery.refusals import (
    MetadataExistsError,
    MetadataVersionError,
    NotPublishedError,
)
from sealyard.delivery.release_api import Release

NOW = datetime.now(UTC).replace(microsecond=0)
"""python-tuf looks at the real clock too, so what these tests call now is no other time."""
DAY = timedelta(days=1)
WEEK = 7 * DAY


def nothing(_name: str) -> None:
    """What happens at a PUT, as a rule."""


class MemoryStore:
    """What `TufFiles` does, without a server: create-only but for the timestamp."""

    name = "release API test"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.before_put: Callable[[str], None] = nothing
        self.after_put: Callable[[str], None] = nothing

    def get(self, name: str, limit: int) -> bytes | None:
        content = self.files.get(name)
        assert content is None or len(content) <= limit
        return content

    def put(self, name: str, metadata: bytes) -> None:
        self.before_put(name)
        known = self.files.get(name)
        if known == metadata:
            return
        if name == "timestamp.json":
            if version_of(metadata) != (version_of(known) if known else 0) + 1:
                raise MetadataVersionError(f"{name} does not follow")
        elif known is not None:
            raise MetadataExistsError(f"{name} is there")
        self.files[name] = metadata
        self.puts.append(name)
        self.after_put(name)

    def put_target(self, target: str, content: bytes) -> None:
        folder, _, name = target.rpartition("/")
        self.put(f"targets/{folder}/{hashlib.sha256(content).hexdigest()}.{name}", content)

    def copy(self) -> MemoryStore:
        """The same files, to go on from here or to go back to."""
        copy = MemoryStore()
        copy.files = dict(self.files)
        return copy


def version_of(metadata: bytes) -> int:
    version: int = json.loads(metadata)["signed"]["version"]
    return version


def key(name: str) -> SigningKey:
    return SigningKey.parse(new_key(), name)


@dataclass
class Trust:
    """The keys of a target, and the chain of roots that names them."""

    root_keys: list[SigningKey] = field(default_factory=lambda: [key("root key")])
    release: SigningKey = field(default_factory=lambda: key("release key"))
    freshness: SigningKey = field(default_factory=lambda: key("freshness key"))
    threshold: int = 1
    expires: datetime = NOW + 365 * DAY
    chain: dict[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        roots = RootKeys(tuple(one.public for one in self.root_keys), self.threshold)
        root = new_root(roots, self.release.public, self.freshness.public, expires=self.expires)
        sign_root(root, self.root_keys, None)
        self.chain = {root_name(1): root.to_bytes()}

    @property
    def first(self) -> bytes:
        return self.chain[root_name(1)]

    @property
    def newest(self) -> Metadata[Root]:
        return Metadata[Root].from_bytes(self.chain[root_name(len(self.chain))])

    def rotate(self, changes: Mapping[Any, RootKeys]) -> None:
        """Add the next root, signed by the root keys there are."""
        former = self.newest
        root = next_root(former, changes, expires=self.expires)
        sign_root(root, self.root_keys, former)
        self.chain[root_name(len(self.chain) + 1)] = root.to_bytes()

    def metadata(self, role: str, version: int, note: str = "") -> bytes:
        """A file of a role below the root, signed by its key; another note, another file."""
        bodies = {"timestamp": Timestamp, "snapshot": Snapshot, "targets": Targets}
        signed = bodies[role](version, expires=self.expires, unrecognized_fields={"note": note})
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign((self.release if role == "targets" else self.freshness).signer)
        return metadata.to_bytes()

    def signer(self, lifetime: timedelta = WEEK) -> IndexSigner:
        return IndexSigner(self.release, self.freshness, lifetime)


@dataclass
class World:
    """A store, who signs, and the manifests that there are."""

    folder: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    trust: Trust = field(default_factory=Trust)
    manifests: dict[Release, bytes] = field(default_factory=dict)
    now: datetime = NOW
    lifetime: timedelta = WEEK
    known_version: int = 0

    def publisher(self) -> IndexPublisher:
        def manifest(release: Release) -> bytes:
            try:
                return self.manifests[release]
            except KeyError:
                raise NotPublishedError(f"no manifest of {release}") from None

        return IndexPublisher(
            self.store,
            self.trust.chain,
            "ConfigMap trust",
            self.trust.signer(self.lifetime),
            manifest,
            known_version=self.known_version,
            scratch=self.folder,
            clock=lambda: self.now,
        )

    def publish(self, *wanted: Any) -> Published:
        return self.publisher().publish(wish(*wanted))

    def client(self, name: str = "device", *, root: bytes | None = None) -> IndexClient:
        return IndexClient(
            self.store, root or self.trust.first, Cache(self.folder / name), clock=lambda: self.now
        )

    def release(
        self, version: str = "1.0.0", *, model: str = "coins", not_after: str | None = None
    ) -> ListedRelease:
        """A release whose manifest is there."""
        raw = json.dumps({"model": model, "version": version}).encode()
        release = Release(model, version)
        self.manifests[release] = raw
        return listed_release(release, raw, not_after=not_after)

    def sign_listing(self, listed: Mapping[str, Listed], files: Mapping[str, bytes]) -> None:
        """The next index lists exactly this, whatever sense it makes."""
        version = version_of(self.store.files["timestamp.json"]) + 1
        signer = self.trust.signer(self.lifetime)
        targets = signer.targets(version, listed, self.now)
        snapshot = signer.snapshot(version, meta_of(version, targets), self.now)
        for path, content in files.items():
            self.store.put_target(path, content)
        self.store.put(f"{version}.targets.json", targets)
        self.store.put(f"{version}.snapshot.json", snapshot)
        timestamp = signer.timestamp(version, meta_of(version, snapshot), self.now)
        self.store.put("timestamp.json", timestamp)


def listed_release(
    release: Release, manifest: bytes, *, not_after: str | None = None
) -> ListedRelease:
    return ListedRelease(
        model=release.model,
        version=release.version,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        not_after=not_after,
    )


def channel_of(release: ListedRelease, channel: str = "stable") -> ListedChannel:
    return ListedChannel(
        model=release.model,
        channel=channel,
        version=release.version,
        manifest_sha256=release.manifest_sha256,
    )


def withdrawn(release: ListedRelease) -> WithdrawnRelease:
    return WithdrawnRelease(model=release.model, version=release.version)


def wish(*wanted: Any) -> IndexInput:
    """An input that names these releases, channels and withdrawals."""

    def of(kind: type) -> list[Any]:
        return [one for one in wanted if isinstance(one, kind)]

    return IndexInput(
        releases=of(ListedRelease),
        channels=of(ListedChannel),
        withdrawn_releases=of(WithdrawnRelease),
        withdrawn_channels=of(WithdrawnChannel),
    )
