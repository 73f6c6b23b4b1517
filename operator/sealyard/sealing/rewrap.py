"""Moving a sealed-v2 small part to the active key of a keyring. The core and the CDN stay.

What a small part should have depends on the keyring alone: a slot of the active key, and the slots
of other keys that the keyring still has, so that both keys open it in between. A slot of a key
that is not in the keyring any more is zeroed; that is what retiring a key comes to.
"""

from __future__ import annotations

import secrets
from enum import IntEnum

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.header import Core, Header, Slot
from sealyard.sealing.keyring import Key, Keyring
from sealyard.sealing.layout import Buffer, Random
from sealyard.sealing.manifest import Entry
from sealyard.sealing.sealed_v2 import check_core
from sealyard.sealing.slots import unwrap_for_keyring, wrap_for_keyring


def rewrap_small(
    entry: Entry, small: Buffer, keyring: Keyring, *, random: Random = secrets.token_bytes
) -> bytes:
    """The small part that should be in the place of this one; the same bytes if it is right.

    Args:
        entry: what the manifest says about the variant, which must be sealed-v2.
        small: as it is stored.
        keyring: whose active v2 key it is moved to.
        random: where salts come from.

    Raises:
        IntegrityError: it is not the published one, or no slot of a key of this keyring unwraps.
        MissingError: no slot is for a key of this keyring, or that names no active v2 key.
        InvalidError: both slots are of other keys; says which to retire.
    """
    header = Header.parse(small)
    check_core(header.core, entry)
    return rewrap(header, keyring, random=random).encode()


def rewrap(header: Header, keyring: Keyring, *, random: Random = secrets.token_bytes) -> Header:
    """The header that should be in the place of this one; see `rewrap_small`.

    A right header comes back as it is, without a fresh wrap, so that a half-done rewrap goes on
    where it stopped. Nothing is zeroed but beside a slot of the active key that unwraps.
    """
    data_key = keyring.data_key(header)
    active = keyring.active_v2
    holdings = [_holding(header.core, slot, keyring, active) for slot in header.slots]
    place = min((0, 1), key=holdings.__getitem__)
    own = header.slots[place]
    if holdings[place] is _Holding.USED:
        names = " or ".join(repr(_name_of(slot, keyring)) for slot in header.slots)
        raise InvalidError(
            f"small part: both slots are in use and none is free for the active key "
            f"{active.name!r}; retire {names}, and rewrap again"
        )
    if own is None or holdings[place] is not _Holding.OWN or not _opens(header.core, own, active):
        own = wrap_for_keyring(header.core, data_key, active.material, random)
    other = header.slots[1 - place]
    kept = other if holdings[1 - place] in _KEPT else None
    return Header(header.core, (own, kept) if place == 0 else (kept, own))


class _Holding(IntEnum):
    """What holds a slot, the best place for the active key's first."""

    OWN = 0
    EMPTY = 1
    RETIRED = 2
    DAMAGED = 3
    USED = 4


# A damaged slot opens nothing, so it makes way; but nobody asked for it to go.
_KEPT = frozenset({_Holding.DAMAGED, _Holding.USED})


def _holding(core: Core, slot: Slot | None, keyring: Keyring, active: Key) -> _Holding:
    if slot is None:
        return _Holding.EMPTY
    if slot.recipient == active.id:
        return _Holding.OWN
    key = keyring.by_key_id(slot.recipient)
    if key is None:
        return _Holding.RETIRED
    return _Holding.USED if _opens(core, slot, key) else _Holding.DAMAGED


def _opens(core: Core, slot: Slot, key: Key) -> bool:
    try:
        unwrap_for_keyring(core, slot, key.material)
    except IntegrityError:
        return False
    return True


def _name_of(slot: Slot | None, keyring: Keyring) -> str:
    key = keyring.by_key_id(slot.recipient) if slot else None
    return key.name if key else ""
