"""Whatever is changed, cut, swapped or mixed up is refused by an error of ours, or does not matter.

Both formats are tried to the last bit: the short artifacts here are as short as artifacts can be.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.mutations import VALUES
from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.sealing.formats import BytesReader, DeviceKey, ReleaseContext, open_sealed
from sealyard.sealing.header import Header
from sealyard.sealing.manifest import BigPart, Manifest, SmallPart, Variant
from sealyard.sealing.sealed_v2 import tree_digest
from sealyard.sealing.slots import wrap_for_device
from support.sealing import BOTH, CONTEXT, KEYRING, V1, V2, Artifact, content, manifest_of, seal
from vectors.stranger import sha256

SHORT = {V2: seal(V2, content(40)), V1: seal(V1, content(100))}
DEVICE = DeviceKey(X25519PrivateKey.from_private_bytes(content(32, "device")), content(32, "sign"))
OWN_SLOT_END = 224


def granted(artifact: Artifact) -> Artifact:
    """As the release API hands it to a device: core, its own slot, 96 zeros."""
    header = Header.parse(artifact.small)
    public = DEVICE.private_key.public_key().public_bytes_raw()
    slot = wrap_for_device(header.core, KEYRING.data_key(header), public, DEVICE.signing_key)
    return artifact.but(small=replace(header, slots=(slot, None)).encode(), keys=DEVICE)


def refusal(artifact: Artifact) -> SealyardError:
    """How an artifact is refused: with one clear line, and without any of the plaintext."""
    with pytest.raises((IntegrityError, MissingError)) as caught:
        artifact.open()
    said = str(caught.value)
    assert said.isprintable()
    assert artifact.plaintext[:8].hex() not in said
    return caught.value


def single_bits(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Every way to change one bit, with the byte that it is in."""
    for at, bit in itertools.product(range(len(raw)), range(8)):
        changed = bytearray(raw)
        changed[at] ^= 1 << bit
        yield at, bytes(changed)


@pytest.mark.parametrize("keys", ["keyring", "device"])
def test_no_bit_of_a_v2_small_part_can_change_unnoticed(keys: str) -> None:
    """Only where another's slot would be: it is nobody's, and the plaintext is the same."""
    whole = SHORT[V2] if keys == "keyring" else granted(SHORT[V2])
    for at, small in single_bits(whole.small):
        changed = whole.but(small=small)
        if at >= OWN_SLOT_END:
            assert changed.open() == whole.plaintext
        else:
            refusal(changed)


def signed_again(artifact: Artifact) -> Artifact:
    """Under a manifest that agrees with the core and the leaves: what only a publisher could do."""
    variant = artifact.entry.variant
    tree = sha256(b"\x01", sha256(artifact.small[:128]), bytes(7), b"\x01", artifact.big[-32:])
    variant = variant.model_copy(
        update={
            "small": variant.small.model_copy(
                update={"core_sha256": sha256(artifact.small[:128]).hex()}
            ),
            "big": variant.big.model_copy(update={"tree_sha256": tree.hex()}),
        }
    )
    return artifact.but(entry=replace(artifact.entry, variant=variant))


def test_no_bit_of_a_core_can_change_even_if_it_is_signed() -> None:
    """Constants, context and length are compared; the wrap and the commitment hold all of it."""
    whole = SHORT[V2]
    assert signed_again(whole) == whole
    for keys in (whole, granted(whole)):
        for _, core in single_bits(whole.small[:128]):
            refusal(signed_again(keys.but(small=core + keys.small[128:])))


def test_no_bit_of_a_v2_big_part_can_change_unnoticed() -> None:
    whole = SHORT[V2]
    segment, leaves = whole.big[:4112], whole.big[4112:]
    for _, changed in single_bits(leaves):
        assert str(refusal(whole.but(big=segment + changed))).startswith("big part: its leaves")
    reader = BytesReader(whole.big)
    opener = open_sealed(whole.entry, small=whole.small, big=reader, keys=whole.keys)
    out = bytearray(opener.layout.buffer_bytes)
    for _, changed in single_bits(segment):
        with pytest.raises(IntegrityError, match="segment 0 is not the one that was signed"):
            opener.open_segment(0, changed, out)
    assert not any(out)


def test_no_bit_of_a_v1_part_can_change_unnoticed() -> None:
    whole = SHORT[V1]
    for _, small in single_bits(whole.small):
        assert str(refusal(whole.but(small=small))).startswith("small part: ")
    for _, big in single_bits(whole.big):
        assert str(refusal(whole.but(big=big))).startswith("big part: ")


