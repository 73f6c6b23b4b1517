"""The small part for one legacy device: what opens it, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.header import Header
from sealyard.sealing.legacy import LegacyKey, open_small_for_legacy, seal_small_for_legacy
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import KEYRING, V1, V2, content, seal, seeded

DIGEST, DEVICE = b"h" * 32, b"d" * 16
SMALL = content(100, "small")
SEALED = seal_small_for_legacy(SMALL, DIGEST, DEVICE, seeded("legacy"))


@settings(max_examples=50, deadline=None)
@given(
    small=st.binary(max_size=3072),
    digest=st.binary(min_size=32, max_size=32),
    device=st.binary(min_size=16, max_size=16),
)
def test_what_is_sealed_for_a_device_opens_there(
    small: bytes, digest: bytes, device: bytes
) -> None:
    sealed = seal_small_for_legacy(small, digest, device)
    assert open_small_for_legacy(sealed, digest, device) == small
    assert len(sealed) == 16 + (len(small) // 16 + 1) * 16 + 32
    assert sealed != seal_small_for_legacy(small, digest, device), "the IV is not new"


def refused(sealed: bytes, digest: bytes = DIGEST, device: bytes = DEVICE) -> bool:
    with pytest.raises(IntegrityError) as caught:
        open_small_for_legacy(sealed, digest, device)
    return str(caught.value) == NOT_OPENED and caught.value.__cause__ is None


def test_every_bit_counts() -> None:
    for at in range(len(SEALED)):
        for bit in range(8):
            changed = bytearray(SEALED)
            changed[at] ^= 1 << bit
            assert refused(bytes(changed)), (at, bit)


def test_every_length_counts() -> None:
    assert all(refused(SEALED[:length]) for length in range(len(SEALED)))
    assert all(refused(SEALED + bytes(more)) for more in (1, 16, 32))


@settings(max_examples=50, deadline=None)
@given(
    digest=st.binary(min_size=32, max_size=32).filter(lambda it: it != DIGEST),
    device=st.binary(min_size=16, max_size=16).filter(lambda it: it != DEVICE),
)
def test_neither_other_hardware_nor_another_device_opens_it(digest: bytes, device: bytes) -> None:
    assert refused(SEALED, digest=digest)
    assert refused(SEALED, device=device)


@pytest.mark.parametrize(("digest", "device"), [(b"", DEVICE), (DIGEST, b""), (DIGEST[1:], DEVICE)])
def test_keys_of_another_length_are_a_fault_of_the_caller(digest: bytes, device: bytes) -> None:
    with pytest.raises(ValueError, match="the hardware digest has 32 bytes, the device id 16"):
        seal_small_for_legacy(SMALL, digest, device)


def test_a_legacy_device_opens_v1_and_nothing_else() -> None:
    fleet_key = KEYRING.active_v1.material
    key = LegacyKey(fleet_key, DIGEST, DEVICE)
    assert key.fleet_keys() == (fleet_key,)
    made = seal(V1, SMALL)
    assert key.opened_small(seal_small_for_legacy(made.small, DIGEST, DEVICE)) == made.small
    with pytest.raises(MissingError, match="level legacy opens aes-256-cbc-v1 only"):
        key.data_key(Header.parse(seal(V2, SMALL).small))
    assert fleet_key.hex() not in repr(key)
    assert repr(DIGEST) not in repr(key)
    with pytest.raises(InvalidError, match=r"^fleet key: has 31 bytes, must be 32$"):
        LegacyKey(fleet_key[1:], DIGEST, DEVICE)
