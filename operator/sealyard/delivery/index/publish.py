"""The side that signs: publish the next index, and read it as a device would.

The timestamp is what counts: before it is replaced nobody has noticed anything, and a store
replaces it only by the one that follows. So whoever is killed in between leaves files that nothing
names, and of two at once one begins anew with what the other has published.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuf.api.metadata import MetaFile, Root

from sealyard.api.index import IndexInput, ListedRelease, channel_target, manifest_target
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import Index, IndexClient
from sealyard.delivery.index.current import Current, listed_by, read_current
from sealyard.delivery.index.errors import RollbackError, TrustError
from sealyard.delivery.index.listing import (
    Listed,
    are_targets_due,
    channel_file,
    is_due,
    next_channels,
    next_releases,
)
from sealyard.delivery.index.roots import parse_chain, root_name
from sealyard.delivery.index.signing import IndexSigner, meta_of
from sealyard.delivery.index.store import TIMESTAMP, IndexStore, limit_of
from sealyard.delivery.refusals import (
    MetadataExistsError,
    MetadataVersionError,
    NotPublishedError,
)
from sealyard.delivery.release_api import Release
from sealyard.delivery.troubles import gravest
from sealyard.errors import IntegrityError, SealyardError, UnavailableError

_TRIES: Final = 5
_NUMBERS: Final = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """What is in the store now.

    Attributes:
        index: as a client without any memory has verified it.
        changed: whether targets were signed anew, not only the freshness.
        signed: whether anything was.
    """

    index: Index
    changed: bool
    signed: bool

    @property
    def channels(self) -> int:
        """How many channels are listed."""
        return sum(one.version is not None for one in listed_by(self.index.targets).values())

    @property
    def releases(self) -> int:
        """How many releases are listed."""
        return len(self.index.targets.targets) - self.channels


@dataclass(frozen=True, slots=True)
class _Plan:
    """The next index before it is signed.

    Attributes:
        current: what it follows.
        targets: what it lists, by target path.
        files: the target files that may not be stored yet, by target path.
        troubles: what is wrong with releases that it does not list because of that.
        now: when it was planned.
    """

    current: Current
    targets: Mapping[str, Listed]
    files: Mapping[str, bytes]
    troubles: Sequence[SealyardError]
    now: datetime

    @property
    def changes(self) -> bool:
        """Whether it lists anything else than the one that it follows."""
        return self.targets != self.current.listed


class IndexPublisher:
    """Publishes to one store.

    Args:
        store: where the index lies.
        roots: the public chain, by name; `1.root.json` and on.
        source: what a user calls that chain.
        signer: has the keys.
        manifest: fetches the manifest of a release.
        known_version: of the newest index that was ever seen there; 0 before the first.
        scratch: a folder that may be written to.
        clock: the machine's.

    Raises:
        MissingError, InvalidError, TrustError: the chain is none.
    """

    def __init__(
        self,
        store: IndexStore,
        roots: Mapping[str, bytes],
        source: str,
        signer: IndexSigner,
        manifest: Callable[[Release], bytes],
        *,
        known_version: int = 0,
        scratch: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._roots = dict(roots)
        self._source = source
        self._chain = parse_chain(roots, source)
        self._signer = signer
        self._manifest = manifest
        self._known_version = known_version
        self._scratch = scratch
        self._clock = clock

    def publish(self, wanted: IndexInput) -> Published:
        """List what the cluster wants, unless it is listed already and fresh.

        What is wrong with one release does not keep the others waiting: it is told at the end.

        Raises:
            InvalidError: the newest root does not name a key or has expired, or too much is to be
                listed.
            TrustError: what is in the store was signed by nobody whom the roots name.
            RollbackError: it is older than what was seen there.
            IntegrityError: a manifest is not the one that is to be listed, or not there.
            UnavailableError: the store fails, or others publish again and again.
            RefusedError: it refuses the login.
        """
        self._put_roots()
        self._signer.check(self._newest, self._clock())
        for attempt in range(1, _TRIES + 1):
            planned = self._plan(wanted)
            try:
                changed, signed = self._sign(planned)
            except MetadataVersionError as error:
                if attempt == _TRIES:
                    raise
                logger.info("%s; beginning anew", error)
            else:
                break
        index = self._prove(planned, wanted)
        if planned.troubles:
            summary = f"{len(planned.troubles)} not listed, all else is"
            raise gravest(planned.troubles, summary)
        return Published(index, changed, signed)

    def _put_roots(self) -> None:
        """Store the roots that are not there yet, and follow those that came from elsewhere."""
        for root in self._chain:
            name = root_name(root.signed.version)
            stored = self._stored(name)
            if stored is None:
                self._store.put(name, self._roots[name])
                logger.info("stored %s", name)
            elif stored != self._roots[name]:
                raise TrustError(f"{self._store.name} has another {name} than {self._source}")
        while (raw := self._stored(name := root_name(self._newest.version + 1))) is not None:
            self._roots[name] = raw
            self._chain = parse_chain(self._roots, f"{self._source} and {self._store.name}")

    def _stored(self, name: str) -> bytes | None:
        return self._store.get(name, limit_of(name))

    @property
    def _newest(self) -> Root:
        return self._chain[-1].signed

    def _plan(self, wanted: IndexInput) -> _Plan:
        now = self._clock()
        current = read_current(self._store, [root.signed for root in self._chain])
        self._check_version(current.timestamp_version)
        listed = current.listed
        releases = next_releases(listed, wanted, now)
        manifests, troubles = self._manifests(releases.unread)
        read = releases.read({path: len(raw) for path, raw in manifests.items()})
        channels = next_channels(listed, read, wanted)
        contents = {
            channel_target(one.model, one.channel): channel_file(one) for one in wanted.channels
        }
        files = {path: contents[path] for path, one in channels.items() if one != listed.get(path)}
        return _Plan(current, {**read, **channels}, {**manifests, **files}, troubles, now)

    def _check_version(self, version: int) -> None:
        if version < self._known_version:
            there = f"has index {version}" if version else "has no index"
            raise RollbackError(
                f"{self._store.name} {there}, and index {self._known_version} was there before; "
                "put the newer one back, or see docs/trust.md where it is lost"
            )
        self._known_version = version

    def _manifests(
        self, releases: Sequence[ListedRelease]
    ) -> tuple[dict[str, bytes], list[SealyardError]]:
        manifests: dict[str, bytes] = {}
        troubles: list[SealyardError] = []
        for wanted in releases:
            release = Release(wanted.model, wanted.version)
            try:
                raw = self._manifest(release)
            except NotPublishedError as error:
                troubles.append(IntegrityError(str(error)))
                continue
            found = hashlib.sha256(raw).hexdigest()
            if found == wanted.manifest_sha256:
                manifests[manifest_target(wanted.model, wanted.version)] = raw
            else:
                troubles.append(
                    IntegrityError(
                        f"{self._store.name}: the manifest of {release} has SHA-256 {found}, "
                        f"{wanted.manifest_sha256} was verified"
                    )
                )
        return manifests, troubles

    def _sign(self, plan: _Plan) -> tuple[bool, bool]:
        """Whether targets were signed, and whether anything was."""
        current, signer = plan.current, self._signer
        targets = self._meta_of_current(plan)
        changed = targets is None
        if targets is None:
            for path, content in plan.files.items():
                self._store.put_target(path, content)
            targets = self._put(
                "targets",
                current.targets_version + 1,
                lambda version: signer.targets(version, plan.targets, plan.now),
            )
        elif self._is_fresh(plan):
            return False, False
        named = targets
        snapshot = self._put(
            "snapshot",
            current.snapshot_version + 1,
            lambda version: signer.snapshot(version, named, plan.now),
        )
        version = current.timestamp_version + 1
        self._store.put(TIMESTAMP, signer.timestamp(version, snapshot, plan.now))
        logger.info("index %d lists %d releases and channels", version, len(plan.targets))
        return changed, True

    def _meta_of_current(self, plan: _Plan) -> MetaFile | None:
        """How the snapshot names the targets that are there; None if they must be signed anew."""
        found, key = plan.current.targets, self._signer.release.keyid
        if found is None or plan.changes or not found.is_by(key):
            return None
        if are_targets_due(found.signed.expires, self._signer.lifetime, plan.now):
            return None
        return meta_of(found.signed.version, found.raw)

    def _is_fresh(self, plan: _Plan) -> bool:
        key, lifetime = self._signer.freshness.keyid, self._signer.lifetime
        return all(
            found is not None
            and found.is_by(key)
            and not is_due(found.signed.expires, lifetime, plan.now)
            for found in (plan.current.timestamp, plan.current.snapshot)
        )

    def _put(self, role: str, first: int, make: Callable[[int], bytes]) -> MetaFile:
        """Store under the first number that is free; whoever was killed left one in use."""
        for version in range(first, first + _NUMBERS):
            raw = make(version)
            try:
                self._store.put(f"{version}.{role}.json", raw)
            except MetadataExistsError:
                logger.info("%d.%s.json is taken", version, role)
            else:
                return meta_of(version, raw)
        raise UnavailableError(
            f"{self._store.name}: {first}.{role}.json and the {_NUMBERS - 1} after it are taken; "
            "somebody stores files there that no index names"
        )

    def _prove(self, plan: _Plan, wanted: IndexInput) -> Index:
        """Read the index as a device does that knows the first root and nothing else.

        Raises:
            RollbackError: it is older than what was seen there.
            UnavailableError: it does not list what was wanted; somebody published meanwhile.
        """
        first = self._roots[root_name(self._chain[0].signed.version)]
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            index = IndexClient(
                self._store, first, Cache(Path(folder)), clock=self._clock
            ).refresh()
        self._check_version(index.timestamp.version)
        listed = listed_by(index.targets)
        for path in _named_by(wanted):
            if listed.get(path) != plan.targets.get(path):
                raise UnavailableError(
                    f"{self._store.name}: its index does not list {path} as it was signed; "
                    "somebody else signs there"
                )
        return index


def _named_by(wanted: IndexInput) -> Iterator[str]:
    """The target paths of what the cluster says anything about."""
    yield from (manifest_target(one.model, one.version) for one in wanted.releases)
    yield from (manifest_target(one.model, one.version) for one in wanted.withdrawn_releases)
    yield from (channel_target(one.model, one.channel) for one in wanted.channels)
    yield from (channel_target(one.model, one.channel) for one in wanted.withdrawn_channels)
