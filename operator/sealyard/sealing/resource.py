"""Sealed to one machine: `IV(16) ‖ AES-256-CBC(PKCS7(plaintext)) ‖ HMAC-SHA256(32)`.

The tag is over IV and ciphertext and is compared before anything of the plaintext counts, padding
included. Both keys follow by HKDF-SHA256 from what the device's level gives (contracts.md section
5), and from the purpose, so that a file never opens in the place of another.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from sealyard.errors import IntegrityError
from sealyard.sealing.layout import Random, Range, Reader

NOT_OPENED: Final = "does not open here: it was sealed on another device, or its bytes changed"
PIECE_BYTES: Final = 1 << 20

_BLOCK_BYTES: Final = 16
_TAG_BYTES: Final = 32
_KEY_BYTES: Final = 32
_INFO: Final = b"sealyard/device/resource/v1\0"


@dataclass(frozen=True, slots=True)
class ResourceKeys:
    """The two keys of one purpose."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes, purpose: str, *, salt: bytes = b"") -> Self:
        """The keys that follow from a secret.

        Args:
            secret: at least 32 bytes of entropy between it and the salt.
            purpose: what is sealed; other purposes have other keys.
            salt: random, of the device's own.
        """
        info = _INFO + purpose.encode()
        length = 2 * _KEY_BYTES
        both = HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
        return cls(both[:_KEY_BYTES], both[_KEY_BYTES:])


def seal_pieces(
    keys: ResourceKeys, pieces: Iterable[bytes | memoryview], random: Random = secrets.token_bytes
) -> Iterator[bytes]:
    """The sealed bytes of a plaintext that comes in pieces of any length."""
    start = random(_BLOCK_BYTES)
    cipher = Cipher(algorithms.AES256(keys.encryption), modes.CBC(start)).encryptor()
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    tag = hmac.new(keys.authentication, start, hashlib.sha256)
    yield start
    for piece in pieces:
        sealed = cipher.update(padder.update(piece))
        tag.update(sealed)
        yield sealed
    sealed = cipher.update(padder.finalize()) + cipher.finalize()
    tag.update(sealed)
    yield sealed
    yield tag.digest()


def open_pieces(keys: ResourceKeys, sealed: Reader) -> Iterator[bytes]:
    """The plaintext in pieces, which may be used only once all of them were given.

    Raises:
        IntegrityError: it was not sealed with these keys, or was changed; without a name, which
            the caller puts before it.
    """
    body = sealed.size - _BLOCK_BYTES - _TAG_BYTES
    if body < _BLOCK_BYTES or body % _BLOCK_BYTES:
        raise IntegrityError(NOT_OPENED)
    start = bytes(sealed.read_at(0, _BLOCK_BYTES))
    cipher = Cipher(algorithms.AES256(keys.encryption), modes.CBC(start)).decryptor()
    unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
    tag = hmac.new(keys.authentication, start, hashlib.sha256)
    for piece in sealed.stream(Range(_BLOCK_BYTES, body)):
        tag.update(piece)
        yield unpadder.update(cipher.update(piece))
    expected = bytes(sealed.read_at(_BLOCK_BYTES + body, _TAG_BYTES))
    if not hmac.compare_digest(tag.digest(), expected):
        raise IntegrityError(NOT_OPENED)
    try:
        last = unpadder.update(cipher.finalize()) + unpadder.finalize()
    except ValueError:
        raise IntegrityError(NOT_OPENED) from None
    yield last


def seal_bytes(keys: ResourceKeys, plaintext: bytes, random: Random = secrets.token_bytes) -> bytes:
    """A short plaintext, sealed."""
    return b"".join(seal_pieces(keys, [plaintext], random))


def open_bytes(keys: ResourceKeys, sealed: Reader) -> bytes:
    """A short plaintext.

    Raises:
        IntegrityError: as `open_pieces`.
    """
    return b"".join(open_pieces(keys, sealed))
