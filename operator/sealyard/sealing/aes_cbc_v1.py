"""aes-256-cbc-v1: the existing fleet's format, byte for byte.

`IV(16) ‖ AES-256-CBC(PKCS7(plaintext))` under the fleet key, cut after the small part. CBC
authenticates nothing, so nothing here is decrypted but under the digests of a verified manifest.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.layout import (
    MAX_PLAINTEXT_BYTES,
    SEGMENT_BYTES,
    Buffer,
    Layout,
    Random,
    Range,
    Reader,
    read_exactly,
)
from sealyard.sealing.manifest import Entry, FormatName, SmallPart
from sealyard.sealing.parts import Sealed
from sealyard.sealing.slots import OpeningKeys, not_opened
from sealyard.sealing.split import DEFAULT_LIMITS, SplitLimits

BLOCK: Final = 16
NAME: Final[FormatName] = "aes-256-cbc-v1"
_OBJECT_ID_BYTES: Final = 32
_DIGEST_BYTES: Final = 32
_FRESH_BYTES: Final = BLOCK + _OBJECT_ID_BYTES


def _padding(plaintext_bytes: int) -> bytes:
    length = BLOCK - plaintext_bytes % BLOCK
    return bytes([length]) * length


def _total(plaintext_bytes: int) -> int:
    return BLOCK + plaintext_bytes + len(_padding(plaintext_bytes))


def _layout(plaintext_bytes: int, small_bytes: int) -> Layout:
    return Layout(
        plaintext_bytes=plaintext_bytes,
        small_bytes=small_bytes,
        big_bytes=_total(plaintext_bytes) - small_bytes,
        segments=max(1, -(-plaintext_bytes // SEGMENT_BYTES)),
        stride=SEGMENT_BYTES,
        # The stream begins with the IV, and its first bytes are the small part.
        shift=BLOCK - small_bytes,
        # A segment decrypts with the block of ciphertext before it.
        overlap=BLOCK,
    )


def _cipher(key: bytes, iv: Buffer) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES256(key), modes.CBC(iv))


class SealerV1:
    """Seals one plaintext. CBC is a chain: segments come in order, each once."""

    parallel = False

    def __init__(self, layout: Layout, key: bytes, state: bytes) -> None:
        self.layout: Final = layout
        self.state: Final = state
        self._iv = state[:BLOCK]
        self._encryptor = _cipher(key, self._iv).encryptor()
        self._next = 0
        self._small = b""
        self._digest = hashlib.sha256()

    @property
    def object_id(self) -> str:
        """Names big on the CDN: 64 hex digits, new for every sealing."""
        return self.state[BLOCK:_FRESH_BYTES].hex()

    def seal_segment(self, index: int, plaintext: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of big to the beginning of `out`; returns its length.

        Args:
            index: the one after the last.
            plaintext: all of `layout.plaintext_range(index)`.
            out: at least `layout.buffer_bytes` long.

        Raises:
            InvalidError: the plaintext has another length than was said.
        """
        if index != self._next:
            raise ValueError(f"segment {self._next} is next, not {index}: CBC is a chain")
        wanted = self.layout.plaintext_range(index).length
        if len(plaintext) != wanted:
            raise InvalidError(
                f"plaintext: segment {index} has {len(plaintext)} bytes, expected {wanted}: "
                "it changed while it was read"
            )
        self._next += 1
        if index:
            length = self._encrypt(index, plaintext, memoryview(out))
        else:
            length = self._encrypt_first(plaintext, memoryview(out))
        self._digest.update(memoryview(out)[:length])
        return length

    def finish(self) -> Sealed:
        """The small part, and what the manifest says of both parts."""
        if self._next != self.layout.segments:
            raise ValueError(f"segment {self._next} was not sealed")
        return Sealed(
            format=NAME,
            small=self._small,
            trailer=b"",
            small_part=SmallPart(
                size_bytes=len(self._small), sha256=hashlib.sha256(self._small).hexdigest()
            ),
            big_bytes=self.layout.big_bytes,
            big_segments=None,
            big_digest=self._digest.hexdigest(),
        )

    def _encrypt_first(self, plaintext: Buffer, out: memoryview) -> int:
        """The IV and the first segment, less what belongs to the small part."""
        whole = memoryview(bytearray(self.layout.buffer_bytes))
        whole[:BLOCK] = self._iv
        end = BLOCK + self._encrypt(0, plaintext, whole[BLOCK:])
        cut = self.layout.small_bytes
        self._small = bytes(whole[:cut])
        out[: end - cut] = whole[cut:end]
        return end - cut

    def _encrypt(self, index: int, plaintext: Buffer, out: memoryview) -> int:
        if index < self.layout.segments - 1:
            return self._encryptor.update_into(plaintext, out)
        blocks = len(plaintext) // BLOCK * BLOCK
        view = memoryview(plaintext)
        tail = bytes(view[blocks:]) + _padding(len(plaintext))
        done = self._encryptor.update_into(view[:blocks], out)
        return done + self._encryptor.update_into(tail, out[done:])


