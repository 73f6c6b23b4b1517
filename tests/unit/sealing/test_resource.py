"""`IV ‖ AES-256-CBC(PKCS7) ‖ HMAC-SHA256`, and that nothing else opens."""

from __future__ import annotations

import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from sealyard.errors import IntegrityError
from sealyard.sealing.layout import BytesReader
from sealyard.sealing.resource import (
    NOT_OPENED,
    ResourceKeys,
    open_bytes,
    open_pieces,
    seal_bytes,
    seal_pieces,
)

KEYS = ResourceKeys.derive(bytes(range(32)), "files")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4096, 100_001])
def test_what_was_sealed_opens(size: int) -> None:
    plaintext = os.urandom(size)
    sealed = seal_bytes(KEYS, plaintext)
    assert len(sealed) == 16 + (size // 16 + 1) * 16 + 32
    assert open_bytes(KEYS, BytesReader(sealed)) == plaintext


def test_pieces_are_the_same_as_the_whole() -> None:
    plaintext = os.urandom(1000)
    pieces = [plaintext[:7], plaintext[7:300], b"", plaintext[300:]]
    assert b"".join(seal_pieces(KEYS, pieces, bytes)) == seal_bytes(KEYS, plaintext, bytes)


def test_the_form_is_that_of_the_contract() -> None:
    sealed = seal_bytes(KEYS, b"a model", lambda size: b"\x07" * size)
    start, body, tag = sealed[:16], sealed[16:-32], sealed[-32:]
    assert start == b"\x07" * 16
    assert tag == hmac.digest(KEYS.authentication, start + body, "sha256")
    cipher = Cipher(algorithms.AES256(KEYS.encryption), modes.CBC(start)).decryptor()
    unpadder = PKCS7(128).unpadder()
    assert unpadder.update(cipher.update(body)) + unpadder.finalize() == b"a model"


@pytest.mark.parametrize("offset", [0, 15, 16, 40, 47, 48, 79])
def test_a_tampered_resource_is_refused(offset: int) -> None:
    sealed = bytearray(seal_bytes(KEYS, b"thirty-two bytes are two blocks"))
    sealed[offset] ^= 1
    with pytest.raises(IntegrityError, match=NOT_OPENED):
        open_bytes(KEYS, BytesReader(sealed))


@pytest.mark.parametrize("size", [0, 16, 48, 63, 65, 95])
def test_a_truncated_resource_is_refused(size: int) -> None:
    sealed = seal_bytes(KEYS, bytes(40))[:size]
    with pytest.raises(IntegrityError, match=NOT_OPENED):
        open_bytes(KEYS, BytesReader(sealed))


def test_padding_counts_for_nothing_before_the_tag() -> None:
    """No padding oracle: a body without padding fails as one with a wrong tag does."""
    start = bytes(16)
    cipher = Cipher(algorithms.AES256(KEYS.encryption), modes.CBC(start)).encryptor()
    body = cipher.update(bytes(16))
    for tag in (hmac.digest(KEYS.authentication, start + body, "sha256"), bytes(32)):
        with pytest.raises(IntegrityError, match=NOT_OPENED):
            open_bytes(KEYS, BytesReader(start + body + tag))


def test_the_tag_comes_last_and_so_does_the_error() -> None:
    sealed = bytearray(seal_bytes(KEYS, bytes(3 << 20)))
    sealed[-1] ^= 1
    pieces = open_pieces(KEYS, BytesReader(sealed))
    with pytest.raises(IntegrityError):
        list(pieces)


@pytest.mark.parametrize(
    "other",
    [
        ResourceKeys.derive(bytes(range(32)), "keys"),
        ResourceKeys.derive(bytes(range(32)), "files", salt=b"salt"),
        ResourceKeys.derive(bytes(range(1, 33)), "files"),
    ],
    ids=["purpose", "salt", "secret"],
)
def test_other_keys_open_nothing(other: ResourceKeys) -> None:
    with pytest.raises(IntegrityError, match=NOT_OPENED):
        open_bytes(other, BytesReader(seal_bytes(KEYS, b"a model")))


def test_no_key_is_shown() -> None:
    assert KEYS.encryption.hex() not in repr(KEYS)
    assert repr(KEYS.encryption) not in repr(KEYS)
