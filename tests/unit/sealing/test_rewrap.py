"""Which header a small part should have, for every way that its slots may be held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.formats import Keyring, ReleaseContext
from sealyard.sealing.header import EMPTY_SLOT, Header, Slot
from sealyard.sealing.rewrap import rewrap, rewrap_small
from sealyard.sealing.slots import NOT_OPENED, unwrap_for_keyring, wrap_for_keyring
from support.sealing import KEYRING, V2, content, seal, seeded

ARTIFACT = seal(V2, content(5000))
HEADER = Header.parse(ARTIFACT.small)
DATA_KEY = KEYRING.data_key(HEADER)
ALL = (
    KEYRING.add("kek-2", "v2", random=seeded("kek-2"))
    .add("kek-3", "v2", random=seeded("kek-3"))
    .activate("kek-2")
)
NAMES = {ALL.keys[f"kek-{number}"].id: str(number) for number in (1, 2, 3)}


def slot_of(code: str) -> Slot | None:
    """`1` is a slot of kek-1, `1!` a damaged one, `-` an empty one."""
    if code == "-":
        return None
    key = ALL.keys[f"kek-{code[0]}"]
    slot = wrap_for_keyring(HEADER.core, DATA_KEY, key.material, seeded(f"slot {code}"))
    return replace(slot, wrapped=bytes(80)) if code.endswith("!") else slot


def header_of(slots: str) -> Header:
    first, second = slots.split()
    return Header(HEADER.core, (slot_of(first), slot_of(second)))


def keyring_of(names: str) -> Keyring:
    """The keys of these numbers; the last is the active one."""
    keyring = ALL.activate(f"kek-{names[-1]}")
    for number in {"1", "2", "3"} - set(names):
        keyring = keyring.retire(f"kek-{number}")
    return keyring


def said_of(header: Header) -> str:
    """The codes of a header's slots, found out by unwrapping them."""
    codes = []
    for slot in header.slots:
        if slot is None:
            codes.append("-")
            continue
        number = NAMES[slot.recipient]
        try:
            unwrap_for_keyring(header.core, slot, ALL.keys[f"kek-{number}"].material)
        except IntegrityError:
            number += "!"
        codes.append(number)
    return " ".join(codes)


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        # A new key is active: it gets the empty slot, wherever that is.
        ("1 -", "12", "1 2"),
        ("- 1", "12", "2 1"),
        # It has its slot already.
        ("1 2", "12", "1 2"),
        ("2 1", "12", "2 1"),
        ("2 -", "2", "2 -"),
        ("- 2", "12", "- 2"),
        ("1 -", "1", "1 -"),
        # The old one is retired: its slot goes, beside one of the active key that is there.
        ("1 2", "2", "- 2"),
        ("2 1", "2", "2 -"),
        # A retired key's slot makes way, but for an empty one.
        ("1 2", "23", "3 2"),
        ("2 1", "23", "2 3"),
        ("1 3", "13", "1 3"),
        # The active key's own slot is damaged: wrapped anew in its place.
        ("1 2!", "12", "1 2"),
        ("2! 1", "12", "2 1"),
        ("2! 2", "2", "2 -"),
        ("2 2", "2", "2 -"),
        # Another key's slot is damaged: left alone, as long as there is room.
        ("1! 2", "12", "1! 2"),
        ("1! 2", "123", "3 2"),
        ("1 2!", "123", "1 3"),
        ("1! 2", "2", "- 2"),
        # Going back to the old key.
        ("2 1", "21", "2 1"),
        ("- 2", "21", "1 2"),
    ],
)
def test_what_the_slots_become(before: str, keys: str, after: str) -> None:
    header, keyring = header_of(before), keyring_of(keys)
    wanted = rewrap(header, keyring, random=seeded("salt"))
    assert said_of(wanted) == after
    assert wanted.core == header.core
    assert keyring.data_key(wanted) == DATA_KEY
    # Doing it again writes nothing, and neither does a right one: no fresh salt.
    assert rewrap(wanted, keyring) == wanted
    if before == after:
        assert wanted == header
    small = wanted.encode()
    for place, code in zip((small[128:224], small[224:]), after.split(), strict=True):
        assert (place == EMPTY_SLOT) == (code == "-")


@pytest.mark.parametrize(
    ("before", "keys", "kind", "message"),
    [
        (
            "1 2",
            "123",
            InvalidError,
            (
                "small part: both slots are in use and none is free for the active key 'kek-3'; "
                "retire 'kek-1' or 'kek-2', and rewrap again"
            ),
        ),
        ("1! -", "12", IntegrityError, NOT_OPENED),
        ("1! 2!", "12", IntegrityError, NOT_OPENED),
        ("2! -", "2", IntegrityError, NOT_OPENED),
        (
            "1 -",
            "2",
            MissingError,
            (
                "keyring: none of its v2 keys opens this small part, which has slots for "
                f"{ALL.keys['kek-1'].id.hex()}"
            ),
        ),
        (
            "- -",
            "12",
            MissingError,
            "keyring: none of its v2 keys opens this small part, which has no slot in use",
        ),
    ],
)
def test_what_cannot_be_moved(before: str, keys: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as refused:
        rewrap(header_of(before), keyring_of(keys))
    assert str(refused.value) == message


def test_every_wrap_has_a_salt_of_its_own() -> None:
    keyring = keyring_of("12")
    assert rewrap(HEADER, keyring).slots[1] != rewrap(HEADER, keyring).slots[1]


def test_both_keys_open_it_in_between_and_the_retired_one_no_more() -> None:
    old, both, new = keyring_of("1"), keyring_of("12"), keyring_of("2")
    between = rewrap_small(ARTIFACT.entry, ARTIFACT.small, both)
    for keyring in (old, both, new):
        assert ARTIFACT.but(small=between, keys=keyring).open() == ARTIFACT.plaintext
    after = rewrap_small(ARTIFACT.entry, between, new)
    assert ARTIFACT.but(small=after, keys=new).open() == ARTIFACT.plaintext
    assert after[128:224] == EMPTY_SLOT
    with pytest.raises(MissingError, match="none of its v2 keys opens this small part"):
        ARTIFACT.but(small=after, keys=old).open()


OTHER_VARIANT = seal(V2, content(5000), context=ReleaseContext("coins", "1.0.0", "onnx-fp16"))


@pytest.mark.parametrize(
    ("small", "message"),
    [
        (ARTIFACT.small[:319], "small part: 319 bytes, must be 320"),
        (b"\0" + ARTIFACT.small[1:], "small part: magic is"),
        (OTHER_VARIANT.small, "small part: its core is not the one in the manifest"),
        (
            ARTIFACT.small[:20] + bytes([ARTIFACT.small[20] ^ 1]) + ARTIFACT.small[21:],
            "small part: its core is not the one in the manifest",
        ),
    ],
    ids=["short", "magic", "another variant's", "another file id"],
)
def test_what_is_not_the_published_small_part_is_not_written_again(
    small: bytes, message: str
) -> None:
    with pytest.raises(IntegrityError, match=f"^{message}"):
        rewrap_small(ARTIFACT.entry, small, keyring_of("12"))
