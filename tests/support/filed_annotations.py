"""The storage of a route as a router leaves it, in memory: key by key, entry by entry."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from sealyard.annotations.items import Item
from sealyard.annotations.journal import (
    EntryHeader,
    FiledPicture,
    NamedCheckpoint,
    Record,
    Verdict,
)
from sealyard.annotations.labels import label_lines
from sealyard.annotations.layout import checkpoint_key, entry_key, withdrawn_key
from sealyard.annotations.lines import (
    CheckpointHeader,
    checkpoint_bytes,
    entry_bytes,
    parse_entry,
)
from sealyard.annotations.message import Box
from sealyard.annotations.snapshot import Fold
from sealyard.errors import MissingError

BOX = Box.model_validate({"class": "coin", "x": 0.5, "y": 0.5, "width": 0.25, "height": 0.25})


def a_picture(number: int, side: int = 32) -> bytes:
    """A PNG of one colour; another one for another number."""
    colour = tuple(hashlib.sha256(str(number).encode()).digest()[:3])
    stream = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(stream, "PNG")
    return stream.getvalue()


def filed(content: bytes) -> FiledPicture:
    """What a record says of a picture."""
    digest = hashlib.sha256(content).hexdigest()
    return FiledPicture(sha256=digest, size_bytes=len(content), media_type="image/png")


def a_record(
    offset: int, item: str | None = "a", verdict: Verdict = "validated", **more: Any
) -> Record:
    """What became of a message."""
    fields: dict[str, Any] = {
        "offset": offset,
        "time": f"2026-11-26T09:{offset // 60 % 60:02}:{offset % 60:02}.000Z",
        "verdict": verdict,
        "id": item,
        "revision": offset + 1,
        "operation": "validated",
        "digest": hashlib.sha256(str(offset).encode()).hexdigest(),
        "annotator": "ada@example.test",
        "role": "Validator",
        "identity": "jwt",
        "boxes": [BOX],
    }
    return Record(**(fields | more))


@dataclass
class Filed:
    """A route's storage. Safe to be read while nobody writes."""

    classes: Sequence[str] = ("coin",)
    files: dict[str, bytes] = field(default_factory=dict)
    fold: Fold = field(default_factory=Fold)
    named: NamedCheckpoint | None = None
    """The newest checkpoint."""
    contents: dict[str, bytes] = field(default_factory=dict)
    """Every picture that there ever was, by its digest."""
    name: str = "annotations"

    def picture(self, content: bytes) -> FiledPicture:
        """A picture that records may name from now on."""
        picture = filed(content)
        self.contents[picture.sha256] = content
        return picture

    def file(self, *records: Record, end: int | None = None) -> None:
        """An entry, with the files that a router writes before it and deletes after it."""
        key = entry_key(self.fold.sequence)
        content = entry_bytes(
            EntryHeader(
                sequence=self.fold.sequence,
                route="default/trays",
                stream="annotations",
                begin=self.fold.offset,
                end=end or max([self.fold.offset, *(record.offset + 1 for record in records)]),
                previous=self.fold.digest,
                checkpoint=self.named,
                classes=list(self.classes),
                validation_percent=20,
            ),
            records,
        )
        before = dict(self.fold.items)
        self.files[key] = content
        self.fold.take(parse_entry(content, key))
        for item in self.fold.items.values():
            if item != before.get(item.id):
                self._move(before.get(item.id), item)

    def checkpoint(self) -> None:
        """One after the last entry."""
        fold = self.fold
        assert fold.digest is not None
        header = CheckpointHeader(
            sequence=fold.sequence - 1,
            offset=fold.offset,
            entry=fold.digest,
            classes=list(fold.classes),
        )
        key = checkpoint_key(header.sequence, header.offset)
        self.files[key] = checkpoint_bytes(header, fold.items.values())
        self.named = NamedCheckpoint(
            sequence=header.sequence,
            offset=header.offset,
            sha256=hashlib.sha256(self.files[key]).hexdigest(),
        )

    def write(self, root: Path) -> None:
        """Put all of it into a folder, and take away what is not in it any more."""
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.relative_to(root).as_posix() not in self.files:
                path.unlink()
        for key, content in self.files.items():
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _move(self, before: Item | None, item: Item) -> None:
        if item.keys and item.picture:
            image, label = item.keys
            self.files[image] = self.contents[item.picture.sha256]
            self.files[label] = label_lines(item.boxes, self.classes).encode()
        if before is None or not before.keys or before.picture is None:
            return
        for key in set(before.keys) - set(item.keys):
            del self.files[key]
        if not item.keys or (item.picture and item.picture.sha256 != before.picture.sha256):
            kept = withdrawn_key(before.id, before.picture.sha256, before.picture.media_type)
            self.files[kept] = self.contents[before.picture.sha256]

    def keys(self, prefix: str) -> list[str]:
        """As a storage has them."""
        return sorted(key for key in self.files if key.startswith(prefix))

    def read(self, key: str) -> bytes:
        """As a storage does."""
        if key not in self.files:
            raise MissingError(f"there is no {key}")
        return self.files[key]

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        """As a storage does."""
        content = self.read(key)
        assert len(content) == size
        file.write(content)
        return hashlib.sha256(content).hexdigest()
