"""Collects a sheet out of a route's storage."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Final

from PIL import Image, ImageOps

from sealyard.annotations.items import Item
from sealyard.annotations.journal import FiledPicture
from sealyard.annotations.message import Box
from sealyard.annotations.snapshot import places
from sealyard.delivery.annotation_journal import Journal
from sealyard.delivery.annotation_storage import AnnotationStorage
from sealyard.errors import IntegrityError, MissingError
from sealyard_router.sheet.model import Mark, Rejection, Sheet, Shot

LONGEST_SIDE: Final = 360
QUALITY: Final = 75
MOST_MARKS: Final = 60
"""On one picture; more of them would hide it."""
MOST_JPEG_BYTES: Final = 3 << 20
"""Of all pictures together: the page comes out of a cluster through a log."""
MOST_PIXELS: Final = 64_000_000
MOST_PICTURE_BYTES: Final = 64 << 20
"""Of one that is decoded: whoever may publish chose it."""
MOST_REJECTIONS: Final = 30
ENTRIES_LOOKED_AT: Final = 300
FORMATS: Final = ("BMP", "JPEG", "PNG", "WEBP")
EMPTY: Final = (LONGEST_SIDE, LONGEST_SIDE * 3 // 4)


def collect(storage: AnnotationStorage, title: str, *, pictures: int) -> Sheet:
    """What was filed and refused last.

    Args:
        storage: the route's.
        title: what the sheet is called.
        pictures: how many there are to be at most.

    Raises:
        IntegrityError: the journal is not whole, or was changed.
        UnavailableError, RefusedError, MissingError: as the storage says.
    """
    journal = Journal(storage)
    state = journal.now()
    items = sorted(
        (item for item in state.items.values() if item.is_filed),
        key=lambda item: item.offset,
        reverse=True,
    )
    numbers = {name: number for number, name in enumerate(state.classes)}
    return Sheet(
        title=title,
        offset=state.offset,
        validated=sum(item.folder == "validated" for item in items),
        seed=sum(item.folder == "seed" for item in items),
        shots=tuple(_shots(storage, items[:pictures], numbers)),
        rejections=tuple(islice(_rejections(journal), MOST_REJECTIONS)),
    )


def _shots(
    storage: AnnotationStorage, items: list[Item], numbers: dict[str, int]
) -> Iterator[Shot]:
    """As many as there is room for."""
    size = 0
    for item in items:
        shot = _shot(storage, item, numbers)
        size += len(shot.jpeg or b"")
        if size > MOST_JPEG_BYTES:
            return
        yield shot


def _shot(storage: AnnotationStorage, item: Item, numbers: dict[str, int]) -> Shot:
    if item.folder is None or item.picture is None:
        raise AssertionError("what is filed has a folder and a picture")
    content, problem = _content(storage, item, item.picture)
    copy = None
    if content is not None:
        copy, problem = small_copy(content)
    width, height = copy.size if copy else EMPTY
    return Shot(
        item=item.id,
        revision=item.revision,
        offset=item.offset,
        folder=item.folder,
        annotator=item.annotator,
        role=item.role,
        time=item.time,
        width=width,
        height=height,
        jpeg=_encoded(copy) if copy else None,
        problem=problem,
        marks=tuple(_mark(box, numbers) for box in item.boxes[:MOST_MARKS]),
        marks_left_out=max(0, len(item.boxes) - MOST_MARKS),
    )


def _content(
    storage: AnnotationStorage, item: Item, picture: FiledPicture
) -> tuple[bytes | None, str | None]:
    """The picture's bytes, or why there are none."""
    if picture.size_bytes > MOST_PICTURE_BYTES:
        return None, "too large to be shown"
    for key in places(item, item):
        stream = io.BytesIO()
        try:
            if storage.copy(key, picture.size_bytes, stream) == picture.sha256:
                return stream.getvalue(), None
        except MissingError:
            continue
        except IntegrityError:
            pass
        return None, "not the picture that was filed"
    return None, "not where the journal says; it may have moved just now"


def small_copy(content: bytes) -> tuple[Image.Image | None, str | None]:
    """A picture as people see it, upright and small; or why there is none."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            if image.width * image.height > MOST_PIXELS:
                return None, "too many pixels to be shown"
            copy = ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # noqa: BLE001 - a decoder raises whatever broken bytes make it
        return None, "cannot be decoded"
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return copy, None


def _encoded(image: Image.Image) -> bytes:
    """Pixels alone: neither the place of a camera nor anything else that came with the picture."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, exif=b"", icc_profile=None)
    return stream.getvalue()


def _mark(box: Box, numbers: dict[str, int]) -> Mark:
    return Mark(
        class_index=numbers.get(box.class_name, 0),
        class_name=box.class_name,
        left=box.x - box.width / 2,
        top=box.y - box.height / 2,
        width=box.width,
        height=box.height,
    )


def _rejections(journal: Journal) -> Iterator[Rejection]:
    for entry in islice(journal.newest(), ENTRIES_LOOKED_AT):
        for record in reversed(entry.records):
            if record.verdict == "rejected":
                yield Rejection(
                    offset=record.offset,
                    time=record.time,
                    reason=record.reason or "no reason",
                    item=record.id,
                    annotator=record.annotator,
                )
