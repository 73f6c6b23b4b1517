"""The seam: both sealing formats behind one small interface.

Seal (publish). The plaintext is read by segments of 1 MiB, each of which becomes a range of big;
the small part and what the manifest says about both are there at the end::

    fmt = format_named("sealed-v2")                      # or "aes-256-cbc-v1"
    sealer = fmt.sealer(
        plaintext_bytes=size,
        context=ReleaseContext("coins", "1.0.0", "onnx-fp32"),
        keyring=Keyring.parse(raw),
        limits=SplitLimits(max_bytes=3072, max_percent=20),
    )
    key = object_key(prefix, sealer.object_id)           # the object's key on the CDN
    out = bytearray(sealer.layout.buffer_bytes)
    for i in range(sealer.layout.segments):              # any order, threads if `sealer.parallel`
        plain = reader.read_at(*sealer.layout.plaintext_range(i))
        n = sealer.seal_segment(i, plain, out)           # out[:n] lies at layout.big_range(i)
    sealed = sealer.finish()
    sealed.trailer                                       # lies at layout.trailer_range; may be b""
    sealed.small                                         # bytes for the release API
    sealed.sealing, sealed.small_part, sealed.big_part(key)   # for `manifest.Variant`

An interrupted publish stores `sealer.state` (no secret in clear) and goes on with
`fmt.resume(state, …)`, if and only if the plaintext's digest is still the same: all segments are
sealed again to the same bytes, and those that are uploaded already need not be sent.

Open (verify, pull). All that can be checked before decrypting is checked in `opener()`, in the
order of contracts.md §4; then segments open one by one, in any order, from any thread::

    manifest = Manifest.parse(raw, sha256=expected)
    entry = manifest.entry(ReleaseContext("coins", "1.0.0", "onnx-fp32"))
    opener = open_sealed(entry, small=small, big=big_reader, keys=keyring)
    out = bytearray(opener.layout.buffer_bytes)
    n = opener.open_segment(i, big_reader.read_at(*opener.layout.read_range(i)), out)
    …                                                    # out[:n] lies at layout.plaintext_range(i)
    OpenedReader(opener, big_reader).read_at(4096, 100)  # or any range of the plaintext

`keys` is a `Keyring`, a `FleetKey` (aes-256-cbc-v1), a `DeviceKey` (sealed-v2 on a device) or a
`LegacyKey` (aes-256-cbc-v1 on one whose small part was sealed for it alone).
`big_reader` is any `layout.Reader`, such as pread on a file or HTTP ranges. sealed-v2 reads the
leaves at big's end first. aes-256-cbc-v1 reads all of big once to check its digest, and again to
decrypt: give it a local file if bytes are dear.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from sealyard.errors import InvalidError
from sealyard.sealing.aes_cbc_v1 import AesCbcV1
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import FleetKey, Keyring
from sealyard.sealing.layout import (
    SEGMENT_BYTES,
    Buffer,
    BytesReader,
    Layout,
    Random,
    Range,
    Reader,
    read_exactly,
)
from sealyard.sealing.manifest import Entry, FormatName, object_key
from sealyard.sealing.parts import Sealed
from sealyard.sealing.sealed_v2 import SealedV2
from sealyard.sealing.slots import DeviceKey, OpeningKeys
from sealyard.sealing.split import DEFAULT_LIMITS, SplitLimits

T = TypeVar("T")

__all__ = [
    "FORMATS",
    "BytesReader",
    "Checker",
    "DeviceKey",
    "Entry",
    "FleetKey",
    "InOrder",
    "Keyring",
    "Layout",
    "OpenedReader",
    "Opener",
    "OpeningKeys",
    "Reader",
    "ReleaseContext",
    "Sealed",
    "Sealer",
    "SealingFormat",
    "SplitLimits",
    "check_parts",
    "format_named",
    "object_key",
    "one_by_one",
    "open_sealed",
]


class Sealer(Protocol):
    """Seals one plaintext, segment by segment."""

    @property
    def layout(self) -> Layout:
        """Sizes and ranges."""

    @property
    def parallel(self) -> bool:
        """Whether segments may come in any order and from several threads."""

    @property
    def object_id(self) -> str:
        """64 hex digits for `object_key`; new for every sealing."""

    @property
    def state(self) -> bytes:
        """What `SealingFormat.resume` needs; holds no secret in clear."""

    def seal_segment(self, index: int, plaintext: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of big to the beginning of `out`; returns its length.

        Args:
            index: which; 0, 1, 2, … unless `parallel`.
            plaintext: all of `layout.plaintext_range(index)`.
            out: at least `layout.buffer_bytes` long; bytes after the returned length are garbage.

        Raises:
            InvalidError: the plaintext changed while it was read.
        """

    def finish(self) -> Sealed:
        """The rest, once every segment is sealed."""


