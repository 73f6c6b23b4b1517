"""Ed25519 keys as the index uses them: PKCS#8 in PEM, and python-tuf's signers."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Key

from sealyard.errors import InvalidError

KEY_MAX_BYTES = 4096


def new_key(passphrase: bytes | None = None) -> bytes:
    """A new key as a PEM file, encrypted if there is a passphrase."""
    encryption: KeySerializationEncryption = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    )
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and where it is from.

    Attributes:
        signer: signs with it.
        source: what a user calls its file.
    """

    signer: CryptoSigner
    source: str

    @classmethod
    def parse(cls, pem: bytes, source: str, passphrase: bytes | None = None) -> SigningKey:
        """The key in a PEM file.

        Args:
            pem: PKCS#8.
            source: what a user calls the file.
            passphrase: opens it, if it is encrypted.

        Raises:
            InvalidError: it is no such key, or the passphrase does not open it.
        """
        key = _loaded(pem, passphrase)
        if not isinstance(key, Ed25519PrivateKey):
            # Raised here and not in a handler, where its cause would carry what was read.
            also = ", and the passphrase must open it" if _is_encrypted(pem) else ""
            raise InvalidError(f"{source}: must be an Ed25519 private key in PEM (PKCS#8){also}")
        return cls(CryptoSigner(key), source)

    @property
    def public(self) -> Key:
        """What a root names."""
        return self.signer.public_key

    @property
    def keyid(self) -> str:
        """By which roots and signatures call it."""
        return self.signer.public_key.keyid


def _loaded(pem: bytes, passphrase: bytes | None) -> object:
    try:
        return load_pem_private_key(pem, passphrase if _is_encrypted(pem) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _is_encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED PRIVATE KEY" in pem
