"""sealed-v2: independent AES-256-GCM segments under a signed tree of their digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.header import HEADER_BYTES, Core, Header
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.layout import (
    MAX_PLAINTEXT_BYTES,
    SEGMENT_BYTES,
    Buffer,
    Layout,
    Random,
    Reader,
    read_exactly,
)
from sealyard.sealing.manifest import Entry, FormatName, SmallPart
from sealyard.sealing.parts import Sealed
from sealyard.sealing.slots import KEY_BYTES, OpeningKeys, not_opened, wrap_for_keyring
from sealyard.sealing.split import DEFAULT_LIMITS, SplitLimits

TAG_BYTES: Final = 16
LEAF_BYTES: Final = 32
NAME: Final[FormatName] = "sealed-v2"


def tree_digest(core: Core, leaves: Buffer) -> bytes:
    """What the manifest holds of big: a digest over the core's and every segment's digest."""
    tree = hashlib.sha256(b"\x01" + core.digest())
    tree.update((len(leaves) // LEAF_BYTES).to_bytes(8, "big"))
    tree.update(leaves)
    return tree.digest()


def _layout(core: Core) -> Layout:
    trailer = LEAF_BYTES * core.segments
    return Layout(
        plaintext_bytes=core.plaintext_bytes,
        small_bytes=HEADER_BYTES,
        big_bytes=core.body_bytes + TAG_BYTES * core.segments + trailer,
        segments=core.segments,
        trailer_bytes=trailer,
        stride=SEGMENT_BYTES + TAG_BYTES,
    )


def _nonce(core: Core, index: int) -> bytes:
    last = index == core.segments - 1
    return bytes(3) + index.to_bytes(8, "big") + (b"\x01" if last else b"\x00")


def _leaf(sealed: Buffer) -> bytes:
    leaf = hashlib.sha256(b"\x00")
    leaf.update(sealed)
    return leaf.digest()


class SealerV2:
    """Seals one plaintext. Segments may come in any order, from several threads."""

    parallel = True

    def __init__(self, header: Header, data_key: bytes) -> None:
        self.layout: Final = _layout(header.core)
        self._header = header
        self._cipher = AESGCM(header.core.payload_key(data_key))
        self._leaves = bytearray(self.layout.trailer_bytes)
        self._done = bytearray(self.layout.segments)

    @property
    def object_id(self) -> str:
        """Names big on the CDN: 64 hex digits, new for every sealing."""
        return self._header.core.file_id.hex()

    @property
    def state(self) -> bytes:
        """What `resume` needs: the small part, which has the data key only wrapped."""
        return self._header.encode()

    def seal_segment(self, index: int, plaintext: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of big to the beginning of `out`; returns its length.

        The same segment may be sealed again (an upload that is repeated), and then must be equal:
        a nonce never encrypts two plaintexts.

        Raises:
            InvalidError: the plaintext has another length than was said, or changed.
        """
        core = self._header.core
        wanted = self.layout.plaintext_range(index).length
        if len(plaintext) != wanted:
            raise InvalidError(
                f"plaintext: segment {index} has {len(plaintext)} bytes, expected {wanted}: "
                "it changed while it was read"
            )
        if core.plaintext_bytes < core.body_bytes:
            plaintext = bytes(plaintext).ljust(core.body_bytes, b"\0")
        sealed = memoryview(out)[: len(plaintext) + TAG_BYTES]
        self._cipher.encrypt_into(_nonce(core, index), plaintext, None, sealed)
        leaf = _leaf(sealed)
        place = slice(index * LEAF_BYTES, (index + 1) * LEAF_BYTES)
        if self._done[index] and leaf != self._leaves[place]:
            sealed[:] = bytes(len(sealed))
            raise InvalidError(f"plaintext: segment {index} changed since it was first sealed")
        self._leaves[place] = leaf
        self._done[index] = 1
        return len(sealed)

    def finish(self) -> Sealed:
        """The small part, the leaves, and what the manifest says of both parts."""
        if not all(self._done):
            raise ValueError(f"segment {self._done.index(0)} was not sealed")
        core = self._header.core
        return Sealed(
            format=NAME,
            small=self._header.encode(),
            trailer=bytes(self._leaves),
            small_part=SmallPart(size_bytes=HEADER_BYTES, core_sha256=core.digest().hex()),
            big_bytes=self.layout.big_bytes,
            big_segments=self.layout.segments,
            big_digest=tree_digest(core, self._leaves).hex(),
        )


