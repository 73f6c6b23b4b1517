"""The root: which keys may sign what, and how many must. Signed offline; bytes in, bytes out.

A root is replaced only by the next one, signed by enough keys of both. So whoever knows the first
one can follow the chain to the newest, whoever hands it over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Role, Root

from sealyard.delivery.index.errors import TrustError
from sealyard.delivery.index.keys import SigningKey
from sealyard.errors import InvalidError, MissingError

RoleName: TypeAlias = Literal["root", "targets", "snapshot", "timestamp"]
RELEASE_ROLES: Final[tuple[RoleName, ...]] = ("targets",)
FRESHNESS_ROLES: Final[tuple[RoleName, ...]] = ("snapshot", "timestamp")

_NAME: Final = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


@dataclass(frozen=True, slots=True)
class RootKeys:
    """The keys of one role, and how many of them must sign.

    Attributes:
        keys: public ones.
        threshold: at least 1, at most as many as there are keys.
    """

    keys: tuple[Key, ...]
    threshold: int = 1


def root_name(version: int) -> str:
    """What the file of a root is called, in the store and in the ConfigMap."""
    return f"{version}.root.json"


def new_root(roots: RootKeys, release: Key, freshness: Key, *, expires: datetime) -> Metadata[Root]:
    """A first root, not signed yet.

    Raises:
        InvalidError: the threshold is beyond the number of keys.
    """
    root = Root(version=1, expires=_whole(expires), consistent_snapshot=True)
    set_keys(root, ("root",), roots)
    set_keys(root, RELEASE_ROLES, RootKeys((release,)))
    set_keys(root, FRESHNESS_ROLES, RootKeys((freshness,)))
    return Metadata(root)


def next_root(
    newest: Metadata[Root],
    changes: Mapping[tuple[RoleName, ...], RootKeys],
    *,
    expires: datetime,
) -> Metadata[Root]:
    """The root that follows, not signed yet.

    Args:
        newest: what it follows.
        changes: the keys of the roles that change.
        expires: when it expires.

    Raises:
        InvalidError: the threshold is beyond the number of keys.
    """
    root = Root.from_dict(newest.signed.to_dict())
    root.version += 1
    root.expires = _whole(expires)
    for roles, keys in changes.items():
        set_keys(root, roles, keys)
    return Metadata(root)


def set_keys(root: Root, roles: Iterable[RoleName], wanted: RootKeys) -> None:
    """Give roles these keys and no others.

    Raises:
        InvalidError: the threshold is beyond the number of keys, or there is no key.
    """
    ids = [key.keyid for key in wanted.keys]
    if not 1 <= wanted.threshold <= len(set(ids)):
        raise InvalidError(
            f"threshold: {wanted.threshold} must be from 1 to {len(set(ids))}, the number of keys"
        )
    for role in roles:
        root.roles[role] = Role(ids, wanted.threshold)
        root.keys.update({key.keyid: key for key in wanted.keys})
    used = {keyid for role in root.roles.values() for keyid in role.keyids}
    root.keys = {keyid: key for keyid, key in root.keys.items() if keyid in used}


def sign_root(
    root: Metadata[Root], keys: Iterable[SigningKey], former: Metadata[Root] | None
) -> None:
    """Add the signatures of those keys that count.

    Args:
        root: what is signed.
        keys: may hold more than are wanted.
        former: the root that it follows; None for the first.
    """
    counting = {
        keyid
        for one in (root, former)
        if one is not None
        for keyid in one.signed.roles[Root.type].keyids
    }
    for key in keys:
        if key.keyid in counting:
            root.sign(key.signer, append=True)


def missing_signatures(root: Metadata[Root], former: Metadata[Root] | None) -> str | None:
    """What a root lacks before anybody believes it, in one line; None if it lacks nothing."""
    result = root.signed.get_root_verification_result(
        former.signed if former else None, root.signed_bytes, root.signatures
    )
    lacking = [
        f"{one.threshold - len(one.signed)} more of the {which} keys "
        f"({', '.join(short_id(keyid) for keyid in one.unsigned)})"
        for which, one in (("former", result.first), ("new", result.second))
        if not one.verified
    ]
    if former is None or len(set(lacking)) < len(lacking):
        lacking = lacking[-1:]
    return " and ".join(lacking) or None


def short_id(keyid: str) -> str:
    """The beginning of a key's id, as files and messages call it."""
    return keyid[:8]


def parse_root(raw: bytes) -> Metadata[Root] | None:
    """A root as it was read, whoever signed it; None if it is no root."""
    try:
        root = Metadata[Root].from_bytes(raw)
    except RepositoryError:
        return None
    return root if root.signed.type == Root.type else None


def check_first_root(raw: bytes) -> None:
    """Whether this is a root that can be installed, to be believed because of that.

    Raises:
        InvalidError: it is none, or not signed by enough of its own keys.
    """
    root = parse_root(raw)
    if root is None or missing_signatures(root, None):
        raise InvalidError(
            "trust root: must be a root.json of TUF, signed by enough of its own keys"
        )


def parse_chain(files: Mapping[str, bytes], source: str) -> list[Metadata[Root]]:
    """The roots of a chain, the oldest first, each verified by the one before and by itself.

    Args:
        files: by name, `1.root.json` and on; others are no roots.
        source: what a user calls them together.

    Raises:
        MissingError: there is none, or one in between is missing.
        TrustError: one is not signed by enough keys of the former, or of itself.
        InvalidError: one is no root at all.
    """
    numbers = sorted(int(found[1]) for name in files if (found := _NAME.fullmatch(name)))
    if not numbers:
        raise MissingError(f"{source} has no key 1.root.json; add the chain of roots")
    chain: list[Metadata[Root]] = []
    for number, expected in zip(numbers, range(numbers[0], numbers[-1] + 1), strict=False):
        if number != expected:
            raise MissingError(f"{source} has no key {root_name(expected)}; no root may be missing")
        chain.append(_linked(files[root_name(number)], number, chain, source))
    return chain


def _linked(
    raw: bytes, number: int, chain: Sequence[Metadata[Root]], source: str
) -> Metadata[Root]:
    name = f"{source}, key {root_name(number)}"
    root = parse_root(raw)
    if root is None:
        raise InvalidError(f"{name}: must be a root.json of TUF")
    if root.signed.version != number:
        raise TrustError(f"{name}: is version {root.signed.version}; the name must agree")
    lacking = missing_signatures(root, chain[-1] if chain else None)
    if lacking:
        raise TrustError(f"{name}: is not signed by enough keys, it lacks {lacking}")
    return root


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
