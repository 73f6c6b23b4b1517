"""The message that an annotation tool publishes: one line of JSON, then the picture, if it is new.

The line ends with a line feed; what follows it are the picture's bytes as they are (no base64), or
nothing. `docs/annotations.md` is the contract, and `docs/annotation.schema.json` the line's schema.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from sealyard.api.model import Model, Sha256, says

VERSION: Final = "sealyard.io/annotation/v1"
MAX_LINE_BYTES: Final = 256 << 10
MAX_BOXES: Final = 1000
_TOLERANCE: Final = 1e-6
"""How far a box may stick out of the picture: tools round."""

ItemId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", max_length=64),
    says("must be 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"),
]
"""Names a picture with its boxes, through all its changes; becomes part of file names."""
ClassName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
]
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
    uri: Annotated[str, StringConstraints(pattern=r"^s3://.+/.+$", max_length=1280)] | None = Field(
        default=None, description="s3://bucket/key, in the store that the route names for pictures."
    )


class Proof(_Strict):
    """What proves who the annotator is, where the broker does not."""

    jwt: Annotated[str, StringConstraints(max_length=8192)] = Field(repr=False)


class Annotation(_Strict):
    """One change of one item: the whole of what is in the picture after it."""

    version: Literal["sealyard.io/annotation/v1"] = VERSION
    id: ItemId
    revision: Annotated[int, Field(ge=1, le=1 << 31)] = Field(
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
    annotator: Annotated[str, StringConstraints(min_length=1, max_length=254)]
    role: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="What the annotator says to be; counts only once it is proven."
    )
    annotated_at: Annotated[str, StringConstraints(max_length=40)] = Field(
        description="RFC 3339 with Z. Kept, and trusted for nothing."
    )
    proof: Proof | None = None
