"""A copy of the SQLite database while the server writes on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard_release_api.database import Database, Sqlite


def back_up(database: Database, target: Path) -> None:
    """Write one consistent copy to a file that must not exist yet, and check it.

    The file is for its owner only, and appears whole or not at all.

    Raises:
        InvalidError: the database is PostgreSQL, or the target exists.
        MissingError: there is no database, or the target cannot be written.
        IntegrityError: the copy is damaged, so the database is.
    """
    if not isinstance(database, Sqlite):
        raise InvalidError("backup: is for SQLite; use pg_dump for PostgreSQL")
    if not database.path.is_file():
        raise MissingError(f"--data-dir: {database.path} is not there")
    if target.exists():
        raise InvalidError(f"{target}: exists already; name a file that does not")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb"):
            partial.chmod(0o600)
        _copy(database.path, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise MissingError(f"{target}: cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise IntegrityError(f"{database.path}: cannot be copied: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, partial: Path) -> None:
    read_only = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(read_only, uri=True, timeout=60)) as there,
        closing(sqlite3.connect(partial)) as here,
    ):
        there.backup(here)  # in one step: a writer in between would make it begin again
        # The copy is one file: whoever moves it must not need a journal beside it.
        here.execute("PRAGMA journal_mode=DELETE")
        said = here.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise IntegrityError(f"{source}: is damaged: {str(said)[:200]}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
