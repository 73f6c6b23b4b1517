"""Checkpoints that survive the end of their writer at any instruction.

Each epoch has a file of its own, and a record beside it is written last. So a record vouches for
files that are whole, and the one before it stays until the next is there. The best model so far is
that of an epoch: its file stays for as long as a record names it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from sealyard.api.model import Model, Sha256
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import (
    FileDigest,
    hash_file,
    link_file,
    read_record,
    remove_temporaries,
    replacing,
    write_atomic,
)

KEPT = 2
"""The newest, and the one to fall back to should the disk have lost the newest."""

logger = logging.getLogger(__name__)


class StoredFile(Model):
    """A file of a checkpoint, and what it must hold."""

    name: str
    sha256: Sha256
    size_bytes: int


class Record(Model):
    """What is known of a checkpoint; the last of its files to be written."""

    epoch: int
    """Counted from 1: how many epochs are in it."""
    last: StoredFile
    best: StoredFile


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose files were found whole."""

    epoch: int
    last: Path
    """What training goes on from: weights, optimizer, scheduler, best fitness so far."""
    best: Path
    """The best model up to it."""


def vouched_for(folder: Path) -> list[str]:
    """The names of all records in a folder, and of the files that they vouch for.

    Whoever saves a checkpoint meanwhile may delete the oldest of them.
    """
    names = []
    for record in _read_records(folder):
        names += [_record_name(record.epoch), record.last.name, record.best.name]
    return list(dict.fromkeys(names))


def newest_epoch(folder: Path) -> int:
    """The epoch of the newest record in a folder, whether its files are whole or not; 0 without."""
    return max((record.epoch for record in _read_records(folder)), default=0)


def parse_record(raw: bytes) -> Record:
    """What a record holds.

    Raises:
        ValidationError: it is none.
    """
    return Record.model_validate_json(raw)


class Checkpoints:
    """The checkpoints in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        remove_temporaries(folder)

    def save(self, *, epoch: int, last: Path, digest: FileDigest, is_best: bool) -> None:
        """Keep a file as the newest checkpoint, and let go of old ones.

        Args:
            epoch: How many epochs are in it.
            last: The file to resume from, on the same volume; it may be replaced later, and must
                not be written to.
            digest: What it holds.
            is_best: It is the best model so far, too; else that of the checkpoint before is.
        """
        records = self._records()
        name = f"epoch-{epoch:06}.pt"
        with replacing(self._folder / name) as temporary:
            link_file(last, temporary)
        stored = StoredFile(name=name, sha256=digest.sha256, size_bytes=digest.size_bytes)
        best = stored if is_best or not records else records[0].best
        record = Record(epoch=epoch, last=stored, best=best)
        write_atomic(
            self._folder / _record_name(epoch), record.model_dump_json(by_alias=True).encode()
        )
        self._prune([record, *records][:KEPT])

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole, or None; what is not is forgotten."""
        for record in self._records():
            broken = [file.name for file in (record.last, record.best) if not self._whole(file)]
            if not broken:
                last, best = self._folder / record.last.name, self._folder / record.best.name
                return Checkpoint(record.epoch, last, best)
            logger.warning(
                "checkpoint of epoch %d: %s is not what was written; the one before is used",
                record.epoch,
                " and ".join(sorted(set(broken))),
            )
            # Whatever follows must not name what it names.
            (self._folder / _record_name(record.epoch)).unlink()
        return None

    def clear(self) -> None:
        """Forget all of them."""
        # Records first: without them the rest means nothing.
        for pattern in ("*.json", "*"):
            for path in self._folder.glob(pattern):
                path.unlink()

    def _whole(self, file: StoredFile) -> bool:
        try:
            digest = hash_file(self._folder / file.name)
        except (OSError, IntegrityError):
            return False
        return (digest.sha256, digest.size_bytes) == (file.sha256, file.size_bytes)

    def _records(self) -> list[Record]:
        return _read_records(self._folder)

    def _prune(self, kept: list[Record]) -> None:
        names = {file.name for record in kept for file in (record.last, record.best)}
        names |= {_record_name(record.epoch) for record in kept}
        for pattern in ("*.json", "*.pt"):
            for path in self._folder.glob(pattern):
                if path.name not in names:
                    path.unlink()


def record_epoch(path: str) -> int:
    """How many epochs a checkpoint has, by the name of its record."""
    return int(PurePosixPath(path).stem.removeprefix("epoch-"))


def _record_name(epoch: int) -> str:
    return f"epoch-{epoch:06}.json"


def _read_records(folder: Path) -> list[Record]:
    """The newest first."""
    records = []
    for path in folder.glob("epoch-*.json"):
        try:
            records.append(parse_record(read_record(path)))
        except FileNotFoundError:
            continue  # deleted since
        except (ValidationError, IntegrityError):
            logger.warning("%s cannot be read and is not used", path.name)
    return sorted(records, key=lambda record: record.epoch, reverse=True)
