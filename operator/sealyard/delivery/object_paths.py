"""From the keys of objects to the paths of files, or a refusal: a key may be anything at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sealyard.delivery.bucket import ListedObject
from sealyard.errors import InvalidError

MOST_OBJECTS: Final = 2_000_000
"""So many, as they are listed, take about a gigabyte of memory."""
LONGEST_PART_BYTES: Final = 200
"""Of a file's name: beside it lies a longer one while it is fetched."""
_SHOWN_CHARACTERS: Final = 120


def object_paths(
    prefix: str, objects: Iterable[ListedObject], *, most: int = MOST_OBJECTS
) -> dict[str, ListedObject]:
    """The objects below a prefix by the path that each has below a folder.

    What tools leave to stand for a folder (an empty object whose key ends in a slash) is none.

    Args:
        prefix: empty, or with a slash at its end.
        objects: as listed.
        most: the most that there may be.

    Raises:
        InvalidError: a key is no path below a folder, is a file and a folder at once, or there are
            too many.
    """
    paths: dict[str, ListedObject] = {}
    folders: set[str] = set()
    for listed in objects:
        path = listed.key.removeprefix(prefix)
        if listed.size == 0 and (not path or path.endswith("/")):
            continue
        if problem := _problem(path):
            raise InvalidError(f"object {_shown(listed.key)}: {problem}; rename or delete it")
        if len(paths) == most:
            raise InvalidError(
                f"there are more than {most:,} objects; {most:,} at most are fetched"
            )
        paths[path] = listed
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    if both := next((path for path in paths if path in folders), None):
        raise InvalidError(
            f"object {_shown(paths[both].key)}: it is a file, and others are below it as in a "
            "folder; rename or delete it"
        )
    return paths


def _problem(path: str) -> str | None:
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "its key is no path below a folder"
    if "\\" in path or not path.isprintable():
        return "its key has a backslash or a character that cannot be printed"
    if any(len(part.encode()) > LONGEST_PART_BYTES for part in parts):
        return f"a part of its key has more than {LONGEST_PART_BYTES} bytes"
    if len(path.encode()) > 1024:
        return "its key has more than 1024 bytes"
    return None


def _shown(key: str) -> str:
    """The key in one line, and no longer than a message bears."""
    text = ascii(key) if not key.isprintable() else repr(key)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
