"""The 320 bytes of a sealed-v2 small part: an immutable core, and two slots that come and go."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.layout import MAX_PLAINTEXT_BYTES, SEGMENT_BYTES, Buffer

MAGIC: Final = bytes.fromhex("89534c590d0a1a0a")
VERSION: Final = 2
HEADER_BYTES: Final = 320
CORE_BYTES: Final = 128
SLOT_BYTES: Final = 96
RECIPIENT_BYTES: Final = 16
SUITE: Final = 1
SEGMENT_LOG2: Final = 20
MIN_BODY_BYTES: Final = 4096
EMPTY_SLOT: Final = bytes(SLOT_BYTES)

_FIXED = struct.Struct(">8sHHBBH32sQQ32s")
_HASHED_BYTES = _FIXED.size  # 96: what the commitment and the payload key are bound to


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA256."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key)


@dataclass(frozen=True, slots=True)
class Core:
    """Bytes 0 to 127: what the artifact is. Its digest stands in the manifest."""

    file_id: bytes
    plaintext_bytes: int
    context_digest: bytes
    commitment: bytes

    @classmethod
    def create(
        cls, *, file_id: bytes, plaintext_bytes: int, context_digest: bytes, data_key: bytes
    ) -> Core:
        """A core that commits to `data_key`."""
        if not 0 <= plaintext_bytes <= MAX_PLAINTEXT_BYTES:
            raise InvalidError(f"plaintext: {plaintext_bytes} bytes, must be at most 2^40")
        bare = cls(file_id, plaintext_bytes, context_digest, bytes(32))
        return replace(bare, commitment=bare._commitment_of(data_key))

    @classmethod
    def parse(cls, raw: Buffer) -> Core:
        """Read 128 bytes and check every constant and length.

        Raises:
            IntegrityError: naming the field that is not as the format says.
        """
        if len(raw) != CORE_BYTES:
            raise IntegrityError(f"small part: its core has {len(raw)} bytes, must be 128")
        fields = _FIXED.unpack_from(raw)
        constants = (
            ("magic", fields[0], MAGIC),
            ("version", fields[1], VERSION),
            ("header length", fields[2], HEADER_BYTES),
            ("suite", fields[3], SUITE),
            ("segment size", fields[4], SEGMENT_LOG2),
            ("flags", fields[5], 0),
        )
        for name, got, wanted in constants:
            if got != wanted:
                raise IntegrityError(f"small part: {name} is {got!r}, must be {wanted!r}")
        file_id, plaintext_bytes, body_bytes, context_digest = fields[6:]
        if plaintext_bytes > MAX_PLAINTEXT_BYTES:
            raise IntegrityError(
                f"small part: plaintext length is {plaintext_bytes}, must be at most 2^40"
            )
        core = cls(file_id, plaintext_bytes, context_digest, bytes(raw[_HASHED_BYTES:]))
        if body_bytes != core.body_bytes:
            raise IntegrityError(
                f"small part: body length is {body_bytes}, must be {core.body_bytes}"
            )
        return core

    @property
    def body_bytes(self) -> int:
        """The plaintext's length after padding: short plaintexts do not show how short."""
        return max(self.plaintext_bytes, MIN_BODY_BYTES)

    @property
    def segments(self) -> int:
        """How many segments the body has."""
        return -(-self.body_bytes // SEGMENT_BYTES)

    def encode(self) -> bytes:
        """The 128 bytes."""
        return self._hashed() + self.commitment

    def digest(self) -> bytes:
        """SHA-256 of the 128 bytes."""
        return hashlib.sha256(self.encode()).digest()

    def commits_to(self, data_key: bytes) -> bool:
        """Whether this core was made for `data_key`. (AES-GCM alone does not commit to its key.)"""
        return hmac.compare_digest(self.commitment, self._commitment_of(data_key))

    def payload_key(self, data_key: bytes) -> bytes:
        """The key that encrypts the segments of this one file."""
        return hkdf(data_key, self.file_id, b"sealyard/v2/payload\0" + self._binding())

    def _commitment_of(self, data_key: bytes) -> bytes:
        return hkdf(data_key, self.file_id, b"sealyard/v2/commit\0" + self._binding())

    def _binding(self) -> bytes:
        return hashlib.sha256(self._hashed()).digest()

    def _hashed(self) -> bytes:
        return _FIXED.pack(
            MAGIC,
            VERSION,
            HEADER_BYTES,
            SUITE,
            SEGMENT_LOG2,
            0,
            self.file_id,
            self.plaintext_bytes,
            self.body_bytes,
            self.context_digest,
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """The data key, wrapped for one recipient: a key of the keyring, or a device."""

    recipient: bytes
    wrapped: bytes

    def encode(self) -> bytes:
        """The 96 bytes."""
        return self.recipient + self.wrapped


@dataclass(frozen=True, slots=True)
class Header:
    """A whole small part. `slots` holds two, `None` where one is unused (zeros)."""

    core: Core
    slots: tuple[Slot | None, Slot | None]

    @classmethod
    def parse(cls, raw: Buffer) -> Header:
        """Read 320 bytes.

        Raises:
            IntegrityError: the length or a field of the core is wrong. A slot has no form of its
                own to check: a changed one does not unwrap.
        """
        if len(raw) != HEADER_BYTES:
            raise IntegrityError(f"small part: {len(raw)} bytes, must be {HEADER_BYTES}")
        view = memoryview(raw)
        return cls(
            Core.parse(view[:CORE_BYTES]),
            (_parse_slot(view[128:224]), _parse_slot(view[224:320])),
        )

    def encode(self) -> bytes:
        """The 320 bytes."""
        return self.core.encode() + b"".join(
            EMPTY_SLOT if slot is None else slot.encode() for slot in self.slots
        )

    def slot_of(self, recipient: bytes) -> Slot | None:
        """The slot that holds the data key for this recipient."""
        return next(
            (slot for slot in self.slots if slot is not None and slot.recipient == recipient), None
        )

    def with_slot(self, slot: Slot) -> Header:
        """With `slot` in its recipient's place, else in the empty one.

        Raises:
            InvalidError: both slots belong to other recipients.
        """
        first, second = self.slots
        if first is not None and first.recipient == slot.recipient:
            return replace(self, slots=(slot, second))
        if second is not None and second.recipient == slot.recipient:
            return replace(self, slots=(first, slot))
        if first is None:
            return replace(self, slots=(slot, second))
        if second is None:
            return replace(self, slots=(first, slot))
        raise InvalidError("small part: both slots are in use; retire the key of one before")

    def without_slot(self, recipient: bytes) -> Header:
        """With the recipient's slot zeroed; unchanged if it has none.

        Raises:
            InvalidError: it is the only slot, so that nothing could open the release any more.
        """
        if self.slot_of(recipient) is None:
            return self
        kept = tuple(s for s in self.slots if s is not None and s.recipient != recipient)
        if not kept:
            raise InvalidError("small part: its only slot cannot be zeroed; rewrap it before")
        first, second = self.slots
        return replace(
            self,
            slots=(first if first in kept else None, second if second in kept else None),
        )


def _parse_slot(raw: memoryview) -> Slot | None:
    if raw == EMPTY_SLOT:
        return None
    return Slot(bytes(raw[:RECIPIENT_BYTES]), bytes(raw[RECIPIENT_BYTES:]))
