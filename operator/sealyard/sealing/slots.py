"""Wrapping a data key for a key of the keyring, or for one device; and moving between keys."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.header import RECIPIENT_BYTES, Core, Header, Slot, hkdf
from sealyard.sealing.layout import Buffer, Random

KEY_BYTES: Final = 32
NOT_OPENED: Final = "the sealed bytes do not open: wrong key, or changed bytes"

_SALT_BYTES = 32
# The wrapping key is used once: its salt is new at every wrap.
_ZERO_NONCE = bytes(12)
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class OpeningKeys(Protocol):
    """What opens sealed artifacts: a `Keyring`, `FleetKey`, `DeviceKey` or `LegacyKey`."""

    def data_key(self, header: Header) -> bytes:
        """The data key of a sealed-v2 artifact, checked against the core's commitment.

        Raises:
            MissingError: no slot is for this recipient, or it does not open sealed-v2.
            IntegrityError: the slot does not unwrap.
        """

    def fleet_keys(self) -> tuple[bytes, ...]:
        """The keys that may open an aes-256-cbc-v1 artifact, the likeliest first.

        Raises:
            MissingError: there is none.
        """

    def opened_small(self, small: Buffer) -> Buffer:
        """The small part as the manifest knows it; for all but a legacy device as it comes.

        Raises:
            IntegrityError: it was not sealed for this device, with the uniform message.
        """


def not_opened() -> IntegrityError:
    """The one error for unwrap, commitment, tag and padding: it does not tell them apart."""
    return IntegrityError(NOT_OPENED)


def key_id(kek: bytes) -> bytes:
    """The 16-byte recipient id of a v2 keyring key. It tells nothing about the key."""
    return hkdf(kek, b"", b"sealyard/v2/key-id\0")[:RECIPIENT_BYTES]


def wrap_for_keyring(core: Core, data_key: bytes, kek: bytes, random: Random) -> Slot:
    """A keyring slot."""
    recipient = key_id(kek)
    salt = random(_SALT_BYTES)
    sealed = AESGCM(_wrapping_key(kek, salt, recipient)).encrypt(
        _ZERO_NONCE, data_key, _keyring_binding(core)
    )
    return Slot(recipient, salt + sealed)


def unwrap_for_keyring(core: Core, slot: Slot, kek: bytes) -> bytes:
    """The data key in a keyring slot, checked against the core's commitment.

    Raises:
        IntegrityError: with the uniform message.
    """
    salt, sealed = slot.wrapped[:_SALT_BYTES], slot.wrapped[_SALT_BYTES:]
    cipher = AESGCM(_wrapping_key(kek, salt, slot.recipient))
    try:
        data_key = cipher.decrypt(_ZERO_NONCE, sealed, _keyring_binding(core))
    except InvalidTag:
        raise not_opened() from None
    return _committed(core, data_key)


def device_recipient(encryption_key: bytes, signing_key: bytes) -> bytes:
    """The 16-byte recipient id of a device; `deviceId` is its hex.

    Args:
        encryption_key: the raw X25519 public key.
        signing_key: the raw Ed25519 public key.
    """
    material = b"sealyard/device/v1\0" + encryption_key + signing_key
    return hashlib.sha256(material).digest()[:RECIPIENT_BYTES]


def wrap_for_device(core: Core, data_key: bytes, encryption_key: bytes, signing_key: bytes) -> Slot:
    """A device slot (HPKE, whose ephemeral key comes from the cryptographic library).

    Raises:
        InvalidError: `encryption_key` is no X25519 public key that can be agreed with.
    """
    recipient = device_recipient(encryption_key, signing_key)
    binding = _device_binding(core, recipient)
    try:
        public = X25519PublicKey.from_public_bytes(encryption_key)
        return Slot(recipient, _HPKE.encrypt(data_key, public, binding))
    except ValueError:
        raise InvalidError(
            f"encryptionKey of device {recipient.hex()}: must be a 32-byte X25519 public key"
        ) from None


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """Opens the device's own slot; an `OpeningKeys`."""

    private_key: X25519PrivateKey = field(repr=False)
    signing_key: bytes
    """The raw Ed25519 public key: half of what the device's id is made of."""

    @property
    def recipient(self) -> bytes:
        """The device's recipient id."""
        return device_recipient(self.private_key.public_key().public_bytes_raw(), self.signing_key)

    def data_key(self, header: Header) -> bytes:
        """The data key of an artifact that was granted to this device.

        Raises:
            MissingError: nothing was granted.
            IntegrityError: no such slot unwraps.
        """
        me = self.recipient
        own = [slot for slot in header.slots if slot is not None and slot.recipient == me]
        if not own:
            raise MissingError(f"small part: no slot for device {me.hex()}")
        for slot in own:
            with contextlib.suppress(IntegrityError):
                return self._unwrap(header.core, slot)
        raise not_opened()

    def _unwrap(self, core: Core, slot: Slot) -> bytes:
        binding = _device_binding(core, slot.recipient)
        try:
            data_key = _HPKE.decrypt(slot.wrapped, self.private_key, binding)
        except InvalidTag:
            raise not_opened() from None
        return _committed(core, data_key)

    def fleet_keys(self) -> tuple[bytes, ...]:
        """None: a device key opens sealed-v2 only."""
        raise MissingError("aes-256-cbc-v1 opens with the fleet key, not with a device key")

    def opened_small(self, small: Buffer) -> Buffer:
        """As it comes."""
        return small


def _committed(core: Core, data_key: bytes) -> bytes:
    if len(data_key) != KEY_BYTES or not core.commits_to(data_key):
        raise not_opened()
    return data_key


def _wrapping_key(kek: bytes, salt: bytes, recipient: bytes) -> bytes:
    return hkdf(kek, salt, b"sealyard/v2/wrap\0" + recipient)


def _keyring_binding(core: Core) -> bytes:
    return b"sealyard/v2/slot\0" + core.encode()


def _device_binding(core: Core, recipient: bytes) -> bytes:
    return b"sealyard/v2/device-slot\0" + core.encode() + recipient
