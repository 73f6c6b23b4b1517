from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError, SealyardError
from sealyard.sealing.formats import (
    BytesReader,
    ReleaseContext,
    Sealer,
    SplitLimits,
    format_named,
    open_sealed,
)
from sealyard.sealing.header import Header
from sealyard.sealing.sealed_v2 import tree_digest
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import KEYRING, V2, Artifact, S, content, manifest_of, seal, seeded

SHORT = seal(V2, content(5000))
LONG = seal(V2, content(3 * S + 17))
SEALED = S + 16  # one whole segment of big
LEAVES = len(LONG.big) - 4 * 32


def test_the_sizes_are_those_of_the_specification() -> None:
    for length in (0, 4096, 4097, S, S + 1, 3 * S + 17):
        artifact = seal(V2, bytes(length))
        body = max(length, 4096)
        segments = -(-body // S)
        assert len(artifact.small) == 320
        assert len(artifact.big) == body + 48 * segments
        assert artifact.entry.variant.big.segments == segments


def test_equal_plaintexts_give_nothing_equal() -> None:
    one, two = seal(V2, content(5000), seed="1"), seal(V2, content(5000), seed="2")
    assert one.entry.variant.big.key != two.entry.variant.big.key
    assert one.big[:16] != two.big[:16]
    assert one.small[16:48] != two.small[16:48]


@given(at=st.integers(0, len(LONG.big) - 1), bit=st.integers(0, 7))
def test_no_bit_of_big_can_change_unnoticed(at: int, bit: int) -> None:
    changed = bytearray(LONG.big)
    changed[at] ^= 1 << bit
    what = f"segment {at // SEALED} is not the one" if at < LEAVES else "its leaves do not give"
    with pytest.raises(IntegrityError, match=f"^big part: {what}"):
        LONG.but(big=bytes(changed)).open()


@pytest.mark.parametrize("at", [0, 1, 4999, 5000, 5015, 5016, 5047])
@pytest.mark.parametrize("bit", range(8))
def test_no_bit_at_a_boundary_can_change_unnoticed(at: int, bit: int) -> None:
    changed = bytearray(SHORT.big)
    changed[at] ^= 1 << bit
    with pytest.raises(IntegrityError, match=r"^big part: "):
        SHORT.but(big=bytes(changed)).open()


BOUNDARIES = [0, 1, 16, 4112, SEALED - 1, SEALED, SEALED + 1, 2 * SEALED, 3 * SEALED, LEAVES - 1,
              LEAVES, LEAVES + 1, LEAVES + 32, LEAVES + 96, len(LONG.big) - 1]  # fmt: skip


@pytest.mark.parametrize("length", BOUNDARIES)
def test_a_truncated_big_is_refused(length: int) -> None:
    with pytest.raises(IntegrityError, match=f"^big part: {length} bytes, must be {len(LONG.big)}"):
        LONG.but(big=LONG.big[:length]).open()


@pytest.mark.parametrize("extra", [b"\0", bytes(16), bytes(32), bytes(SEALED)])
def test_nothing_may_follow_big(extra: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"^big part: \d+ bytes, must be"):
        LONG.but(big=LONG.big + extra).open()


def swap(big: bytes, a: int, b: int, *, leaves: bool) -> bytes:
    changed = bytearray(big)
    pairs = [(a * SEALED, b * SEALED, SEALED)]
    if leaves:
        pairs.append((LEAVES + 32 * a, LEAVES + 32 * b, 32))
    for one, other, size in pairs:
        changed[one : one + size] = big[other : other + size]
        changed[other : other + size] = big[one : one + size]
    return bytes(changed)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (0, 2), (1, 2)])
def test_swapped_segments_are_refused(a: int, b: int) -> None:
    with pytest.raises(IntegrityError, match=f"^big part: segment {a} is not the one"):
        LONG.but(big=swap(LONG.big, a, b, leaves=False)).open()
    with pytest.raises(IntegrityError, match=r"^big part: its leaves do not give"):
        LONG.but(big=swap(LONG.big, a, b, leaves=True)).open()


def test_even_a_signed_swap_does_not_decrypt() -> None:
    """The position is in the nonce: the tree is not the only thing that holds the order."""
    swapped = swap(LONG.big, 0, 1, leaves=True)
    resigned = signed_again(LONG, swapped)
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        resigned.open()


