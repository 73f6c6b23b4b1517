"""Where everything lies in a route's storage: keys in a bucket, or paths in a volume.

```
journal/<sequence>.jsonl              what became of each message: the truth (`journal`)
checkpoints/<sequence>-<offset>.jsonl the items after an entry, so that few entries need be read;
                                      believed if a later entry names it
validated/images/<stem>.jpg           a YOLO dataset of what was validated, as of the newest entry
validated/labels/<stem>.txt
validated/data.yaml
seed/…                                the same of what nobody validated
withdrawn/images/<id>-<digest>.jpg    pictures that were deleted or replaced
rejected/<offset>.json, .message      why a message was refused, and the message
```

A stem is `<id>-<offset>` with the offset of the message that put it there: a file never changes,
so that a router that was thought dead can overwrite nothing of its successor's.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from sealyard.annotations.message import SUFFIXES, MediaType

Folder = Literal["validated", "seed"]
FOLDERS: Final[tuple[Folder, ...]] = ("validated", "seed")
JOURNAL: Final = "journal/"
CHECKPOINTS: Final = "checkpoints/"
REJECTED: Final = "rejected/"
WITHDRAWN: Final = "withdrawn/"
_FILE: Final = re.compile(
    r"(?:validated|seed)/(?:images|labels)/(?P<item>.+)-(?P<offset>[0-9]{12,})\.[a-z]+"
)
_REFUSAL: Final = re.compile(r"rejected/(?P<offset>[0-9]{12,})\.(?:json|message)")


def stem(item: str, offset: int) -> str:
    """The name, without an ending, of what message `offset` made of an item."""
    return f"{item}-{offset:012d}"


def image_key(folder: Folder, item: str, offset: int, media_type: MediaType) -> str:
    """A picture's key."""
    return f"{folder}/images/{stem(item, offset)}.{SUFFIXES[media_type]}"


def label_key(folder: Folder, item: str, offset: int) -> str:
    """The key of the boxes in a picture."""
    return f"{folder}/labels/{stem(item, offset)}.txt"


def parse_file(key: str) -> tuple[str, int] | None:
    """The item and the offset in the key of a picture or of labels; None if it is no such key."""
    match = _FILE.fullmatch(key)
    return (match["item"], int(match["offset"])) if match is not None else None


def withdrawn_key(item: str, sha256: str, media_type: MediaType) -> str:
    """Where a picture is kept that an item does not have any more."""
    return f"{WITHDRAWN}images/{item}-{sha256[:16]}.{SUFFIXES[media_type]}"


def entry_key(sequence: int) -> str:
    """The key of a journal entry; the first has sequence 0."""
    return f"{JOURNAL}{sequence:012d}.jsonl"


def checkpoint_key(sequence: int, offset: int) -> str:
    """The key of the items after the entry `sequence`, which ends before `offset`."""
    return f"{CHECKPOINTS}{sequence:012d}-{offset:012d}.jsonl"


def offset_of(key: str) -> int | None:
    """The offset of the message that made a picture, labels or a refusal; None if it is no such
    key."""
    match = _FILE.fullmatch(key) or _REFUSAL.fullmatch(key)
    return int(match["offset"]) if match is not None else None


def rejected_keys(offset: int) -> tuple[str, str]:
    """The keys of why a message was refused, and of the message."""
    return f"{REJECTED}{offset:012d}.json", f"{REJECTED}{offset:012d}.message"
