"""Which items a model is judged by.

The item alone decides, so that no later run trains on what an earlier one was judged by.
"""

from __future__ import annotations

import hashlib

_LABEL = b"sealyard/split/v1\0"


def is_validation(item: str, group: str | None, percent: int) -> bool:
    """Whether an item is of the validation set; all of a group are on the same side.

    Args:
        item: its id.
        group: what it is alike with.
        percent: of all items, about, in the validation set.
    """
    digest = hashlib.sha256(_LABEL + (group or item).encode()).digest()
    return int.from_bytes(digest[:4]) * 100 < percent << 32