def signed_again(artifact: Artifact, big: bytes) -> Artifact:
    """A manifest that agrees with another big: what a publisher could do, and an attacker not."""
    variant = artifact.entry.variant
    leaves = big[len(big) - 32 * (variant.big.segments or 0) :]
    tree = tree_digest(Header.parse(artifact.small).core, leaves).hex()
    part = variant.big.model_copy(update={"tree_sha256": tree})
    entry = replace(artifact.entry, variant=variant.model_copy(update={"big": part}))
    return artifact.but(big=big, entry=entry)


OTHER_VARIANT = ReleaseContext("coins", "1.0.0", "onnx-fp16")
OTHER_RELEASE = ReleaseContext("coins", "2.0.0", "onnx-fp32")
OTHERS = {
    "another sealing": lambda: seal(V2, content(5000), seed="again"),
    "another variant": lambda: seal(
        V2, content(5000), context=ReleaseContext("coins", "1.0.0", "x")
    ),
    "another release": lambda: seal(V2, content(5000), context=ReleaseContext("c", "2.0.0", "x")),
    "another length": lambda: seal(V2, content(4999)),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_parts_of_another_artifact_are_refused(other: Callable[[], Artifact]) -> None:
    theirs = other()
    with pytest.raises(IntegrityError, match=r"^small part: its core is not the one"):
        SHORT.but(small=theirs.small).open()
    with pytest.raises(IntegrityError, match=r"^big part: "):
        SHORT.but(big=theirs.big).open()
    with pytest.raises(SealyardError):
        SHORT.but(small=theirs.small[:128] + SHORT.small[128:]).open()
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$|none of its v2 keys"):
        SHORT.but(small=SHORT.small[:128] + theirs.small[128:]).open()


def test_a_manifest_that_gives_one_variant_the_parts_of_another_is_refused() -> None:
    """Even a publisher cannot list one artifact under another name."""
    entry = replace(SHORT.entry, context=OTHER_VARIANT)
    with pytest.raises(IntegrityError, match=r"not sealed as coins 1\.0\.0 onnx-fp16"):
        SHORT.but(entry=entry).open()
    assert manifest_of(SHORT).entry(SHORT.entry.context) == SHORT.entry


def test_a_refused_segment_leaves_no_plaintext_in_the_buffer() -> None:
    changed = bytearray(LONG.big)
    changed[SEALED - 1] ^= 1
    changed[LEAVES : LEAVES + 32] = hashlib.sha256(b"\0" + changed[:SEALED]).digest()
    forged = signed_again(LONG, bytes(changed))
    opener = open_sealed(
        forged.entry, small=forged.small, big=BytesReader(forged.big), keys=KEYRING
    )
    out = bytearray(opener.layout.buffer_bytes)
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        opener.open_segment(0, forged.big[:SEALED], out)
    assert not any(out)
    assert opener.open_segment(1, forged.big[SEALED : 2 * SEALED], out) == S
    assert out[:S] == LONG.plaintext[S : 2 * S]


def test_a_segment_of_the_wrong_length_is_refused() -> None:
    opener = open_sealed(SHORT.entry, small=SHORT.small, big=BytesReader(SHORT.big), keys=KEYRING)
    out = bytearray(opener.layout.buffer_bytes)
    for sealed in (b"", SHORT.big[:5015], SHORT.big[:5017]):
        with pytest.raises(IntegrityError, match=f"^big part: segment 0 has {len(sealed)} bytes"):
            opener.open_segment(0, sealed, out)


def sealer_of(plaintext: bytes) -> tuple[Sealer, bytearray]:
    sealer = format_named(V2).sealer(
        plaintext_bytes=len(plaintext),
        context=SHORT.entry.context,
        keyring=KEYRING,
        limits=SplitLimits(),
        random=seeded("sealer"),
    )
    return sealer, bytearray(sealer.layout.buffer_bytes)


def test_a_segment_may_be_sealed_again_but_never_to_other_bytes() -> None:
    plain = content(5000)
    sealer, out = sealer_of(plain)
    assert sealer.seal_segment(0, plain, out) == 5016
    first = bytes(out)
    sealer.seal_segment(0, plain, out)
    assert bytes(out) == first
    with pytest.raises(InvalidError, match=r"^plaintext: segment 0 changed since"):
        sealer.seal_segment(0, plain[:-1] + b"\0", out)
    assert not any(out[:5016])


def test_finishing_waits_for_every_segment() -> None:
    sealer, out = sealer_of(content(2 * S))
    sealer.seal_segment(1, bytes(S), out)
    with pytest.raises(ValueError, match="segment 0 was not sealed"):
        sealer.finish()