@given(at=st.integers(0, 4111), bit=st.integers(0, 7))
@example(at=0, bit=0)
@example(at=4111, bit=7)
def test_no_bit_of_a_segment_can_change_even_if_it_is_signed(at: int, bit: int) -> None:
    whole = SHORT[V2]
    segment = bytearray(whole.big[:4112])
    segment[at] ^= 1 << bit
    big = bytes(segment) + sha256(b"\x00", segment)
    assert "do not open" in str(refusal(signed_again(whole.but(big=big))))


@pytest.mark.parametrize("name", BOTH)
def test_what_is_cut_anywhere_or_goes_on_is_refused(name: str) -> None:
    whole = SHORT[name]
    for length in range(len(whole.small)):
        refusal(whole.but(small=whole.small[:length]))
    for length in range(len(whole.big)):
        refusal(whole.but(big=whole.big[:length]))
    for extra in range(1, 66):
        refusal(whole.but(small=whole.small + bytes(extra)))
        refusal(whole.but(big=whole.big + bytes(extra)))
        refusal(whole.but(big=whole.big + whole.big[:extra]))


CORE_FIELDS = {
    "magic": (0, 8),
    "version": (8, 2),
    "header length": (10, 2),
    "suite": (12, 1),
    "segment size": (13, 1),
    "flags": (14, 2),
    "file id": (16, 32),
    "plaintext length": (48, 8),
    "body length": (56, 8),
    "both lengths": (48, 16),
    "context": (64, 32),
    "commitment": (96, 32),
}
SLOT_FIELDS = {
    "recipient": (128, 16),
    "salt": (144, 32),
    "wrapped key": (176, 32),
    "tag": (208, 16),
}


@pytest.mark.parametrize("field", {**CORE_FIELDS, **SLOT_FIELDS})
@given(data=st.data())
def test_no_field_of_a_v2_small_part_can_be_another_even_if_it_is_signed(
    field: str, data: st.DataObject
) -> None:
    at, size = {**CORE_FIELDS, **SLOT_FIELDS}[field]
    whole = SHORT[V2]
    there = whole.small[at : at + size]
    number = int.from_bytes(there, "big")
    near = (number - 1, number + 1, 0, (1 << 8 * size) - 1)
    value = data.draw(
        st.binary(min_size=size, max_size=size)
        | st.sampled_from([(one % (1 << 8 * size)).to_bytes(size, "big") for one in near])
    )
    changed = whole.but(small=whole.small[:at] + value + whole.small[at + size :])
    if value == there:
        assert changed.open() == whole.plaintext
    else:
        refusal(signed_again(changed))


def _sized(part: SmallPart | BigPart, size: int) -> SmallPart | BigPart:
    return part.model_copy(update={"size_bytes": size})


ENTRY_FIELDS: dict[str, Callable[[Variant, str, int], dict[str, object]]] = {
    "plaintextBytes": lambda _, __, number: {"plaintext_bytes": number},
    "small.sizeBytes": lambda of, _, number: {"small": _sized(of.small, number)},
    "big.sizeBytes": lambda of, _, number: {"big": _sized(of.big, number)},
    "small digest": lambda of, digest, _: {"small": _with_digest(of.small, digest)},
    "big digest": lambda of, digest, _: {"big": _with_digest(of.big, digest)},
}


def _with_digest(part: SmallPart | BigPart, digest: str) -> SmallPart | BigPart:
    (field,) = {"core_sha256", "tree_sha256", "sha256"} & part.model_dump(exclude_none=True).keys()
    return part.model_copy(update={field: digest})


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("field", ENTRY_FIELDS)
@given(
    number=st.integers(0, 1 << 41) | st.integers(-40, 40),
    digest=st.binary(min_size=32, max_size=32),
)
def test_no_field_that_proves_the_parts_can_be_another(
    name: str, field: str, number: int, digest: bytes
) -> None:
    whole = SHORT[name]
    variant = whole.entry.variant
    there = {
        "plaintextBytes": variant.plaintext_bytes,
        "small.sizeBytes": variant.small.size_bytes,
        "big.sizeBytes": variant.big.size_bytes,
    }.get(field, 0)
    # Small numbers are distances: what is nearly right is tried most.
    number = there + number if abs(number) <= 40 else number
    update = ENTRY_FIELDS[field](variant, digest.hex(), number)
    changed = replace(whole.entry, variant=variant.model_copy(update=update))
    if changed == whole.entry:
        assert whole.but(entry=changed).open() == whole.plaintext
    else:
        refusal(whole.but(entry=changed))