class Opener(Protocol):
    """Opens one artifact whose parts agree with the manifest, segment by segment."""

    @property
    def layout(self) -> Layout:
        """Sizes and ranges."""

    @property
    def parallel(self) -> bool:
        """Whether segments may be opened in any order and from several threads."""

    @property
    def authenticated(self) -> bool:
        """Whether each segment proves itself. If not, compare the whole plaintext's digest."""

    @property
    def trailer(self) -> bytes:
        """What lies in big at `layout.trailer_range`."""

    def proves(self, index: int, sealed: Buffer) -> bool:
        """Whether this is segment `index` of big, all of `layout.read_range(index)`."""

    def open_segment(self, index: int, sealed: Buffer, out: bytearray | memoryview) -> int:
        """Write segment `index` of the plaintext to the beginning of `out`; returns its length.

        Args:
            index: which.
            sealed: all of `layout.read_range(index)` of big.
            out: at least `layout.buffer_bytes` long; bytes after the returned length are garbage,
                and on an error it holds no plaintext.

        Raises:
            IntegrityError: the segment is not what was sealed.
        """


class Checker(Protocol):
    """Compares one artifact with its manifest, segment by segment, without any key."""

    @property
    def layout(self) -> Layout:
        """Sizes and ranges."""

    @property
    def parallel(self) -> bool:
        """Whether segments may come in any order and from several threads."""

    def check_segment(self, index: int, sealed: Buffer) -> None:
        """Check segment `index` of big, all of `layout.big_range(index)`.

        Args:
            index: which; 0, 1, 2, … unless `parallel`, and then only the last one tells.
            sealed: its bytes.

        Raises:
            IntegrityError: it is not what was sealed.
        """