class CheckerV1:
    """Compares one artifact with its manifest, without a key. Segments come in order, each once.

    Raises:
        IntegrityError: a check failed; says which.
    """

    parallel = False

    def __init__(self, entry: Entry, *, small: Buffer, big: Reader) -> None:
        self.layout: Final = _checked_layout(entry, small)
        if big.size != self.layout.big_bytes:
            raise IntegrityError(f"big part: {big.size} bytes, must be {self.layout.big_bytes}")
        self._wanted = entry.variant.big.sha256
        self._digest = hashlib.sha256()

    def check_segment(self, index: int, sealed: Buffer) -> None:
        """Take in what lies in big at `layout.big_range(index)`; with the last one, compare.

        Raises:
            IntegrityError: big is not what was sealed.
        """
        self._digest.update(sealed)
        last = index == self.layout.segments - 1
        if last and not _matches(self._digest.hexdigest(), self._wanted):
            raise IntegrityError("big part: it is not the one in the manifest")


class OpenerV1:
    """Opens one artifact. Segments may be asked for in any order, from several threads.

    Both digests are checked when it is made, which reads all of big once; what is read again to be
    decrypted must then be the same, segment by segment. Not `authenticated`: whoever opens all of
    it compares the plaintext's digest at the end, as `delivery.opening` does.

    Raises:
        IntegrityError: a size or digest is not the manifest's, or no key opens it.
        MissingError: the keys hold no fleet key.
    """

    parallel = True
    authenticated = False

    def __init__(self, entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> None:
        small = keys.opened_small(small)
        self.layout: Final = _checked_layout(entry, small)
        if big.size != self.layout.big_bytes:
            raise IntegrityError(f"big part: {big.size} bytes, must be {self.layout.big_bytes}")
        self._small = bytes(small)
        self._segments, tail = self._checked_big(entry.variant.big.sha256, big)
        self._key = self._fitting_key(entry, big, keys, tail)

    trailer = b""

    def proves(self, index: int, sealed: Buffer) -> bool:
        """Whether this is segment `index` of big, all of `layout.read_range(index)`."""
        known = self._segments[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]
        return hmac.compare_digest(hashlib.sha256(sealed).digest(), known)

    def open_segment(self, index: int, sealed: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of the plaintext to the beginning of `out`; returns its length.

        Args:
            index: which.
            sealed: what lies in big at `layout.read_range(index)`.
            out: at least `layout.buffer_bytes` long; on an error it holds no plaintext.

        Raises:
            IntegrityError: the segment is not what was sealed.
        """
        length = self.layout.plaintext_range(index).length
        if not self.proves(index, sealed):
            raise IntegrityError(f"big part: segment {index} changed since its digest was checked")
        view = memoryview(sealed if index else self._small + bytes(sealed))
        decryptor = _cipher(self._key, view[:BLOCK]).decryptor()
        # The padding, after the last segment, was checked when the key was chosen.
        decryptor.update_into(view[BLOCK:], out)
        return length

    def _checked_big(self, sha256: str | None, big: Reader) -> tuple[bytes, bytes]:
        """The digests of the segments as they will be read again, and the stream's last blocks."""
        whole, segment = hashlib.sha256(), hashlib.sha256()
        segments, tail = bytearray(), self._small
        left = self.layout.big_range(0).length
        for piece in big.stream(Range(0, self.layout.big_bytes)):
            whole.update(piece)
            view = memoryview(piece)
            while view:
                part = view[:left]
                segment.update(part)
                tail = (tail + bytes(part[-2 * BLOCK :]))[-2 * BLOCK :]
                left -= len(part)
                view = view[len(part) :]
                if not left:
                    segments += segment.digest()
                    # The next one is read with the block before it.
                    segment = hashlib.sha256(tail[-BLOCK:])
                    left = self._length(len(segments) // _DIGEST_BYTES)
        if not _matches(whole.hexdigest(), sha256):
            raise IntegrityError("big part: it is not the one in the manifest")
        return bytes(segments), tail

    def _length(self, index: int) -> int:
        """Of a segment of big; 0 after the last one."""
        return self.layout.big_range(index).length if index < self.layout.segments else 0

    def _fitting_key(self, entry: Entry, big: Reader, keys: OpeningKeys, tail: bytes) -> bytes:
        """The key whose padding fits; where several do, the one that gives the right plaintext.

        The manifest names no key, and one wrong key in 256 gives a padding of one byte.
        """
        padding = _padding(self.layout.plaintext_bytes)
        fitting = []
        for key in keys.fleet_keys():
            decryptor = _cipher(key, tail[:BLOCK]).decryptor()
            last = decryptor.update(tail[BLOCK:])
            if hmac.compare_digest(last[-len(padding) :], padding):
                fitting.append(key)
        if len(fitting) == 1:
            return fitting[0]
        out = memoryview(bytearray(self.layout.buffer_bytes))
        for key in fitting:
            self._key = key
            digest = hashlib.sha256()
            for index in range(self.layout.segments):
                sealed = read_exactly(big, self.layout.read_range(index), "big part")
                digest.update(out[: self.open_segment(index, sealed, out)])
            if _matches(digest.hexdigest(), entry.plaintext_sha256):
                return key
        raise not_opened()


def _checked_layout(entry: Entry, small: Buffer) -> Layout:
    """The layout, once the small part and the sizes are those of the manifest."""
    variant = entry.variant
    if len(small) != variant.small.size_bytes:
        raise IntegrityError(f"small part: {len(small)} bytes, must be {variant.small.size_bytes}")
    if not _matches(hashlib.sha256(small).hexdigest(), variant.small.sha256):
        raise IntegrityError("small part: it is not the one in the manifest")
    layout = _layout(variant.plaintext_bytes, len(small))
    if variant.big.size_bytes != layout.big_bytes:
        raise IntegrityError(
            f"big part: the manifest says {variant.big.size_bytes} bytes, but plaintext and "
            f"small part leave {layout.big_bytes}"
        )
    return layout


def _state_tag(key: bytes, fresh: bytes, layout: Layout) -> bytes:
    """Binds a state to all that decides which bytes come out, so that two never mix in one big."""
    sizes = layout.plaintext_bytes.to_bytes(8, "big") + layout.small_bytes.to_bytes(8, "big")
    return hmac.digest(key, b"sealyard/v1/state\0" + fresh + sizes, "sha256")


def _matches(got: str, wanted: str | None) -> bool:
    return hmac.compare_digest(got, wanted or "")


@dataclass(frozen=True, slots=True)
class AesCbcV1:
    """The format `aes-256-cbc-v1`; a `SealingFormat` of `formats`."""

    name: FormatName = NAME

    def plan(self, plaintext_bytes: int, limits: SplitLimits) -> Layout:
        """The sizes that sealing so many bytes gives."""
        if not 0 <= plaintext_bytes <= MAX_PLAINTEXT_BYTES:
            raise InvalidError(f"plaintext: {plaintext_bytes} bytes, must be at most 2^40")
        return _layout(plaintext_bytes, limits.small_limit(_total(plaintext_bytes)))

    def sealer(
        self,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,  # noqa: ARG002 - this format binds none; the manifest does
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,
        random: Random = secrets.token_bytes,
    ) -> SealerV1:
        """Seal under the active v1 key, with a new IV."""
        layout = self.plan(plaintext_bytes, limits)
        key = keyring.active_v1.material
        fresh = random(BLOCK) + random(_OBJECT_ID_BYTES)
        return SealerV1(layout, key, fresh + _state_tag(key, fresh, layout))

    def resume(
        self,
        state: bytes,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,  # noqa: ARG002 - as in `sealer`
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,
    ) -> SealerV1:
        """Go on with an interrupted sealing of the very same plaintext."""
        layout = self.plan(plaintext_bytes, limits)
        fresh, tag = state[:_FRESH_BYTES], state[_FRESH_BYTES:]
        for key in keyring.fleet_keys():
            if hmac.compare_digest(tag, _state_tag(key, fresh, layout)):
                return SealerV1(layout, key, state)
        raise InvalidError(
            "state: was made with another key, plaintext length or split limit; seal anew"
        )

    def checked_layout(self, entry: Entry, *, small: Buffer) -> Layout:
        """The sizes, once the small part is the one in the manifest."""
        return _checked_layout(entry, small)

    def opener(self, entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> OpenerV1:
        """Check both digests of the manifest, then find the key."""
        return OpenerV1(entry, small=small, big=big, keys=keys)

    def checker(self, entry: Entry, *, small: Buffer, big: Reader) -> CheckerV1:
        """Check what needs no key, and no segment."""
        return CheckerV1(entry, small=small, big=big)
