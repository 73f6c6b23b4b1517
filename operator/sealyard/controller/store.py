"""The records of one resource, of which the newest of each object counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

Name = tuple[str, str]
"""Namespace and name."""

REMEMBERED_REMOVALS = 10_000


class Record(Protocol):
    """What is kept of an object."""

    @property
    def uid(self) -> str:
        """Of the object."""
        ...

    @property
    def version(self) -> int:
        """Its resourceVersion."""
        ...


R = TypeVar("R", bound=Record)


class Store(Generic[R]):
    """The records of one resource by namespace and name."""

    def __init__(self) -> None:
        self._records: dict[Name, R] = {}
        self._removed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._records)

    def get(self, namespace: str, name: str) -> R | None:
        """The record of this name."""
        return self._records.get((namespace, name))

    def items(self) -> Iterator[tuple[Name, R]]:
        """All of them, as they are now."""
        yield from list(self._records.items())

    def accept(self, name: Name, record: R) -> bool:
        """Take the record in, unless what is known is as new or newer."""
        known = self._records.get(name)
        if record.uid in self._removed or (known is not None and record.version <= known.version):
            return False
        self._records[name] = record
        return True

    def discard(self, name: Name, uid: str) -> R | None:
        """Take the record out, if it is of this uid. The uid is not accepted again."""
        self._removed[uid] = None
        if len(self._removed) > REMEMBERED_REMOVALS:
            del self._removed[next(iter(self._removed))]
        known = self._records.get(name)
        return self._records.pop(name) if known is not None and known.uid == uid else None
