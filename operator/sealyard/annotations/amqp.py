"""As much of AMQP 1.0 as a message in a stream needs: its data, and who the broker says sent it.

Clients in other languages wrap what they publish in a message of AMQP 1.0 (part 3.2 of the
standard), and so does the broker with what comes through an exchange. Values are skipped by the
width that their constructor names and never built, so that no message costs more than its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DESCRIBED: Final = 0x00
_PROPERTIES: Final = 0x73
_DATA: Final = 0x75
_SECTIONS: Final = range(0x70, 0x79)
_SMALL_ULONG, _ULONG, _LIST_EMPTY = 0x53, 0x80, 0x45
_WIDTHS: Final = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
"""Of values, by the upper half of their constructor."""
_LENGTHS: Final = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}
"""How wide the length is that stands before a value."""
_BINARY: Final = (0xA0, 0xB0)
_TEXT: Final = (*_BINARY, 0xA1, 0xB1, 0xA3, 0xB3)
_MAX_USER_ID: Final = 255


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What was in a message.

    Attributes:
        data: what was published.
        user_id: of its properties, if it has one.
    """

    data: bytes
    user_id: str | None = None


class _MalformedError(Exception):
    """It is no message of AMQP 1.0."""


def wrap(data: bytes) -> bytes:
    """A message with this data, and nothing else."""
    return b"\x00\x53\x75\xb0" + len(data).to_bytes(4) + data


def unwrap(body: bytes | memoryview) -> Unwrapped:
    """What a message has inside; the body as it is where it is no message of AMQP 1.0."""
    try:
        return _unwrap(memoryview(body))
    except (_MalformedError, IndexError, UnicodeDecodeError):
        return Unwrapped(bytes(body))


def _unwrap(body: memoryview) -> Unwrapped:
    data: list[memoryview] = []
    properties: memoryview | None = None
    for section, value in _sections(body):
        if section == _DATA:
            if value[0] not in _BINARY:
                raise _MalformedError
            data.append(_content(value))
        elif section == _PROPERTIES:
            # The broker puts its own there. A second one would be the sender's, within his data.
            if properties is not None or data:
                raise _MalformedError
            properties = value
    if not data:
        raise _MalformedError
    user_id = _user_id(properties) if properties is not None else None
    return Unwrapped(b"".join(data), user_id)


def _sections(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The code of each section, and its value with its constructor."""
    at = 0
    while at < len(body):
        if body[at] != _DESCRIBED or body[at + 1] not in {_SMALL_ULONG, _ULONG}:
            raise _MalformedError
        begin = at + 2
        end = at + 1 + _size(body[at + 1 :])
        code = int.from_bytes(body[begin:end])
        if code not in _SECTIONS:
            raise _MalformedError
        at = end + _size(body[end:])
        yield code, body[end:at]


def _user_id(properties: memoryview) -> str | None:
    """The second field of the list: the first is the message's id."""
    if properties[0] == _LIST_EMPTY:
        return None
    wide = _LENGTHS.get(properties[0] >> 4)
    if properties[0] not in {0xC0, 0xD0} or wide is None:
        raise _MalformedError
    count = int.from_bytes(properties[1 + wide : 1 + 2 * wide])
    if count < 2:
        return None
    fields = properties[1 + 2 * wide :]
    value = fields[_size(fields) :]
    value = value[: _size(value)]
    if value[0] not in _TEXT:
        return None
    content = _content(value)
    return str(content, "utf-8") if 0 < len(content) <= _MAX_USER_ID else None


def _content(value: memoryview) -> memoryview:
    return value[1 + _LENGTHS[value[0] >> 4] :]


def _size(values: memoryview) -> int:
    """How many bytes the first of them has, with its constructor."""
    kind = values[0] >> 4
    if kind in _WIDTHS:
        size = 1 + _WIDTHS[kind]
    elif kind in _LENGTHS:
        wide = _LENGTHS[kind]
        size = 1 + wide + int.from_bytes(values[1 : 1 + wide])
    else:
        # A described value within one has no place in what is read here.
        raise _MalformedError
    if size > len(values):
        raise _MalformedError
    return size