class CheckerV2:
    """Compares one artifact with its manifest, without a key. Segments may come in any order.

    Everything that can be known without a key or a segment is checked when it is made, in this
    order: small's size, constants, core digest, context, plaintext length; big's size, leaves
    against the tree.

    Raises:
        IntegrityError: a check failed; says which.
    """

    parallel = True

    def __init__(self, entry: Entry, *, small: Buffer, big: Reader) -> None:
        said = entry.variant.small.size_bytes
        if said != HEADER_BYTES:
            raise IntegrityError(
                f"small part: the manifest says {said} bytes, must be {HEADER_BYTES}"
            )
        self.header: Final = Header.parse(small)
        self.layout: Final = _checked_layout(self.header.core, entry)
        self.leaves: Final = _checked_leaves(self.header.core, self.layout, entry, big)

    def proves(self, index: int, sealed: Buffer) -> bool:
        """Whether this is segment `index` of big, all of `layout.big_range(index)`."""
        return _leaf(sealed) == self.leaves[index * LEAF_BYTES : (index + 1) * LEAF_BYTES]

    def check_segment(self, index: int, sealed: Buffer) -> None:
        """Compare what lies in big at `layout.big_range(index)` with its leaf.

        Raises:
            IntegrityError: it is not what was sealed.
        """
        if len(sealed) != self.layout.big_range(index).length:
            raise IntegrityError(f"big part: segment {index} has {len(sealed)} bytes")
        if not self.proves(index, sealed):
            raise IntegrityError(f"big part: segment {index} is not the one that was signed")


