"""What every item is after the last entry that was read, in a file of the pod's own.

It is made anew from the store when a router begins, so it survives nothing and syncs nothing; it is
on a disk only because a million items would not fit in memory.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sealyard.annotations.items import Item

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE items (id TEXT PRIMARY KEY, item BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE refused (message INTEGER PRIMARY KEY);
"""


@dataclass(slots=True)
class Counts:
    """How many items are where.

    Attributes:
        validated: with files in `validated/`.
        seed: with files in `seed/`.
        waiting: whose picture has not come.
        deleted: that were deleted.
    """

    validated: int = 0
    seed: int = 0
    waiting: int = 0
    deleted: int = 0

    def count(self, item: Item | None, by: Literal[1, -1]) -> None:
        """Take an item in, or out again."""
        if item is None:
            return
        where: str = item.folder or "deleted"
        if item.folder is not None and not item.is_filed:
            where = "waiting"
        setattr(self, where, getattr(self, where) + by)


class Index:
    """Items by id. Safe to use from many threads.

    Args:
        path: of the file, which is made anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        for old in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
        self._database = _connection(path)
        self._database.executescript(_SCHEMA)
        self.counts = Counts()
        """Of all items in it."""

    def get(self, name: str) -> Item | None:
        """An item by its id."""
        with self._lock:
            return self._get(name)

    def is_refused(self, offset: int) -> bool:
        """Whether a message was refused, since what was in the index when it was filled."""
        with self._lock:
            found = self._database.execute("SELECT 1 FROM refused WHERE message = ?", (offset,))
            return found.fetchone() is not None

    def put(self, items: Iterable[Item], refused: Iterable[int] = ()) -> None:
        """Take in what some items are now, and the offsets of messages that were refused.

        If that fails midway, `clear` comes next.
        """
        with self._lock, self._database:
            self._database.execute("BEGIN")
            for item in items:
                self.counts.count(self._get(item.id), -1)
                self.counts.count(item, 1)
                line = item.model_dump_json(by_alias=True, exclude_none=True).encode()
                self._database.execute(
                    "INSERT OR REPLACE INTO items VALUES (?, ?)", (item.id, zlib.compress(line, 1))
                )
            self._database.executemany(
                "INSERT OR IGNORE INTO refused VALUES (?)", ((offset,) for offset in refused)
            )

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._database.execute("DELETE FROM items")
            self._database.execute("DELETE FROM refused")
            self.counts = Counts()

    def snapshot(self) -> Iterator[bytes]:
        """All items as they are now, in order of id, a JSON document each; from any thread."""
        database = _connection(self._path)
        # Within a transaction SQLite shows what there was when it first looked.
        database.execute("BEGIN")
        rows = database.execute("SELECT item FROM items ORDER BY id")
        first = rows.fetchone()

        def lines() -> Iterator[bytes]:
            try:
                if first is not None:
                    yield zlib.decompress(first[0])
                for (packed,) in rows:
                    yield zlib.decompress(packed)
            finally:
                database.close()

        return lines()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _get(self, name: str) -> Item | None:
        row = self._database.execute("SELECT item FROM items WHERE id = ?", (name,)).fetchone()
        return None if row is None else Item.model_validate_json(zlib.decompress(row[0]))


def _connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
