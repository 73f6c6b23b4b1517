"""The message that an annotation tool publishes: one line of JSON, then the picture, if it is new.

The line ends with a line feed; what follows it are the picture's bytes as they are (no base64), or
nothing. `docs/annotations.md` is the contract, and `docs/annotation.schema.json` the line's schema.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from sealyard.annotations.canonical import canonical
from sealyard.annotations.redaction import without_tokens
from sealyard.api.model import Model, Sha256, says
from sealyard.errors import InvalidError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

VERSION: Final = "sealyard.io/annotation/v1"
MAX_LINE_BYTES: Final = 256 << 10
MAX_BOXES: Final = 1000
MAX_REVISION: Final = 1 << 31
_TOLERANCE: Final = 1e-6
"""How far a box may stick out of the picture: tools round."""

_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_ID_RULE: Final = (
    "must be 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
)
_LINE_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
"""Nothing that ends a line or steers a terminal."""
_TIME_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z$"
)
_TIME_RULE: Final = "must be a time in UTC with Z: 2030-01-31T12:00:00Z"
_ADDRESS_PATTERN: Final = r"^s3://[^/]+/.+$"
MAX_KEY_BYTES: Final = 1024
"""Of S3, in UTF-8."""


def _is_on_the_calendar(value: str) -> str:
    try:
        datetime.fromisoformat(value[:10])
    except ValueError:
        raise ValueError(_TIME_RULE) from None
    return value


def _is_no_longer_than_a_key(value: str) -> str:
    size = len(value.removeprefix("s3://").partition("/")[2].encode())
    if size > MAX_KEY_BYTES:
        raise ValueError(f"the key may have {MAX_KEY_BYTES} bytes, has {size}")
    return value


Address = Annotated[
    str,
    StringConstraints(pattern=_ADDRESS_PATTERN, max_length=1280),
    AfterValidator(_is_no_longer_than_a_key),
]
ItemId = Annotated[str, StringConstraints(pattern=_ID_PATTERN, max_length=64), says(_ID_RULE)]
"""Names a picture with its boxes, through all its changes; becomes part of file names."""
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_LINE_PATTERN)]
Operation = Literal["created", "edited", "validated", "deleted"]
MediaType = Literal["image/jpeg", "image/png", "image/webp", "image/bmp"]
SUFFIXES: Final[dict[MediaType, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/bmp": "bmp",
}
"""What a picture's file name ends with."""


class _Strict(Model):
    """An unknown field is a misspelt one, or of a version that nobody here understands."""

    model_config = ConfigDict(extra="forbid")


class Box(_Strict):
    """A rectangle in units of the picture's width and height, as YOLO has it."""

    class_name: ClassName = Field(alias="class")
    x: Annotated[float, Field(ge=0, le=1)] = Field(description="Of its centre.")
    y: Annotated[float, Field(ge=0, le=1)] = Field(description="Of its centre.")
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _lies_in_the_picture(self) -> Self:
        for centre, side in ((self.x, self.width), (self.y, self.height)):
            if centre - side / 2 < -_TOLERANCE or centre + side / 2 > 1 + _TOLERANCE:
                raise ValueError("the box must lie in the picture")
        return self