@pytest.mark.parametrize("segments", [0, 2, 1 << 20])
def test_another_number_of_segments_is_refused(segments: int) -> None:
    whole = SHORT[V2]
    variant = whole.entry.variant
    big = variant.big.model_copy(update={"segments": segments})
    entry = replace(whole.entry, variant=variant.model_copy(update={"big": big}))
    assert "in 1" in str(refusal(whole.but(entry=entry)))


def test_another_plaintext_digest_is_refused_where_nothing_else_proves_the_plaintext() -> None:
    whole = SHORT[V1]
    refusal(whole.but(entry=replace(whole.entry, plaintext_sha256="0" * 64)))


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a document, as its holder and where it stands there."""
    for at in node if isinstance(node, dict) else range(len(node)):
        yield node, at
        if isinstance(node[at], dict | list):
            yield from places(node[at])


def changed_manifests(manifest: Manifest) -> Iterator[bytes]:
    """The manifest with one field gone or another, for every field and many values."""
    document = json.loads(manifest.encode())
    for holder, at in list(places(document)):
        there = holder[at]
        for value in VALUES:
            if value != there or type(value) is not type(there):
                holder[at] = value
                try:
                    yield rfc8785.dumps(document)
                except rfc8785.CanonicalizationError:
                    continue
                finally:
                    holder[at] = there
        if isinstance(holder, dict):
            del holder[at]
            yield rfc8785.dumps(document)
            holder[at] = there


@pytest.mark.parametrize("name", BOTH)
def test_every_field_of_the_manifest_is_what_was_signed_or_does_not_touch_the_bytes(
    name: str,
) -> None:
    """Under the signed digest nothing passes. Where a publisher signs it, the bytes still agree."""
    whole = SHORT[name]
    manifest = manifest_of(whole)
    opened = 0
    for raw in changed_manifests(manifest):
        with pytest.raises(IntegrityError, match=r"^manifest: SHA-256 is "):
            Manifest.parse(raw, sha256=manifest.digest())
        with contextlib.suppress(SealyardError):
            entry = Manifest.parse(raw).entry(CONTEXT)
            assert whole.but(entry=entry).open() == whole.plaintext
            opened += 1
    # What describes the model, and where big lies, can be said otherwise.
    assert opened


OTHERS = {
    "itself": {},
    "another sealing": {},
    "another version": {"context": ReleaseContext("coins", "1.0.1", "onnx-fp32")},
    "another variant": {"context": ReleaseContext("coins", "1.0.0", "onnx-fp16")},
    "another model": {"context": ReleaseContext("coin", "1.0.0", "onnx-fp32")},
    "another plaintext": {"plaintext": content(100, "other")},
    "a longer one": {"plaintext": content(101)},
}
# aes-256-cbc-v1 binds no names: the same bytes under another manifest are the same artifact.
KINDS = [
    (name, other)
    for name, other in itertools.product(BOTH, OTHERS)
    if name == V2 or other in {"itself", "another sealing", "another plaintext", "a longer one"}
]


def test_parts_and_manifests_of_different_artifacts_never_open_together() -> None:
    made = []
    for name, other in KINDS:
        arguments: dict[str, Any] = {"plaintext": content(100)} | OTHERS[other]
        made.append(seal(name, **{"seed": other} | arguments))
    for small, big, entry in itertools.product(range(len(made)), repeat=3):
        mixed = made[entry].but(small=made[small].small, big=made[big].big)
        if small == big == entry:
            assert mixed.open() == made[entry].plaintext
        else:
            refusal(mixed)


def test_slots_of_different_artifacts_never_open_together() -> None:
    made = [seal(V2, content(100)), seal(V2, content(100), seed="again")]
    for one, other in (made, made[::-1]):
        for mine, theirs in ((one, other), (granted(one), granted(other))):
            slots = theirs.small[128:]
            assert "do not open" in str(refusal(mine.but(small=mine.small[:128] + slots)))
            # Beside a right one, a strange slot is passed by.
            both = mine.small[:128] + slots[:96] + mine.small[128:224]
            assert mine.but(small=both).open() == mine.plaintext


def test_the_tree_here_is_the_products() -> None:
    core = Header.parse(SHORT[V2].small).core
    tree = tree_digest(core, SHORT[V2].big[-32:])
    assert tree.hex() == SHORT[V2].entry.variant.big.tree_sha256
