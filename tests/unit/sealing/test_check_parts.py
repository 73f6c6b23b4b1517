"""Parts are compared with their manifest by who has no key."""

from __future__ import annotations

import pytest

from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError
from sealyard.sealing.formats import BytesReader, InOrder, check_parts, one_by_one
from sealyard.sealing.header import CORE_BYTES
from sealyard.sealing.manifest import Variant
from support.sealing import BOTH, V1, V2, Artifact, S, content, seal


def check(artifact: Artifact) -> int:
    """How many bytes of the big part were compared."""
    big = BytesReader(artifact.big)
    return sum(check_parts(artifact.entry, small=artifact.small, big=big))


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize("length", [0, 1, 4096, S, S + 1, 3 * S + 7])
@pytest.mark.parametrize("in_order", [one_by_one, in_threads])
def test_what_was_sealed_agrees(fmt: str, length: int, in_order: InOrder) -> None:
    artifact = seal(fmt, content(length))
    big = BytesReader(artifact.big)
    counts = check_parts(artifact.entry, small=artifact.small, big=big, in_order=in_order)
    leaves = 32 * (artifact.entry.variant.big.segments or 0)
    assert sum(counts) == len(artifact.big) - leaves


def changed(raw: bytes, at: int) -> bytes:
    mutable = bytearray(raw)
    mutable[at] ^= 1
    return bytes(mutable)


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize("at", [0, 1, S - 1, S, S + 16, 2 * S, -33, -32, -1])
def test_one_bit_of_big_is_noticed(fmt: str, at: int) -> None:
    artifact = seal(fmt, content(2 * S + 10_000))
    with pytest.raises(IntegrityError, match="big part: "):
        check(artifact.but(big=changed(artifact.big, at)))


@pytest.mark.parametrize("at", range(CORE_BYTES))
def test_one_bit_of_the_core_is_noticed(at: int) -> None:
    artifact = seal(V2, content(10))
    with pytest.raises(IntegrityError, match="small part: "):
        check(artifact.but(small=changed(artifact.small, at)))


def test_slots_come_and_go() -> None:
    # Nothing signs them: the release API replaces them when keys are rotated.
    artifact = seal(V2, content(10))
    check(artifact.but(small=changed(artifact.small, CORE_BYTES)))


@pytest.mark.parametrize("at", [0, 15, 16, -1])
def test_one_bit_of_a_fleet_small_part_is_noticed(at: int) -> None:
    artifact = seal(V1, content(20_000))
    with pytest.raises(IntegrityError, match="small part: it is not the one in the manifest"):
        check(artifact.but(small=changed(artifact.small, at)))


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize("part", ["small", "big"])
def test_what_is_shorter_or_longer_is_refused(fmt: str, part: str) -> None:
    artifact = seal(fmt, content(S + 5))
    raw: bytes = getattr(artifact, part)
    for other in (raw[:-1], raw + b"\0", b""):
        with pytest.raises(IntegrityError, match=f"{part} part: "):
            check(artifact.but(**{part: other}))


def with_variant(artifact: Artifact, variant: Variant) -> Artifact:
    entry = artifact.entry
    return artifact.but(entry=type(entry)(entry.context, variant, entry.plaintext_sha256))


@pytest.mark.parametrize(
    ("fmt", "changes"),
    [
        (V2, {"size_bytes": 5}),
        (V2, {"segments": 3}),
        (V2, {"tree_sha256": "0" * 64}),
        (V1, {"size_bytes": 5}),
        (V1, {"sha256": "0" * 64}),
    ],
)
def test_another_manifest_does_not_fit(fmt: str, changes: dict[str, object]) -> None:
    artifact = seal(fmt, content(S + 5))
    variant = artifact.entry.variant
    big = variant.big.model_copy(update=changes)
    with pytest.raises(IntegrityError, match="big part: "):
        check(with_variant(artifact, variant.model_copy(update={"big": big})))


@pytest.mark.parametrize("fmt", BOTH)
def test_another_small_part_does_not_fit(fmt: str) -> None:
    artifact = seal(fmt, content(S + 5))
    variant = artifact.entry.variant
    small = variant.small.model_copy(update={"size_bytes": variant.small.size_bytes - 1})
    with pytest.raises(IntegrityError, match="small part: "):
        check(with_variant(artifact, variant.model_copy(update={"small": small})))


def test_it_was_sealed_as_what_the_manifest_names() -> None:
    artifact, other = seal(V2, content(9)), seal(V2, content(9), seed="other")
    with pytest.raises(IntegrityError, match="its core is not the one in the manifest"):
        check(artifact.but(small=other.small, big=other.big))
