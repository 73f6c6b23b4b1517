"""What a sheet shows."""

from __future__ import annotations

from dataclasses import dataclass

from sealyard.annotations.layout import Folder


@dataclass(frozen=True, slots=True)
class Mark:
    """A box, in parts of the picture's sides."""

    class_index: int
    class_name: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Shot:
    """An item: a small copy of its picture, and who says what is on it."""

    item: str
    revision: int
    offset: int
    folder: Folder
    annotator: str
    role: str | None
    time: str
    width: int
    height: int
    """Of the copy, in pixels."""
    jpeg: bytes | None
    """None where the picture cannot be shown."""
    problem: str | None
    """Why not."""
    marks: tuple[Mark, ...]
    marks_left_out: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that was refused."""

    offset: int
    time: str
    reason: str
    item: str | None
    annotator: str | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of it."""

    title: str
    offset: int
    """What is before it, is filed."""
    validated: int
    seed: int
    """How many items there are."""
    shots: tuple[Shot, ...]
    """The newest first."""
    rejections: tuple[Rejection, ...]
    """The newest first."""
