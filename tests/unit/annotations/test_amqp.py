"""What is in a message of AMQP 1.0, and that whatever else comes stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rstream import AMQPMessage, Properties

from sealyard.annotations.amqp import Unwrapped, unwrap, wrap


@given(st.binary(max_size=400))
def test_what_is_wrapped_is_unwrapped(data: bytes) -> None:
    assert unwrap(wrap(data)) == Unwrapped(data)


@pytest.mark.parametrize("size", [1, 255, 256, 70_000])
def test_a_message_of_another_library(size: int) -> None:
    message = AMQPMessage(
        body=b"x" * size,
        properties=Properties(message_id="7", user_id=b"ada", subject="trays"),
        application_properties={"a": 1, "b": "c", "d": 2.5},
        message_annotations={b"x-exchange": b"annotations"},
    )
    assert unwrap(bytes(message)) == Unwrapped(b"x" * size, "ada")
    assert unwrap(bytes(AMQPMessage(body=b"x" * size))) == Unwrapped(b"x" * size)


def properties(*fields: bytes) -> bytes:
    content = b"".join(fields)
    return b"\x00\x53\x73\xc0" + bytes([len(content) + 1, len(fields)]) + content


ADA = b"\xa0\x03ada"
DATA = b"\x00\x53\x75\xa0\x01x"
X = Unwrapped(b"x")
UNWRAPPED = {
    "data alone": (DATA, X),
    "data in parts": (DATA + b"\x00\x53\x75\xb0\0\0\0\x02yz", Unwrapped(b"xyz")),
    "a long descriptor": (b"\x00\x80" + bytes(7) + b"\x75\xa0\x01x", X),
    "no properties": (b"\x00\x53\x73\x45" + DATA, X),
    "one property": (properties(b"\x40") + DATA, X),
    "no user id": (properties(b"\x40", b"\x40") + DATA, X),
    "a user id": (properties(b"\x40", b"\xa0\x03ada") + DATA, Unwrapped(b"x", "ada")),
    "as a string": (properties(b"\xa1\x01a", b"\xa1\x03ada") + DATA, Unwrapped(b"x", "ada")),
    "as a symbol": (properties(b"\x53\x07", b"\xa3\x03ada") + DATA, Unwrapped(b"x", "ada")),
    "an empty one": (properties(b"\x40", b"\xa0\x00") + DATA, X),
    "a number": (properties(b"\x40", b"\x53\x07") + DATA, X),
    "a long one": (
        b"\x00\x53\x73" + b"\xd0\0\0\x01\x0a\0\0\0\x02\x40\xb0\0\0\x01\0" + b"a" * 256 + DATA,
        X,
    ),
}


@pytest.mark.parametrize("case", UNWRAPPED)
def test_unwrapped(case: str) -> None:
    body, inside = UNWRAPPED[case]
    assert unwrap(body) == inside


AS_IT_IS = {
    "nothing": b"",
    "JSON": b"{}\n",
    "a descriptor alone": b"\x00\x53\x75",
    "half a descriptor": b"\x00",
    "an unknown section": b"\x00\x53\x60\x40",
    "no section": b"\x00\x40\x40",
    "a value, and no data": b"\x00\x53\x77\xa1\x01x",
    "a text for data": b"\x00\x53\x75\xa1\x01x",
    "data that ends early": b"\x00\x53\x75\xa0\x05x",
    "something behind": DATA + b"x",
    "a described value for data": b"\x00\x53\x75\x00\x53\x75\x40",
    "properties of no list": b"\x00\x53\x73\x40" + DATA,
    "properties that end early": b"\x00\x53\x73\xc0\x02\x02\x40" + DATA,
    "properties twice": properties(b"\x40", b"\xa0\x03bob") + properties(b"\x40", ADA) + DATA,
    "properties twice, none first": b"\x00\x53\x73\x45" + properties(b"\x40", ADA) + DATA,
    "properties behind the data": DATA + properties(b"\x40", ADA),
    "properties around the data": properties(b"\x40") + DATA + properties(b"\x40", ADA),
    "a name of no letters": properties(b"\x40", b"\xa0\x01\xff") + DATA,
    # Four billion values that take no place: built, they would take all memory.
    "an array without end": b"\x00\x53\x77\xf0\0\0\0\x05\xff\xff\xff\xff\x40",
    "a list in a list in a list": b"\x00\x53\x77" + b"\xd0\0\0\xff\xff\0\0\0\x01" * 9000,
}


@pytest.mark.parametrize("case", AS_IT_IS)
def test_as_it_is(case: str) -> None:
    assert unwrap(AS_IT_IS[case]) == Unwrapped(AS_IT_IS[case])


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_bytes_are_too_odd(head: bytes, tail: bytes) -> None:
    assert unwrap(head + DATA + tail).data
    unwrap(b"\x00\x53\x73" + head + DATA)
