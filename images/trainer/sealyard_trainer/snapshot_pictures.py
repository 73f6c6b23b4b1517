"""Brings the pictures of a route's items into a folder: several at once, each as its record says.

What they must be is known from the records. So what an earlier attempt brought is believed once it
is hashed, and nothing has to be written down of it. The router moves pictures meanwhile: one that
is not where the journal said is looked for where the journal says now.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from sealyard.annotations.items import Item
from sealyard.annotations.journal import FiledPicture
from sealyard.annotations.snapshot import places
from sealyard.delivery.annotation_journal import Journal
from sealyard.delivery.annotation_storage import AnnotationStorage
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, hash_file
from sealyard_trainer.fetch_watch import FetchWatch, amount
from sealyard_trainer.room import Room

WORKERS: Final = 16
"""A small picture waits for the store more than for us."""
AHEAD: Final = 64
BLOCK_BYTES: Final = 4096


class SnapshotPictures:
    """What of some pictures lies in a folder, and what is still to be brought.

    Args:
        storage: the route's.
        journal: of the same.
        files: the folder; what is there and is none of these pictures is deleted.
        wanted: items with pictures, by the paths that they get in it.
        room: of the folder's volume.
    """

    def __init__(
        self,
        storage: AnnotationStorage,
        journal: Journal,
        files: Path,
        wanted: Mapping[str, Item],
        room: Room,
    ) -> None:
        self._storage = storage
        self._journal = journal
        self._files = files
        self._pictures = {path: _picture(item) for path, item in wanted.items()}
        self._wanted = wanted
        self._room = room
        self._missing: list[str] = []

    def fetch(self, alive: Callable[[], object]) -> None:
        """Bring what is not there yet.

        Args:
            alive: called after each picture, also one that was there, and may end it by raising.

        Raises:
            OSError: the folder cannot be written to.
            MissingError: a picture is gone, or there is no room for all of them.
            IntegrityError: a picture is another one than its record says.
            UnavailableError, RefusedError: as the storage says.
        """
        watch = FetchWatch(alive)
        _keep_only(self._files, self._wanted.keys())
        self._missing = sorted(self._wanted.keys() - self._whole(alive))
        size = sum(self._pictures[path].size_bytes for path in self._missing)
        self._check_room()
        watch.begin(len(self._wanted), len(self._missing), size)
        done = brought = 0
        tried: Mapping[str, tuple[str, ...]] = {}
        while self._missing:
            keys = self._keys()
            self._refuse_what_is_gone(keys, tried)
            tried, left = keys, []
            for path, is_there in self._bring_all(keys):
                if not is_there:
                    left.append(path)
                    continue
                done, brought = done + 1, brought + self._pictures[path].size_bytes
                watch.fetched(done, brought)
            self._missing = left
        watch.end()

    def _bring_all(self, keys: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, bool]]:
        """Each path, and whether its picture is there now."""
        paths = self._missing
        found = in_threads(
            lambda index: self._bring(paths[index], keys[paths[index]]),
            len(paths),
            workers=WORKERS,
            ahead=AHEAD,
        )
        return zip(paths, found, strict=True)

    def _check_room(self) -> None:
        """All of them, or none: half a dataset in a full workspace helps nobody."""
        sizes = (self._pictures[path].size_bytes for path in self._missing)
        wanted = sum(-(-size // BLOCK_BYTES) * BLOCK_BYTES for size in sizes)
        free = self._room.within(shutil.disk_usage(self._files).free)
        if wanted > free:
            raise MissingError(
                f"dataset: the pictures need {amount(wanted)} more and the workspace has "
                f"{amount(free)} free; {self._room.advice}"
            )

    def _keys(self) -> dict[str, tuple[str, ...]]:
        """Where those that are missing may lie, as the newest entry has it."""
        now = self._journal.now().items
        items = ((path, self._wanted[path]) for path in self._missing)
        return {path: places(item, now.get(item.id)) for path, item in items}

    def _refuse_what_is_gone(
        self, keys: Mapping[str, tuple[str, ...]], tried: Mapping[str, tuple[str, ...]]
    ) -> None:
        gone = [self._wanted[path].id for path in self._missing if keys[path] == tried.get(path)]
        if gone:
            more = f" and of {len(gone) - 1} more" if len(gone) > 1 else ""
            raise MissingError(
                f"dataset: the picture of item {gone[0]}{more} is not in the route's storage any "
                "more; bring it back, or train on another offset"
            )

    def _bring(self, path: str, keys: tuple[str, ...]) -> bool:
        """Whether the picture lies under one of the keys, and so in the folder now."""
        place = self._files / path
        part = place.with_name(f".{place.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            for key in keys:
                with part.open("wb") as file:
                    is_there = self._copy(path, key, file)
                if is_there:
                    part.replace(place)
                    return True
        finally:
            part.unlink(missing_ok=True)
        return False

    def _copy(self, path: str, key: str, file: BinaryIO) -> bool:
        picture = self._pictures[path]
        try:
            sha256 = self._storage.copy(key, picture.size_bytes, file)
        except MissingError:
            return False
        if sha256 != picture.sha256:
            raise IntegrityError(
                f"dataset: {key} has the SHA-256 {sha256}, and the record of item "
                f"{self._wanted[path].id} says {picture.sha256}"
            )
        return True

    def _whole(self, alive: Callable[[], object]) -> set[str]:
        """Those that are there, byte for byte."""
        there = [path for path in self._wanted if (self._files / path).is_file()]

        def is_whole(index: int) -> bool:
            return (
                hash_file(self._files / there[index]).sha256 == self._pictures[there[index]].sha256
            )

        found = set()
        for path, whole in zip(there, in_threads(is_whole, len(there)), strict=True):
            alive()
            if whole:
                found.add(path)
        return found


def _picture(item: Item) -> FiledPicture:
    if item.picture is None:
        raise AssertionError("what is filed has a picture")
    return item.picture


def _keep_only(files: Path, paths: Collection[str]) -> None:
    """Delete every other file below a folder, and every link."""
    for folder, folders, names in os.walk(files, topdown=False):
        for name in names:
            path = Path(folder, name)
            if path.is_symlink() or path.relative_to(files).as_posix() not in paths:
                path.unlink()
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink():
                path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