class Picture(_Strict):
    """Which picture it is. Its bytes are attached, or lie where the URI says, or are known."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=1, le=1 << 40)]
    media_type: MediaType
    uri: Address | None = Field(
        default=None,
        description="s3://bucket/key, in the store that the route names for pictures; the key has "
        "1,024 bytes at most.",
    )

    @classmethod
    def of(cls, content: bytes, media_type: MediaType, *, uri: str | None = None) -> Self:
        """What a message says of these bytes."""
        return cls(
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            media_type=media_type,
            uri=uri,
        )


class Proof(_Strict):
    """What proves who the annotator is, where the broker does not."""

    jwt: Annotated[str, StringConstraints(max_length=8192)] = Field(repr=False)


class Annotation(_Strict):
    """One change of one item: the whole of what is in the picture after it."""

    version: Literal["sealyard.io/annotation/v1"] = VERSION
    id: ItemId
    revision: Annotated[int, Field(ge=1, le=MAX_REVISION)] = Field(
        description="Grows with each change of the item. The highest counts, in whatever order "
        "messages come."
    )
    operation: Operation
    picture: Picture | None = Field(default=None, description="None only where it is deleted.")
    boxes: Annotated[list[Box], Field(max_length=MAX_BOXES)] = Field(default_factory=list)
    group: ItemId | None = Field(
        default=None,
        description="Pictures alike (of one film, say), which must not be on both sides of the "
        "split. The same in all messages of an item.",
    )
    annotator: Annotated[
        str, StringConstraints(min_length=1, max_length=254, pattern=_LINE_PATTERN)
    ] = Field(description="Who made the change; with `jwt`, the token's subject.")
    role: (
        Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_LINE_PATTERN)] | None
    ) = Field(
        default=None, description="What the annotator says to be; counts only once it is proven."
    )
    annotated_at: Annotated[
        str,
        StringConstraints(pattern=_TIME_PATTERN, max_length=40),
        AfterValidator(_is_on_the_calendar),
    ] = Field(description="RFC 3339 with Z. Kept, and trusted for nothing.")
    proof: Proof | None = None

    @model_validator(mode="after")
    def _has_a_picture(self) -> Self:
        if self.picture is None and self.operation != "deleted":
            raise ValueError("picture: is missing; only where operation is deleted there is none")
        return self


def parse(body: bytes) -> tuple[Annotation, bytes]:
    """The annotation of a message, and the bytes of the picture, if it brings them.

    Args:
        body: the line and what follows it.

    Raises:
        InvalidError: the message breaks the contract; names the field, the value, and what would
            be right. No part of a token is in it.
    """
    end = body.find(b"\n", 0, MAX_LINE_BYTES + 1)
    if end < 0:
        _refuse(f"the first {MAX_LINE_BYTES} bytes must hold a line of JSON that a line feed ends")
    document, attached = _json(body[:end]), body[end + 1 :]
    if document.get("version") != VERSION:
        _refuse(f"version: must be {VERSION}, not {_shown(document.get('version'))}")
    if document.get("operation") != "deleted" and "boxes" not in document:
        _refuse("boxes: is missing; where nothing is to be found in a picture, it is []")
    try:
        annotation = Annotation.model_validate(document, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        _refuse(_first_fault(error))
    _check_attached(annotation.picture, attached)
    return annotation, attached


def encode(annotation: Annotation, picture: bytes = b"") -> bytes:
    """The message: the line, and the picture's bytes if it brings them.

    Raises:
        InvalidError: the bytes are not those of `annotation.picture`, or the line is too long.
    """
    _check_attached(annotation.picture, picture)
    line = json.dumps(annotation.to_wire(), separators=(",", ":"), ensure_ascii=False).encode()
    if len(line) > MAX_LINE_BYTES:
        _refuse(f"the line has {len(line)} bytes, must be at most {MAX_LINE_BYTES}")
    return line + b"\n" + picture


def digest(annotation: Annotation) -> str:
    """The hex SHA-256 over the line in canonical form (RFC 8785) without its proof.

    Two messages with the same digest say the same, whatever token proves it.
    """
    said = annotation.to_wire()
    said.pop("proof", None)
    return hashlib.sha256(canonical(said)).hexdigest()


def _json(line: bytes) -> dict[str, Any]:
    """An object that has one reading: no key twice, no NaN."""
    try:
        document = json.loads(
            line.decode(), object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        _refuse("the line must be UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"the line must be JSON: {error.msg} at character {error.pos + 1}")
    except RecursionError:
        _refuse("the line nests deeper than any field of it")
    except ValueError:
        _refuse("the line has a number of more digits than any field takes")
    if not isinstance(document, dict):
        _refuse("the line must be a JSON object")
    return document


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f"{_name(twice)}: stands twice in one object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number of JSON")


def _check_attached(picture: Picture | None, attached: bytes) -> None:
    if not attached:
        return
    if picture is None:
        _refuse(f"picture: is missing, but {len(attached)} bytes follow the line")
    if picture.size_bytes != len(attached):
        _refuse(
            f"picture.sizeBytes: is {picture.size_bytes}, but {len(attached)} bytes follow the line"
        )
    found = hashlib.sha256(attached).hexdigest()
    if picture.sha256 != found:
        _refuse(f"picture.sha256: is {picture.sha256}, but the attached bytes have {found}")


def _refuse(why: str) -> NoReturn:
    raise InvalidError(why) from None


_RULES: Final[dict[str, str]] = {
    _ID_PATTERN: _ID_RULE,
    _LINE_PATTERN: "must be one line of text without control characters",
    _TIME_PATTERN: _TIME_RULE,
    _ADDRESS_PATTERN: "must be s3://bucket/key",
    r"^[0-9a-f]{64}$": "must be 64 lower-case hexadecimal digits",
}
"""What pydantic would say as a regular expression."""


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    where = ".".join(_name(step) if isinstance(step, str) else str(step) for step in fault["loc"])
    said = _said(fault)
    return f"{where}: {said}" if where else said


def _said(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "extra_forbidden":
        return f"is no field of {VERSION}"
    if fault["type"] == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "literal_error":
        said = f"must be {context['expected']}"
    elif fault["type"] == "string_pattern_mismatch":
        said = _RULES[context["pattern"]]
    else:
        said = fault["msg"][0].lower() + fault["msg"][1:]
    # What breaks a rule of the token's may be one.
    return said if "jwt" in fault["loc"] else f"{said}; it is {_shown(fault['input'])}"


def _name(key: str) -> str:
    """A key of the document: cut and made printable, so that the line stays one."""
    return without_tokens(ascii(key)[1:-1])[:80]


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return without_tokens(ascii(value))[:80]
