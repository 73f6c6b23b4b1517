"""What a message does to its item: the rules by which annotations are filed.

Whose role is proven outranks who has proven nothing; among equals the higher revision counts. So in
whatever order messages come, and however often, an item ends as the same. Where that order cannot
tell (two messages of one revision that differ), the first stays and the second is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sealyard.annotations.items import Item, follow
from sealyard.annotations.journal import FiledPicture, Identity, Record, Verdict
from sealyard.annotations.message import MAX_REVISION, Picture
from sealyard_router import pictures
from sealyard_router.delivery import Delivery
from sealyard_router.reading import Message, Unreadable

Content = bytes | bytearray

LAST_REVISION: Final = MAX_REVISION - (1 << 20)
"""Of those whose annotations must be validated; above it a validator always finds another one.

A bound above the item's own revision would depend on the order in which messages come.
"""


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """Where pictures may lie that messages name by an address."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route says of filing.

    Attributes:
        classes: in the order in which labels count them.
        validated: the roles whose annotations are valid as they are.
        max_picture_bytes: the largest picture.
        pictures: None where messages may name no address.
    """

    classes: Sequence[str]
    validated: frozenset[str]
    max_picture_bytes: int
    pictures: PictureFolder | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Who made a message.

    Attributes:
        role: as proven; None where it is not.
        unproven: why not.
        identity: by which rule of the route the role counts.
    """

    role: str | None
    unproven: str | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lay at a picture's address: its bytes, or why there are none."""

    content: bytearray | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a message.

    Attributes:
        delivery: the message.
        record: its line in the journal.
        before: its item as it was.
        after: its item as it is then.
        content: the picture, where it came and is filed.
    """

    delivery: Delivery
    record: Record
    before: Item | None = None
    after: Item | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that a message is judged by."""

    delivery: Delivery
    message: Message
    standing: Standing
    item: Item | None
    rule: Rule

    @property
    def picture(self) -> Picture | None:
        """The picture that the item has after it."""
        annotation = self.message.annotation
        return None if annotation.operation == "deleted" else annotation.picture

    @property
    def is_known(self) -> bool:
        """The item has the picture's bytes."""
        had = self.item.picture if self.item is not None and self.item.has_bytes else None
        return had is not None and self.picture is not None and had.sha256 == self.picture.sha256

    @property
    def is_awaited(self) -> bool:
        """The item waits for this picture's bytes."""
        item = self.item
        return (
            item is not None
            and not item.has_bytes
            and item.picture is not None
            and self.picture is not None
            and item.picture.sha256 == self.picture.sha256
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that must be fetched before its message is decided on; called with what came.

    Attributes:
        key: where it lies in the bucket for pictures.
        size_bytes: that it must have.
    """

    key: str
    size_bytes: int
    _decide: Callable[[Fetched], Decision]

    def __call__(self, fetched: Fetched) -> Decision:
        """What becomes of the message."""
        return self._decide(fetched)


def unreadable(delivery: Delivery, message: Unreadable) -> Decision:
    """What becomes of bytes that are no annotation."""
    return Decision(
        delivery,
        Record(
            offset=delivery.offset,
            time=_time(delivery.time_ms),
            verdict="rejected",
            reason=message.reason,
        ),
    )


def decide(case: Case) -> Decision | Wanted:
    """What becomes of an annotation, or the picture at an address that must be fetched before."""
    reason = next((said for check in _CHECKS if (said := check(case)) is not None), None)
    if reason is not None:
        return _refused(case, reason)
    verdict, reason = _verdict(case)
    if verdict == "rejected":
        return _refused(case, reason or "")
    picture, is_late = case.picture, verdict in {"superseded", "repeated"}
    if picture is None or case.is_known or (is_late and not case.is_awaited):
        return _counts(case, verdict, None)
    if case.message.content:
        return _with_picture(case, verdict, picture, case.message.content)
    return _fetched(case, verdict, picture)


def _fetched(case: Case, verdict: Verdict, picture: Picture) -> Decision | Wanted:
    if picture.uri is None:
        return _counts(case, verdict, None)
    key = _key(case.rule.pictures, picture.uri)
    if key is None:
        return _refused(case, _outside(case.rule.pictures, picture.uri))
    return Wanted(
        key, picture.size_bytes, lambda fetched: _with_fetched(case, verdict, picture, fetched)
    )


def _with_fetched(case: Case, verdict: Verdict, picture: Picture, fetched: Fetched) -> Decision:
    if fetched.content is None:
        return _refused(case, fetched.fault or "picture.uri: nothing lies there")
    fault = pictures.digest_fault(picture, fetched.content)
    if fault is not None:
        return _refused(case, fault)
    return _with_picture(case, verdict, picture, fetched.content)


def _with_picture(case: Case, verdict: Verdict, picture: Picture, content: Content) -> Decision:
    fault = pictures.header_fault(picture, content)
    return _refused(case, fault) if fault is not None else _counts(case, verdict, content)


def _verdict(case: Case) -> tuple[Verdict, str | None]:
    """What a message is against what was filed of its item before."""
    annotation, item = case.message.annotation, case.item
    is_proven = case.standing.role is not None
    if item is None or (is_proven and item.role is None):
        return _place(case), None
    if annotation.group != item.group:
        return "rejected", f"group: is {annotation.group}, and was {item.group} before"
    if annotation.revision < item.revision:
        return "superseded", None
    if annotation.revision == item.revision:
        return _same_revision(case, item)
    if item.role is not None and not is_proven:
        return "rejected", (
            f"the role is not proven ({case.standing.unproven}), and that of who last changed the "
            "item was"
        )
    return _place(case), None


def _same_revision(case: Case, item: Item) -> tuple[Verdict, str | None]:
    if case.message.digest == item.digest:
        return "repeated", None
    return "rejected", (
        f"revision: {item.revision} came before with other content, at offset {item.offset}; "
        "use a higher one"
    )


def _place(case: Case) -> Verdict:
    if case.message.annotation.operation == "deleted":
        return "deleted"
    return "validated" if case.standing.role in case.rule.validated else "seed"


def _is_small(case: Case) -> str | None:
    size = max(case.picture.size_bytes if case.picture else 0, len(case.message.content))
    if size > case.rule.max_picture_bytes:
        return f"picture.sizeBytes: is {size}, may be {case.rule.max_picture_bytes}"
    return None


def _leaves_revisions(case: Case) -> str | None:
    revision = case.message.annotation.revision
    if revision <= LAST_REVISION or case.standing.role in case.rule.validated:
        return None
    return (
        f"revision: is {revision}, may be {LAST_REVISION}; higher ones are kept for those whose "
        "annotations are valid as they are"
    )


def _has_known_classes(case: Case) -> str | None:
    for number, box in enumerate(case.message.annotation.boxes):
        if box.class_name not in case.rule.classes:
            return (
                f"boxes.{number}.class: is {box.class_name!r}, the route has "
                f"{', '.join(case.rule.classes[:20])}"
            )
    return None


def _is_the_same_picture(case: Case) -> str | None:
    """One digest is one picture, whatever a message says of it."""
    had, names = case.item.picture if case.item else None, case.picture
    if had is None or names is None or had.sha256 != names.sha256 or not case.is_known:
        return None
    if (had.size_bytes, had.media_type) == (names.size_bytes, names.media_type):
        return None
    return f"picture: it was filed before as {had.media_type} of {had.size_bytes} bytes"


_CHECKS: Final[tuple[Callable[[Case], str | None], ...]] = (
    _is_small,
    _leaves_revisions,
    _has_known_classes,
    _is_the_same_picture,
)


def _key(folder: PictureFolder | None, uri: str) -> str | None:
    """The key at an address, if it lies in the folder."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    # Between us and the store nothing may read a key as a path that leads elsewhere.
    is_plain = not {"", ".", ".."} & set(key.split("/")) and key.isprintable()
    is_inside = folder is not None and bucket == folder.bucket and key.startswith(folder.prefix)
    return key if is_plain and is_inside else None


def _outside(folder: PictureFolder | None, uri: str) -> str:
    if folder is None:
        return "picture.uri: is given, and the route names no store for pictures"
    # It may have line feeds, and a signature in a query.
    said = ascii(uri.partition("?")[0])[1:-1][:256]
    return f"picture.uri: is {said}, must lie below s3://{folder.bucket}/{folder.prefix}"


def _refused(case: Case, reason: str) -> Decision:
    record = _record(case, "rejected", None).model_copy(update={"reason": reason})
    return Decision(case.delivery, record, case.item, case.item)


def _counts(case: Case, verdict: Verdict, content: Content | None) -> Decision:
    record = _record(case, verdict, content)
    return Decision(case.delivery, record, case.item, follow(case.item, record), content)


def _record(case: Case, verdict: Verdict, content: Content | None) -> Record:
    annotation, picture = case.message.annotation, case.picture
    said: dict[str, Any] = {}
    if picture is not None:
        said["picture"] = FiledPicture(
            sha256=picture.sha256, size_bytes=picture.size_bytes, media_type=picture.media_type
        )
        said["boxes"] = annotation.boxes
    return Record(
        offset=case.delivery.offset,
        time=_time(case.delivery.time_ms),
        verdict=verdict,
        reason=case.standing.unproven,
        id=annotation.id,
        revision=annotation.revision,
        operation=annotation.operation,
        digest=case.message.digest,
        annotator=annotation.annotator,
        role=case.standing.role,
        identity=case.standing.identity,
        has_bytes=content is not None,
        group=annotation.group,
        **said,
    )


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
