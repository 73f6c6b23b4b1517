"""What a message may say, and how it is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.annotations.message import (
    MAX_LINE_BYTES,
    VERSION,
    Annotation,
    digest,
    encode,
    parse,
)
from sealyard.annotations.redaction import redacted
from sealyard.errors import InvalidError
from support.annotations import PICTURE, a_body, a_box, a_line, a_picture, an_annotation

TOKEN = ".".join(["eyJhbGciOiJFZERTQSJ9", "eyJzdWIiOiJhZGEifQ", "c2lnbmF0dXJl" * 4])
SIGNATURE = TOKEN.rpartition(".")[2]


def test_a_message_is_what_was_encoded() -> None:
    annotation = an_annotation(group="film-7", proof={"jwt": TOKEN})
    assert parse(encode(annotation, PICTURE)) == (annotation, PICTURE)
    assert parse(encode(annotation)) == (annotation, b"")


ACCEPTED: dict[str, dict[str, Any]] = {
    "no boxes": {"boxes": []},
    "whole numbers": {"boxes": [a_box(x=1, y=0.5, width=1e-7)]},
    "the whole picture": {"boxes": [a_box(width=1, height=1)]},
    "deleted, with nothing": {"operation": "deleted", "picture": None, "boxes": None},
    "deleted, with its picture": {"operation": "deleted"},
    "an address": {"picture": a_picture(uri="s3://trays/2026/1.jpg")},
    "an address with a long key": {"picture": a_picture(uri="s3://trays/" + "k" * 1024)},
    "nanoseconds": {"annotatedAt": "2026-11-26T08:00:00.123456789Z"},
    "other letters": {"annotator": "Ада", "boxes": [a_box("монета")]},
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case: str) -> None:
    annotation, attached = parse(a_body(**ACCEPTED[case]))
    assert parse(encode(annotation)) == (annotation, attached)


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the first 262144 bytes must hold a line of JSON that a line feed ends"),
    "no line feed": (a_body()[:-1], "the first 262144 bytes must hold a line of JSON that a "),
    "a long line": (b'{"id":"' + b"a" * MAX_LINE_BYTES + b'"}\n', "the first 262144 bytes must "),
    "no JSON": (b"id: tray-1\n", "the line must be JSON: Expecting value at character 1"),
    "no object": (b"[]\n", "the line must be a JSON object"),
    "no UTF-8": (b'{"id":"\xff"}\n', "the line must be UTF-8"),
    "too deep": (b"[" * 200_000 + b"\n", "the line nests deeper than any field of it"),
    "many digits": (b'{"revision":' + b"1" * 5000 + b"}\n", "the line has a number of more digits"),
    "NaN": (a_body(revision=float("nan")), "NaN is no number of JSON"),
    "a key twice": (b'{"id":"a","id":"b"}\n', "id: stands twice in one object"),
    "a key twice within": (
        b'{"proof":{"jwt":"a","jwt":"b"}}\n',
        "jwt: stands twice in one object",
    ),
    "no version": (a_body({}), f"version: must be {VERSION}, not null"),
    "an old version": (
        a_body(version="sealyard.io/annotation/v0"),
        f"version: must be {VERSION}, not 'sealyard.io/annotation/v0'",
    ),
    "a newer version": (a_body(version="sealyard.io/annotation/v2"), f"version: must be {VERSION}"),
    "an unknown field": (a_body(colour="red"), f"colour: is no field of {VERSION}"),
    "an unknown field within": (
        a_body(boxes=[a_box(score=0.5)]),
        f"boxes.0.score: is no field of {VERSION}",
    ),
    "Python's spelling": (
        a_body(annotated_at="2026-11-26T08:00:00Z", annotatedAt=None),
        "annotatedAt: is missing",
    ),
    "a field too few": (a_body(id=None), "id: is missing"),
    "a path for an id": (a_body(id="../a"), "id: must be 1 to 64 letters, digits, '.', '_' and"),
    "a text for a number": (
        a_body(revision="3"),
        "revision: input should be a valid integer; it is '3'",
    ),
    "a truth for a number": (a_body(revision=True), "revision: input should be a valid integer"),
    "revision 0": (
        a_body(revision=0),
        "revision: input should be greater than or equal to 1; it is 0",
    ),
    "an unknown operation": (
        a_body(operation="renamed"),
        "operation: must be 'created', 'edited', 'validated' or 'deleted'; it is 'renamed'",
    ),
    "no picture": (
        a_body(picture=None),
        "picture: is missing; only where operation is deleted there is none",
    ),
    "no boxes": (
        a_body(boxes=None),
        "boxes: is missing; where nothing is to be found in a picture, it is []",
    ),
    "too many boxes": (a_body(boxes=[a_box()] * 1001), "boxes: list should have at most 1000"),
    "a box that sticks out": (
        a_body(boxes=[a_box(), a_box(x=0.9)]),
        "boxes.1: the box must lie in the picture",
    ),
    "a box without width": (
        a_body(boxes=[a_box(width=0)]),
        "boxes.0.width: input should be greater than 0; it is 0",
    ),
    "infinity": (
        a_body().replace(b"0.25", b"1e999"),
        "boxes.0.width: input should be less than or equal to 1; it is inf",
    ),
    "a class of two lines": (
        a_body(boxes=[a_box("a\nb")]),
        "boxes.0.class: must be one line of text without control characters; it is 'a\\nb'",
    ),
    "half a character": (a_body(annotator="\ud800"), "annotator: "),
    "no digest": (
        a_body(picture=a_picture(sha256="ABC")),
        "picture.sha256: must be 64 lower-case hexadecimal digits; it is 'ABC'",
    ),
    "another address": (
        a_body(picture=a_picture(uri="https://example.org/a.jpg")),
        "picture.uri: must be s3://bucket/key; it is 'https://example.org/a.jpg'",
    ),
    "an address with too long a key": (
        a_body(picture=a_picture(uri="s3://trays/" + "k" * 1025)),
        "picture.uri: the key may have 1024 bytes, has 1025",
    ),
    "an address with too long a key of few letters": (
        a_body(picture=a_picture(uri="s3://trays/" + "\U0001f600" * 257)),
        "picture.uri: the key may have 1024 bytes, has 1028",
    ),
    "local time": (
        a_body(annotatedAt="2026-11-26T08:00:00"),
        "annotatedAt: must be a time in UTC with Z: 2030-01-31T12:00:00Z; it is '2026-11-26T08",
    ),
    "no day": (
        a_body(annotatedAt="2026-02-30T08:00:00Z"),
        "annotatedAt: must be a time in UTC with Z: 2030-01-31T12:00:00Z",
    ),
    "another picture": (a_body(attached=PICTURE.upper()), "picture.sha256: is "),
    "half a picture": (
        a_body(attached=PICTURE[:9]),
        f"picture.sizeBytes: is {len(PICTURE)}, but 9 bytes follow the line",
    ),
    "bytes of no picture": (
        a_body(operation="deleted", picture=None, attached=b"abc"),
        "picture: is missing, but 3 bytes follow the line",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    body, reason = REFUSED[case]
    with pytest.raises(InvalidError) as caught:
        parse(body)
    assert str(caught.value).startswith(reason)
    assert str(caught.value).isprintable()


TOKENS_ASTRAY: dict[str, dict[str, Any]] = {
    "where a name is wanted": {"id": TOKEN},
    "as a field": {TOKEN: 1},
    "too long a one": {"proof": {"jwt": TOKEN * 100}},
    "without its name": {"proof": TOKEN},
    "as a version": {"version": TOKEN},
}


@pytest.mark.parametrize("case", TOKENS_ASTRAY)
def test_no_token_is_shown(case: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(a_body(**TOKENS_ASTRAY[case]))
    assert SIGNATURE[:12] not in str(caught.value)
    assert TOKEN[:12] not in str(caught.value)


def test_no_token_is_in_a_representation() -> None:
    assert TOKEN not in repr(an_annotation(proof={"jwt": TOKEN}))


KEPT: dict[str, bytes] = {
    "a right one": a_body(proof={"jwt": TOKEN}, attached=PICTURE),
    "a wrong one": a_body({"proof": {"jwt": TOKEN}}, PICTURE),
    "in another field": a_body(annotator=TOKEN),
    "in two": a_body({"a": [TOKEN, {"b": TOKEN}]}),
    "as no token looks": a_body({"proof": {"jwt": "a.b." + SIGNATURE}}),
    "escaped": a_body(proof={"jwt": TOKEN}).replace(b"eyJ", b"\\u0065yJ"),
    "twice, and once escaped": b'{"proof":{"jwt":"%s"},"proof":{"jwt":"%s"}}\n'
    % (TOKEN.encode().replace(b"eyJ", b"\\u0065yJ"), TOKEN.encode()),
    "a strange one, escaped": b'{"proof":{"jwt":"a\\u002eb.%s"}}' % SIGNATURE.encode(),
    "twice": b'{"proof":{"jwt":"%s"},"proof":{"jwt":"%s"}}\n' % ((TOKEN.encode(),) * 2),
    "no JSON": b"token=" + TOKEN.encode() + b"\n" + PICTURE,
    "on other lines": json.dumps(a_line(proof={"jwt": TOKEN}), indent=1).encode(),
    "no line": TOKEN.encode(),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_kept_proves_nothing(case: str) -> None:
    kept = redacted(KEPT[case])
    assert SIGNATURE[:12].encode() not in kept
    assert b"[redacted]" in kept


def test_what_is_kept_has_the_picture_and_the_rest() -> None:
    line, _, attached = redacted(KEPT["a right one"]).partition(b"\n")
    assert attached == PICTURE
    said = json.loads(line)
    assert said.pop("proof") == {"jwt": TOKEN.replace(SIGNATURE, "[redacted]")}
    assert said == a_line()


KEPT_AS_THEY_ARE: dict[str, bytes] = {
    "a key twice": b'{"id":"a","id":"b"}',
    "a number of no double": b'{"x": 1e999, "y":NaN}',
    "spaces and a key's order": b'{ "b" : 1,\t"a": [ 2.50 ] }',
    "a token": a_body(proof={"jwt": TOKEN}).partition(b"\n")[0],
    "a token twice": b'{"proof":{"jwt":"%s"},"proof":{"jwt":"%s"},"x":1e999}'
    % ((TOKEN.encode(),) * 2),
    "a token of strange form": b'{"proof": {"jwt": "a.b.' + SIGNATURE.encode() + b'"}}',
    "escapes in another field": b'{"a": "\\u00e4", "proof": {"jwt": "%s"}}' % TOKEN.encode(),
}


@pytest.mark.parametrize("case", KEPT_AS_THEY_ARE)
def test_what_is_kept_is_the_message(case: str) -> None:
    line = KEPT_AS_THEY_ARE[case]
    body = line + b"\n" + PICTURE
    assert redacted(body) == line.replace(SIGNATURE.encode(), b"[redacted]") + b"\n" + PICTURE


def test_a_long_text_is_redacted_as_fast_as_it_is_long() -> None:
    # From each letter of it anew, this would take hours.
    assert redacted(b"a" * 4_000_000) == b"a" * 4_000_000
    many = json.dumps([{"jwt": f"a.b.{number}"} for number in range(20_000)]).encode()
    assert redacted(many).count(b"[redacted]") == 20_000


def test_the_digest_is_of_what_is_said() -> None:
    said = an_annotation()
    assert digest(said) == digest(an_annotation(proof={"jwt": TOKEN}))
    assert digest(said) == digest(parse(a_body(dict(reversed(a_line().items()))))[0])
    assert digest(said) != digest(an_annotation(revision=2))
    assert digest(said) != digest(an_annotation(role="Admin"))
    # ASCII, and numbers that are short in any spelling: so sorted keys are all of RFC 8785.
    canonical = json.dumps(a_line(), sort_keys=True, separators=(",", ":"))
    assert digest(said) == hashlib.sha256(canonical.encode()).hexdigest()


def test_no_picture_but_its_own_is_encoded() -> None:
    with pytest.raises(InvalidError, match=r"picture\.sizeBytes: is 15, but 5 bytes"):
        encode(an_annotation(), b"other")


def test_no_line_is_encoded_that_nobody_reads() -> None:
    boxes = [a_box("界" * 64, x=0.512345678901234, y=0.512345678901234)] * 1000
    with pytest.raises(InvalidError, match=r"the line has \d+ bytes, must be at most 262144"):
        encode(an_annotation(boxes=boxes))


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_whatever_comes_is_refused_in_a_line(line: bytes, attached: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(line + b"\n" + attached)
    assert str(caught.value).isprintable()
    redacted(line + b"\n" + attached)


def test_a_model_is_as_strict_as_the_reader() -> None:
    with pytest.raises(ValueError, match="picture: is missing"):
        Annotation.from_wire(a_line(picture=None))
