"""A folder that is kept in a store: one object, the index, says which objects its files are.

Nothing there is ever overwritten but the index. A file is uploaded under a name that never was,
and the index is replaced after that, on the condition that nobody else has replaced it meanwhile.
So whoever reads it sees the folder as it was at one moment, and an upload that was torn or came
late changes nothing.

The index also names the pod that may write. Whoever takes the folder replaces it, and from then on
no condition of an earlier pod holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from sealyard.api.model import Model, RelativePath, Sha256
from sealyard.errors import IntegrityError, MissingError, SealyardError, UnavailableError
from sealyard.jobs.lock import Superseded
from sealyard.jobs.object_store import Document, ObjectStore
from sealyard.jobs.workspace import COPY_BYTES, below, copy_atomic, open_file, replacing

INDEX: Final = "index.json"
FILES: Final = "files/"
_INDEX_BYTES: Final = 4 << 20
_ATTEMPTS: Final = 10

logger = logging.getLogger(__name__)


class StoredFile(Model):
    """A file of the folder, and the object that it is."""

    object: RelativePath = Field(description="Below `files/`.")
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class Index(Model):
    """The whole folder at one moment."""

    holder: str
    """The uid of the pod that may write."""
    moves: Annotated[int, Field(ge=0)] = 0
    """How often it was replaced: no two are alike, so an ETag says which it is."""
    files: dict[RelativePath, StoredFile] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    """What tells a file on this disk from what it was; a file of ours is never written in place,
    unless at its end.
    """

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, file: BufferedReader) -> _State:
        found = os.fstat(file.fileno())
        return cls(found.st_ino, found.st_mtime_ns, found.st_size)


class Overtaken(Exception):  # noqa: N818 - it is no error: there is something newer
    """What was being uploaded is not wanted any more."""


class Mirror:
    """This pod's copy of a folder in a store.

    Args:
        store: has it.
        key: the folder's, without a slash at its end.
        folder: where the copy is.
        holder: the uid of this pod.
    """

    def __init__(self, store: ObjectStore, key: str, folder: Path, holder: str) -> None:
        self._store = store
        self._key = key
        self._folder = folder
        self._holder = holder
        self._document: Document | None = None
        self._index = Index(holder="")
        self._known: dict[str, tuple[_State, StoredFile]] = {}
        self._strays: set[str] = set()

    @property
    def name(self) -> str:
        """What the folder is called in messages."""
        return f"{self._key} in the {self._store.name}"

    @property
    def files(self) -> Mapping[str, StoredFile]:
        """What is in the folder, as it was last read or written."""
        return self._index.files

    def read(self) -> None:
        """See what is there, without the right to write.

        Raises:
            UnavailableError, RefusedError, MissingError: as the store says.
            IntegrityError: the index is none.
        """
        self._document = self._store.read(f"{self._key}/{INDEX}", _INDEX_BYTES)
        self._index = self._parsed(self._document)

    def take(self) -> None:
        """Become the one that may write, whoever was it before; see what is there.

        Raises:
            UnavailableError, RefusedError, MissingError, IntegrityError: as `read`.
        """
        for _ in range(_ATTEMPTS):
            self.read()
            if self._replace(self._index.files):
                self._sweep()
                return
        raise UnavailableError(f"{self.name} is taken by other pods again and again")

    def check(self) -> None:
        """Go on only while the folder is still this pod's.

        Raises:
            Superseded: another pod has taken it.
            UnavailableError, RefusedError, MissingError, IntegrityError: as `read`.
        """
        found = self._store.read(f"{self._key}/{INDEX}", _INDEX_BYTES)
        if found is None or self._document is None or found.content != self._document.content:
            raise Superseded(self._parsed(found).holder)
        self._document = found

    def fetch(self, paths: Iterable[str]) -> None:
        """Bring files into the copy; none that is not what the index says.

        Raises:
            MissingError: the index has no such file, or an object is gone.
            IntegrityError: an object holds something else.
            UnavailableError, RefusedError: as the store says.
        """
        fetched: dict[str, Path] = {}
        for path in paths:
            wanted = self.files.get(path)
            if wanted is None:
                raise MissingError(f"{path} is not there: {self.name} has lost it")
            target = below(self._folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if twin := fetched.get(wanted.object):
                copy_atomic(twin, target)
            else:
                self._download(path, wanted, target)
            fetched[wanted.object] = target
            with open_file(target) as file:
                self._known[path] = _State.of(file), wanted

    def push(
        self,
        select: Callable[[], Collection[str]],
        *,
        still_wanted: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the folder in the store what the copy is, in one move after everything is there.

        Args:
            select: gives the paths of the files that make up the folder; they may be replaced and
                deleted meanwhile.
            still_wanted: called now and then, and gives it up by raising.

        Raises:
            Superseded: another pod has taken the folder.
            UnavailableError, RefusedError, MissingError: as the store says.
            IntegrityError: something selected is no regular file.
        """
        began, sent = time.monotonic(), 0
        index: dict[str, StoredFile] = {}
        with ExitStack() as opened:
            files = self._opened(select, opened)
            self.check()
            for path, file in files.items():
                still_wanted()
                there = {one.sha256: one for one in (*self.files.values(), *index.values())}
                index[path], size = self._stored(path, file, there, still_wanted)
                sent += size
        if index == self.files:
            return
        before = {one.object for one in self.files.values()}
        if not self._replace(index):
            self.check()
            raise UnavailableError(f"{self.name}: its index could not be replaced")
        self._delete(before)
        seconds = time.monotonic() - began
        logger.info("uploaded %.1f MB in %.2f s to %s", sent / 1e6, seconds, self.name)

    def _opened(
        self, select: Callable[[], Collection[str]], opened: ExitStack
    ) -> dict[str, BufferedReader]:
        """All files as they are at one moment: what is open stays, whoever deletes it."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError), ExitStack() as here:
                files = {
                    path: here.enter_context(open_file(self._folder / path)) for path in select()
                }
                opened.push(here.pop_all())
                return files
        raise UnavailableError(f"{self._folder}: its files change all the time")

    def _stored(
        self,
        path: str,
        file: BufferedReader,
        there: Mapping[str, StoredFile],
        still_wanted: Callable[[], None],
    ) -> tuple[StoredFile, int]:
        """What is in the store for a file, and how many bytes were sent for that.

        The last epoch is often the best, too: what is there by its digest is not sent again.
        """
        state = _State.of(file)
        known = self._known.get(path)
        if known and known[0] == state:
            return known[1], 0
        if twin := there.get(_digest(file, state.size)):
            self._known[path] = state, twin
            return twin, 0
        file.seek(0)
        name = f"{path}.{secrets.token_hex(8)}"
        self._strays.add(name)
        key = f"{self._key}/{FILES}{name}"
        sha256 = self._store.upload(key, file, state.size, still_wanted)
        stored = StoredFile(object=name, sha256=sha256, size_bytes=state.size)
        # Also for the next try, should the index not be replaced by this one.
        self._known[path] = state, stored
        return stored, state.size

    def _download(self, path: str, wanted: StoredFile, target: Path) -> None:
        with replacing(target) as part:
            sha256 = self._store.download(self._object(wanted), wanted.size_bytes, part)
            if sha256 != wanted.sha256:
                raise IntegrityError(
                    f"{path} in {self.name} has the SHA-256 {sha256}, and {wanted.sha256} was "
                    "uploaded"
                )

    def _replace(self, files: dict[str, StoredFile]) -> bool:
        """Whether the index is now this pod's, with these files."""
        index = Index(holder=self._holder, moves=self._index.moves + 1, files=files)
        content = index.model_dump_json(by_alias=True, indent=1).encode()
        key = f"{self._key}/{INDEX}"
        etag = self._document.etag if self._document else None
        replaced = self._store.replace(key, content, etag)
        if replaced is None:
            # It may have been this very one, whose answer was lost on its way.
            found = self._store.read(key, _INDEX_BYTES)
            replaced = found if found and found.content == content else None
        if replaced is None:
            return False
        self._document, self._index = replaced, index
        return True

    def _sweep(self) -> None:
        """Delete what pods that died have uploaded for an index that never came."""
        folder = f"{self._key}/{FILES}"
        found = {key.removeprefix(folder) for key, _ in self._store.keys(folder)}
        self._delete(found)

    def _delete(self, objects: set[str]) -> None:
        """Delete those of them, and of what was left over before, that no file is now."""
        self._strays = (self._strays | objects) - {one.object for one in self.files.values()}
        self._known = {
            path: known
            for path, known in self._known.items()
            if known[1].object not in self._strays
        }
        for name in sorted(self._strays):
            try:
                self._store.delete(f"{self._key}/{FILES}{name}")
            except SealyardError as error:
                # It is in nobody's way: the next move, or the next pod, tries again.
                logger.info("%s: %s is not deleted yet: %s", self.name, name, error)
                return
            self._strays.discard(name)

    def _object(self, file: StoredFile) -> str:
        return f"{self._key}/{FILES}{file.object}"

    def _parsed(self, document: Document | None) -> Index:
        if document is None:
            return Index(holder="")
        try:
            return Index.model_validate_json(document.content)
        except ValidationError as error:
            raise IntegrityError(
                f"{self.name}: {INDEX} is not what was written; delete the folder to begin anew"
            ) from error


def _digest(file: BufferedReader, size: int) -> str:
    """Of so many bytes: a file that is written at its end may have more by now."""
    digest = hashlib.sha256()
    while block := file.read(min(COPY_BYTES, size)):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def delete_folder(store: ObjectStore, key: str) -> Iterator[int]:
    """Delete everything below a key, and give the size of each file that was there.

    Whoever is killed in the midst leaves files that no index names, and the next one finds them.

    Raises:
        UnavailableError, RefusedError, MissingError: as the store says.
    """
    found = list(store.keys(f"{key}/"))
    for name, size in sorted(found, key=lambda one: not one[0].endswith(f"/{INDEX}")):
        store.delete(name)
        if not name.endswith(f"/{INDEX}"):
            yield size
