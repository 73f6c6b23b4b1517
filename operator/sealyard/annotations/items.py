"""An item: a picture with its boxes, as the records up to some offset made it.

The state of a route at an offset is the fold of its records before it, id by id. The router decides
by it, a training run is pinned to it, and both must see the same.
"""

from __future__ import annotations

from pydantic import Field

from sealyard.annotations.journal import FiledPicture, Identity, Record
from sealyard.annotations.layout import Folder, image_key, label_key
from sealyard.annotations.message import Box, ItemId
from sealyard.api.model import Model, Sha256


class Item(Model):
    """What is known of an item."""

    id: ItemId
    revision: int
    offset: int
    """Of the message that made it what it is, or brought its picture; part of its files' names."""
    time: str
    """When the broker took the message that made it what it is."""
    digest: Sha256
    """Of it."""
    folder: Folder | None = None
    """None: it was deleted."""
    picture: FiledPicture | None = None
    has_bytes: bool = False
    """The picture's bytes came, with this message or another: before, it is filed nowhere."""
    boxes: list[Box] = Field(default_factory=list)
    group: ItemId | None = None
    annotator: str
    role: str | None = None
    identity: Identity | None = None
    """By which rule the role counted."""

    @property
    def is_filed(self) -> bool:
        """It has files in its folder."""
        return self.folder is not None and self.has_bytes

    @property
    def keys(self) -> tuple[str, ...]:
        """Its files: the picture and the labels, or none."""
        if self.folder is None or self.picture is None or not self.has_bytes:
            return ()
        return (
            image_key(self.folder, self.id, self.offset, self.picture.media_type),
            label_key(self.folder, self.id, self.offset),
        )


def follow(item: Item | None, record: Record) -> Item | None:
    """The item after a record that is of it; None while there is none."""
    if record.id is None or record.verdict == "rejected":
        return item
    if record.verdict in {"superseded", "repeated"}:
        return _with_bytes(item, record)
    if record.revision is None or record.digest is None or record.annotator is None:
        return item
    had = item.picture if item is not None and item.has_bytes else None
    is_known = (
        had is not None and record.picture is not None and had.sha256 == record.picture.sha256
    )
    return Item(
        id=record.id,
        revision=record.revision,
        offset=record.offset,
        time=record.time,
        digest=record.digest,
        folder=record.verdict if record.verdict in {"validated", "seed"} else None,
        picture=record.picture,
        has_bytes=record.has_bytes or is_known,
        boxes=record.boxes or [],
        # As the first says who proved his role: another one could take it out of the validation
        # set, and before that it was in none.
        group=record.group if item is None or item.role is None else item.group,
        annotator=record.annotator,
        role=record.role,
        identity=record.identity,
    )


def _with_bytes(item: Item | None, record: Record) -> Item | None:
    """A message that came too late to count may still bring the picture that was waited for.

    The files are named after it: what is named after an offset before the journal's end, and is
    not in the journal, is deleted by whoever begins.
    """
    brings = (
        item is not None
        and not item.has_bytes
        and record.has_bytes
        and item.picture is not None
        and record.picture is not None
        and item.picture.sha256 == record.picture.sha256
    )
    if item is None or not brings:
        return item
    return item.model_copy(update={"has_bytes": True, "offset": record.offset})