class OpenerV2:
    """Opens one artifact. Segments may be asked for in any order, from several threads.

    Everything that can be known without decrypting is checked when it is made: first what
    `CheckerV2` checks, then own slot and commitment.

    Raises:
        IntegrityError: a check failed; says which, but for what the data key decides.
        MissingError: no slot is for these keys.
    """

    parallel = True
    authenticated = True

    def __init__(self, entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> None:
        self._checker = CheckerV2(entry, small=small, big=big)
        self.layout: Final = self._checker.layout
        header = self._checker.header
        self._core = header.core
        self._cipher = AESGCM(header.core.payload_key(keys.data_key(header)))

    @property
    def trailer(self) -> bytes:
        """The leaves: what lies in big at `layout.trailer_range`."""
        return self._checker.leaves

    def proves(self, index: int, sealed: Buffer) -> bool:
        """Whether this is segment `index` of big, all of `layout.read_range(index)`."""
        return self._checker.proves(index, sealed)

    def open_segment(self, index: int, sealed: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of the plaintext to the beginning of `out`; returns its length.

        Args:
            index: which.
            sealed: what lies in big at `layout.read_range(index)`.
            out: at least `layout.buffer_bytes` long; on an error it holds no plaintext.

        Raises:
            IntegrityError: the segment is not what was sealed.
        """
        self._checker.check_segment(index, sealed)
        length = self.layout.plaintext_range(index).length
        body = memoryview(out)[: len(sealed) - TAG_BYTES]
        try:
            self._cipher.decrypt_into(_nonce(self._core, index), sealed, None, body)
        except InvalidTag:
            body[:] = bytes(len(body))
            raise not_opened() from None
        if any(body[length:]):
            body[:] = bytes(len(body))
            raise not_opened()
        return length


def check_core(core: Core, entry: Entry) -> None:
    """Check a core against the manifest.

    Raises:
        IntegrityError: it is not the one that was published; says what differs.
    """
    variant = entry.variant
    if not hmac.compare_digest(core.digest().hex(), variant.small.core_sha256 or ""):
        raise IntegrityError("small part: its core is not the one in the manifest")
    if core.context_digest != entry.context.digest():
        raise IntegrityError(f"small part: it was not sealed as {entry.context}")
    if core.plaintext_bytes != variant.plaintext_bytes:
        raise IntegrityError(
            f"small part: plaintext length is {core.plaintext_bytes}, "
            f"the manifest says {variant.plaintext_bytes}"
        )


def _checked_layout(core: Core, entry: Entry) -> Layout:
    """The layout, once the core and the sizes are those of the manifest."""
    check_core(core, entry)
    layout, said = _layout(core), entry.variant.big
    if (said.size_bytes, said.segments) != (layout.big_bytes, layout.segments):
        raise IntegrityError(
            f"big part: the manifest says {said.size_bytes} bytes in {said.segments} segments, "
            f"the small part {layout.big_bytes} in {layout.segments}"
        )
    return layout


def _checked_leaves(core: Core, layout: Layout, entry: Entry, big: Reader) -> bytes:
    if big.size != layout.big_bytes:
        raise IntegrityError(f"big part: {big.size} bytes, must be {layout.big_bytes}")
    leaves = bytes(read_exactly(big, layout.trailer_range, "big part"))
    tree = tree_digest(core, leaves).hex()
    if not hmac.compare_digest(tree, entry.variant.big.tree_sha256 or ""):
        raise IntegrityError("big part: its leaves do not give the tree digest in the manifest")
    return leaves


@dataclass(frozen=True, slots=True)
class SealedV2:
    """The format `sealed-v2`; a `SealingFormat` of `formats`."""

    name: FormatName = NAME

    def plan(
        self,
        plaintext_bytes: int,
        limits: SplitLimits,  # noqa: ARG002 - 320 bytes keep every limit: no body is under 4,096
    ) -> Layout:
        """The sizes that sealing so many bytes gives."""
        if not 0 <= plaintext_bytes <= MAX_PLAINTEXT_BYTES:
            raise InvalidError(f"plaintext: {plaintext_bytes} bytes, must be at most 2^40")
        return _layout(Core(bytes(32), plaintext_bytes, bytes(32), bytes(32)))

    def sealer(
        self,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,  # noqa: ARG002 - as in `plan`
        random: Random = secrets.token_bytes,
    ) -> SealerV2:
        """Seal under a new data key, wrapped for the active v2 key."""
        kek = keyring.active_v2.material
        file_id, data_key = random(32), random(KEY_BYTES)
        core = Core.create(
            file_id=file_id,
            plaintext_bytes=plaintext_bytes,
            context_digest=context.digest(),
            data_key=data_key,
        )
        slot = wrap_for_keyring(core, data_key, kek, random)
        return SealerV2(Header(core, (slot, None)), data_key)

    def resume(
        self,
        state: bytes,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,  # noqa: ARG002 - as in `plan`
    ) -> SealerV2:
        """Go on with an interrupted sealing of the very same plaintext."""
        header = Header.parse(state)
        if header.core.plaintext_bytes != plaintext_bytes:
            raise InvalidError("state: was made for a plaintext of another length; seal anew")
        if header.core.context_digest != context.digest():
            raise InvalidError(f"state: was not made for {context}; seal anew")
        return SealerV2(header, keyring.data_key(header))

    def checked_layout(self, entry: Entry, *, small: Buffer) -> Layout:
        """The sizes, once the small part is the one in the manifest."""
        return _checked_layout(Header.parse(small).core, entry)

    def opener(self, entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> OpenerV2:
        """Check both parts against the manifest, and find the data key."""
        return OpenerV2(entry, small=small, big=big, keys=keys)

    def checker(self, entry: Entry, *, small: Buffer, big: Reader) -> CheckerV2:
        """Check what needs no key, and no segment."""
        return CheckerV2(entry, small=small, big=big)
