from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError, SealyardError
from sealyard.sealing.header import EMPTY_SLOT, Core, Header, Slot
from support.sealing import V2, content, seal

ARTIFACT = seal(V2, content(5000))
HEADER = Header.parse(ARTIFACT.small)


def slot(number: int) -> Slot:
    return Slot(bytes([number]) * 16, bytes([number]) * 80)


def test_what_was_parsed_encodes_to_the_same_bytes() -> None:
    assert len(ARTIFACT.small) == 320
    assert HEADER.encode() == ARTIFACT.small
    assert HEADER.core.encode() == ARTIFACT.small[:128]
    assert ARTIFACT.small[224:] == EMPTY_SLOT


@pytest.mark.parametrize("length", [0, 1, 127, 128, 224, 319, 321, 640])
def test_every_other_length_is_refused(length: int) -> None:
    with pytest.raises(IntegrityError, match=f"^small part: {length} bytes, must be 320"):
        Header.parse(ARTIFACT.small.ljust(640, b"\0")[:length])


@pytest.mark.parametrize(
    ("at", "field"),
    [
        *((at, "magic") for at in range(8)),
        *((at, "version") for at in (8, 9)),
        *((at, "header length") for at in (10, 11)),
        (12, "suite"),
        (13, "segment size"),
        *((at, "flags") for at in (14, 15)),
        *((at, "body length") for at in range(56, 64)),
    ],
)
@pytest.mark.parametrize("bit", range(8))
def test_a_changed_constant_is_refused_by_name(at: int, field: str, bit: int) -> None:
    raw = bytearray(ARTIFACT.small)
    raw[at] ^= 1 << bit
    with pytest.raises(IntegrityError, match=f"^small part: {field} is .*, must be "):
        Header.parse(raw)


@pytest.mark.parametrize("at", range(320))
def test_no_byte_of_the_header_can_change_unnoticed(at: int) -> None:
    """Only the empty slot may hold anything: nobody's id matches what is written there."""
    raw = bytearray(ARTIFACT.small)
    raw[at] ^= 0x55
    changed = ARTIFACT.but(small=bytes(raw))
    if at >= 224:
        assert changed.open() == ARTIFACT.plaintext
    else:
        with pytest.raises(SealyardError):
            changed.open()


@given(st.binary(min_size=310, max_size=330))
def test_rubbish_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(IntegrityError):
        Header.parse(raw)


@pytest.mark.parametrize("length", [0, 127, 129])
def test_a_core_alone_has_128_bytes(length: int) -> None:
    assert Core.parse(ARTIFACT.small[:128]) == HEADER.core
    with pytest.raises(IntegrityError, match=f"its core has {length} bytes, must be 128"):
        Core.parse(ARTIFACT.small[:length])


@pytest.mark.parametrize("length", [-1, (1 << 40) + 1])
def test_a_core_has_a_length_that_its_field_can_hold(length: int) -> None:
    with pytest.raises(InvalidError, match=f"^plaintext: {length} bytes"):
        Core.create(
            file_id=bytes(32), plaintext_bytes=length, context_digest=bytes(32), data_key=bytes(32)
        )


def test_a_slot_goes_to_its_recipients_place_else_to_the_empty_one() -> None:
    core = HEADER.core
    a, b, c = slot(1), slot(2), slot(3)
    newer = Slot(a.recipient, bytes(80))
    table = [
        ((None, None), a, (a, None)),
        ((a, None), newer, (newer, None)),
        ((a, None), b, (a, b)),
        ((None, a), b, (b, a)),
        ((b, a), newer, (b, newer)),
        ((None, a), newer, (None, newer)),
    ]
    for before, fresh, after in table:
        assert Header(core, before).with_slot(fresh).slots == after
    with pytest.raises(InvalidError, match="both slots are in use"):
        Header(core, (a, b)).with_slot(c)


def test_zeroing_a_slot_keeps_the_other_where_it_is() -> None:
    core = HEADER.core
    a, b = slot(1), slot(2)
    assert Header(core, (a, b)).without_slot(a.recipient).slots == (None, b)
    assert Header(core, (a, b)).without_slot(b.recipient).slots == (a, None)
    assert Header(core, (a, None)).without_slot(b.recipient).slots == (a, None)
    with pytest.raises(InvalidError, match="only slot"):
        Header(core, (None, a)).without_slot(a.recipient)