class SealingFormat(Protocol):
    """One format. It holds nothing: `FORMATS` has the only instances that are needed."""

    @property
    def name(self) -> FormatName:
        """As in `sealing.format` of the release and the manifest."""

    def plan(self, plaintext_bytes: int, limits: SplitLimits) -> Layout:
        """The sizes that sealing so many bytes gives.

        Raises:
            InvalidError: more than 2^40 bytes.
        """

    def sealer(
        self,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,
        random: Random = secrets.token_bytes,
    ) -> Sealer:
        """Begin to seal, with everything new that must be new.

        Raises:
            InvalidError: more than 2^40 bytes.
            MissingError: the keyring names no active key for this format.
        """

    def resume(
        self,
        state: bytes,
        *,
        plaintext_bytes: int,
        context: ReleaseContext,
        keyring: Keyring,
        limits: SplitLimits = DEFAULT_LIMITS,
    ) -> Sealer:
        """Seal the very same plaintext to the very same bytes again, from the first segment.

        Only for a plaintext whose digest was compared with the one that `state` was made for:
        with another plaintext, nonces would repeat.

        Raises:
            InvalidError, IntegrityError: the state is not of such a sealing; begin a new one.
            MissingError: the keyring has no longer the key that it was begun with.
        """

    def checked_layout(self, entry: Entry, *, small: Buffer) -> Layout:
        """The sizes: what can be checked, and is, before anything of big is there.

        Raises:
            IntegrityError: the small part or a size is not the manifest's.
        """

    def opener(self, entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> Opener:
        """Check all that can be checked before decrypting.

        Raises:
            IntegrityError: a check failed; says which, but for what depends on a key.
            MissingError: `keys` are not for this artifact.
        """

    def checker(self, entry: Entry, *, small: Buffer, big: Reader) -> Checker:
        """Check all of the small part that can be checked without a key, and the sizes.

        Raises:
            IntegrityError: a check failed; says which.
        """


FORMATS: Final[Mapping[str, SealingFormat]] = MappingProxyType(
    {fmt.name: fmt for fmt in (SealedV2(), AesCbcV1())}
)


def format_named(name: str) -> SealingFormat:
    """The format of this name.

    Raises:
        InvalidError: there is none.
    """
    if name not in FORMATS:
        raise InvalidError(f"sealing.format: {name[:80]!r} must be one of {', '.join(FORMATS)}")
    return FORMATS[name]


def open_sealed(entry: Entry, *, small: Buffer, big: Reader, keys: OpeningKeys) -> Opener:
    """The opener of the format that the manifest names."""
    fmt = format_named(entry.variant.sealing.format)
    return fmt.opener(entry, small=small, big=big, keys=keys)


class InOrder(Protocol):
    """Does a piece of work for 0, 1, … `count` - 1 and gives the results in this order.

    The seam for threads: the ciphers and digests here release the interpreter's lock.
    """

    def __call__(self, work: Callable[[int], T], count: int, /) -> Iterator[T]:
        """The results; the first error ends them."""


def one_by_one(work: Callable[[int], T], count: int, /) -> Iterator[T]:
    """`InOrder` without threads."""
    return map(work, range(count))


def check_parts(
    entry: Entry, *, small: Buffer, big: Reader, in_order: InOrder = one_by_one
) -> Iterator[int]:
    """Compare both parts with the manifest, without any key; gives how many bytes were compared.

    Only who reads it to its end knows that all of them are what was sealed.

    Args:
        entry: what the manifest says.
        small: the small part.
        big: the big part; each byte is read once.
        in_order: how segments are worked on, if the format lets them be.

    Raises:
        IntegrityError: something is not as the manifest says.
    """
    fmt = format_named(entry.variant.sealing.format)
    checker = fmt.checker(entry, small=small, big=big)

    def check(index: int) -> int:
        sealed = read_exactly(big, checker.layout.big_range(index), "big part")
        checker.check_segment(index, sealed)
        return len(sealed)

    run = in_order if checker.parallel else one_by_one
    yield from run(check, checker.layout.segments)


class OpenedReader:
    """The plaintext as a `Reader`: reads and opens only the segments that a range touches.

    It keeps the segment opened last, so that small reads in order open each segment once. For one
    thread at a time; an `Opener` may serve several of them.
    """

    def __init__(self, opener: Opener, big: Reader) -> None:
        self._opener = opener
        self._big = big
        self._kept: int | None = None
        self._plain = memoryview(bytearray(opener.layout.buffer_bytes))

    @property
    def size(self) -> int:
        """The plaintext's length."""
        return self._opener.layout.plaintext_bytes

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes of the plaintext from `offset`, or fewer at its end.

        Raises:
            IntegrityError: a segment is not what was sealed.
        """
        return b"".join(self.stream(Range(offset, length)))

    def stream(self, wanted: Range) -> Iterator[bytes]:
        """The same in order, in pieces of at most a segment.

        Raises:
            IntegrityError: as `read_at`; what was given until then proved itself.
        """
        offset, length = wanted
        if offset < 0 or length < 0:
            raise ValueError(f"range: offset {offset} and length {length} must not be negative")
        end = min(offset + length, self.size)
        while offset < end:
            index, start = divmod(offset, SEGMENT_BYTES)
            piece = bytes(self._segment(index)[start : start + end - offset])
            yield piece
            offset += len(piece)

    def _segment(self, index: int) -> memoryview:
        layout = self._opener.layout
        if self._kept != index:
            self._kept = None
            sealed = read_exactly(self._big, layout.read_range(index), "big part")
            self._opener.open_segment(index, sealed, self._plain)
            self._kept = index
        return self._plain[: layout.plaintext_range(index).length]
