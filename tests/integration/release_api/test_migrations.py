"""Databases of earlier schemas, with data in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from sealyard.errors import InvalidError
from sealyard_release_api.database import Database, Sqlite
from sealyard_release_api.releases import Release
from sealyard_release_api.schema import METADATA, SCHEMA_VERSION
from sealyard_release_api.store import Store
from support.releases import SEALED, sample

pytestmark = pytest.mark.stores

# What version 1 made, word for word; `{bytes}` is the one type that the databases name differently.
SCHEMA_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE manifests (
    model VARCHAR(63) NOT NULL, version VARCHAR(64) NOT NULL, sha256 VARCHAR(64) NOT NULL,
    body {bytes} NOT NULL, written_at VARCHAR(20) NOT NULL, written_by VARCHAR(254) NOT NULL,
    PRIMARY KEY (model, version));
CREATE TABLE small_parts (
    model VARCHAR(63) NOT NULL, version VARCHAR(64) NOT NULL, variant VARCHAR(63) NOT NULL,
    sha256 VARCHAR(64) NOT NULL, core_sha256 VARCHAR(64) NOT NULL, body {bytes} NOT NULL,
    written_at VARCHAR(20) NOT NULL, written_by VARCHAR(254) NOT NULL,
    PRIMARY KEY (model, version, variant));
INSERT INTO schema_version (version) VALUES (1);
"""
MANIFEST = "INSERT INTO manifests VALUES (:model, :version, :sha256, :body, '2026-01-01', 'a@b')"
SMALL = (
    "INSERT INTO small_parts VALUES "
    "(:model, :version, :variant, :sha256, :sha256, :body, '2026-01-01', 'a@b')"
)


def make_version_1(database: Database) -> Release:
    """A database as version 1 left it, with a release in it."""
    release = sample()
    engine = database.engine()
    kind = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        for statement in SCHEMA_1.replace("{bytes}", kind).split(";"):
            if statement.strip():
                connection.execute(text(statement))
        names = {"model": release.model, "version": release.version}
        manifest = {**names, "sha256": release.sha256, "body": release.raw}
        connection.execute(text(MANIFEST), manifest)
        for variant, small in release.smalls.items():
            row = {**names, "variant": variant, "sha256": "0" * 64, "body": small}
            connection.execute(text(SMALL), row)
    engine.dispose()
    return Release(release.model, release.version)


def tables(store: Store) -> dict[str, set[str]]:
    with store.reading() as transaction:
        inspector = inspect(transaction.connection)
        return {
            table: {column["name"] for column in inspector.get_columns(table)}
            for table in inspector.get_table_names()
        }


def version(store: Store) -> int:
    with store.reading() as transaction:
        found: int = transaction.connection.execute(
            text("SELECT version FROM schema_version")
        ).scalar_one()
        return found


WANTED = {table.name: {column.name for column in table.columns} for table in METADATA.sorted_tables}


def test_version_1_becomes_this_one_and_keeps_what_it_has(database: Database) -> None:
    release = make_version_1(database)
    for _ in range(2):  # and is left alone the second time
        store = Store.open(database)
        assert tables(store) == WANTED
        assert version(store) == SCHEMA_VERSION
        with store.reading() as transaction:
            manifest, small = transaction.manifest(release), transaction.small(release, SEALED)
        store.close()
        assert manifest is not None
        assert small is not None
        assert manifest.body == sample().raw
        assert small.body == sample().smalls[SEALED]


def test_a_new_database_is_what_an_old_one_becomes(new_database: Callable[[], Database]) -> None:
    database = new_database()
    store = Store.open(database)
    assert tables(store) == WANTED
    assert version(store) == SCHEMA_VERSION
    store.close()


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    Store.open(database).close()
    engine = database.engine()
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    engine.dispose()
    with pytest.raises(InvalidError, match=f"version 99, this program knows {SCHEMA_VERSION}"):
        Store.open(database)


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = Sqlite(tmp_path)
    make_version_1(database)
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("CREATE TABLE account_states (in_the_way INTEGER)")
        connection.commit()
    with pytest.raises(InvalidError, match="cannot be used"):
        Store.open(database)
    with closing(sqlite3.connect(database.path)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'accounts'")
        assert found.fetchall() == []
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
