"""TensorBoard's event files, as far as scalars need them: bytes in, bytes out.

A file is a row of TFRecords: length (u64, little-endian), its checksum, the content, its checksum.
The content is a protobuf message `Event` (tensorflow/core/util/event.proto): wall_time = 1
(double), step = 2 (int64), file_version = 3 (string), summary = 5; a `Summary` has values = 1, each
with tag = 1 (string) and simple_value = 2 (float). One event holds all figures of one epoch. The
package `tensorboard` writes them too, but brings a web server along.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

VERSION: Final = "brain.Event:2"

_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM: Final = struct.Struct("<I")
_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
_HEAD: Final = _LENGTH.size + _CHECKSUM.size
_STEP_AT: Final = _HEAD + 1 + _DOUBLE.size
"""Where the step's field begins in a record that `epoch_record` made: after the wall time."""

# The keys of protobuf fields: number << 3 | wire type (0 varint, 1 eight bytes, 2 length, 5 four).
_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = b"\x09", b"\x10", b"\x1a", b"\x2a"
_VALUE, _TAG, _SIMPLE_VALUE = b"\x0a", b"\x0a", b"\x15"


def version_record(wall_time: float) -> bytes:
    """The record that a file begins with."""
    return _record(_WALL_TIME + _DOUBLE.pack(wall_time) + _FILE_VERSION + _sized(VERSION.encode()))


def epoch_record(wall_time: float, step: int, figures: Mapping[str, float]) -> bytes:
    """The record of an epoch.

    Args:
        wall_time: seconds since 1970.
        step: the epoch.
        figures: by their tags.
    """
    values = b"".join(
        _VALUE + _sized(_TAG + _sized(tag.encode()) + _SIMPLE_VALUE + _FLOAT.pack(figure))
        for tag, figure in figures.items()
    )
    head = _WALL_TIME + _DOUBLE.pack(wall_time) + _STEP + _varint(step)
    return _record(head + _SUMMARY + _sized(values))


def kept_bytes(content: bytes, epochs: Sequence[int]) -> tuple[int, int]:
    """What of a file may stay: how many of these epochs it has, one after the other, and where
    they end.

    What follows is torn, of an epoch that was lost, or of another life.
    """
    end = _end_of(content, 0)
    if end is None:
        return 0, 0
    for number, epoch in enumerate(epochs):
        start, step = end, _STEP + _varint(epoch) + _SUMMARY
        following = _end_of(content, start)
        if following is None or not content.startswith(step, start + _STEP_AT):
            return number, start
        end = following
    return len(epochs), end


def _end_of(content: bytes, start: int) -> int | None:
    """Where the record ends that begins at `start`; None if it is not whole."""
    length_bytes = content[start : start + _LENGTH.size]
    checksum = content[start + _LENGTH.size : start + _HEAD]
    if len(checksum) < _CHECKSUM.size or checksum != _masked(length_bytes):
        return None
    body = start + _HEAD
    end = body + int(_LENGTH.unpack(length_bytes)[0])
    if content[end : end + _CHECKSUM.size] != _masked(content[body:end]):
        return None
    return end + _CHECKSUM.size


def _record(content: bytes) -> bytes:
    length = _LENGTH.pack(len(content))
    return length + _masked(length) + content + _masked(content)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits to a byte, the lowest first; all but the last have the highest bit set."""
    pieces = bytearray()
    while number > 0x7F:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    pieces.append(number)
    return bytes(pieces)


def _castagnoli(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CASTAGNOLI: Final = tuple(map(_castagnoli, range(256)))


def _masked(content: bytes) -> bytes:
    """CRC-32C, rotated and shifted as TFRecord has it, so that a checksum of one is none."""
    checksum = 0xFFFFFFFF
    for byte in content:
        checksum = checksum >> 8 ^ _CASTAGNOLI[(checksum ^ byte) & 0xFF]
    checksum ^= 0xFFFFFFFF
    rotated = checksum >> 15 | checksum << 17 & 0xFFFFFFFF
    return _CHECKSUM.pack((rotated + 0xA282EAD8) & 0xFFFFFFFF)
