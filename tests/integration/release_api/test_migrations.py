"""Databases of earlier schemas, with data in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from sealyard.errors import InvalidError
from sealyard_release_api import managed
from sealyard_release_api.database import Database, Sqlite
from sealyard_release_api.devices.operations import put_devices
from sealyard_release_api.managed import State
from sealyard_release_api.releases import Release
from sealyard_release_api.roles import Principal, Role
from sealyard_release_api.schema import METADATA, SCHEMA_VERSION
from sealyard_release_api.store import Author, Store
from support.devices import Device
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
# What version 2 added to it.
SCHEMA_2 = """
CREATE TABLE accounts (
    email VARCHAR(254) NOT NULL, role VARCHAR(16) NOT NULL, models JSON NOT NULL,
    password_hash VARCHAR(512) NOT NULL, PRIMARY KEY (email));
CREATE TABLE account_states (
    email VARCHAR(254) NOT NULL, disabled BOOLEAN NOT NULL, changes INTEGER NOT NULL,
    changed_at VARCHAR(20) NOT NULL, changed_by VARCHAR(254) NOT NULL, PRIMARY KEY (email));
INSERT INTO account_states VALUES ('a@b', TRUE, 7, '2026-01-01', 'a@b');
UPDATE schema_version SET version = 2;
"""
MANIFEST = "INSERT INTO manifests VALUES (:model, :version, :sha256, :body, '2026-01-01', 'a@b')"
SMALL = (
    "INSERT INTO small_parts VALUES "
    "(:model, :version, :variant, :sha256, :sha256, :body, '2026-01-01', 'a@b')"
)


def make(database: Database, *schemas: str) -> Release:
    """A database as an earlier version left it, with a release in it."""
    release = sample()
    engine = database.engine()
    kind = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    script = "".join(schemas).replace("{bytes}", kind)
    with engine.begin() as connection:
        for statement in script.split(";"):
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


@pytest.mark.parametrize("schemas", [(SCHEMA_1,), (SCHEMA_1, SCHEMA_2)], ids=["1", "2"])
def test_an_earlier_version_becomes_this_one_and_keeps_what_it_has(
    database: Database, schemas: tuple[str, ...]
) -> None:
    release = make(database, *schemas)
    for _ in range(2):  # and is left alone the second time
        store = Store.open(database)
        assert tables(store) == WANTED
        assert version(store) == SCHEMA_VERSION
        with store.reading() as transaction:
            manifest, small = transaction.manifest(release), transaction.small(release, SEALED)
            state = managed.states(transaction, ["a@b"]).get("a@b")
        store.close()
        assert state == (State(disabled=True, changes=7) if SCHEMA_2 in schemas else None)
        assert manifest is not None
        assert small is not None
        assert manifest.body == sample().raw
        assert small.body == sample().smalls[SEALED]


def test_what_is_new_works_in_what_was_old(database: Database) -> None:
    make(database, SCHEMA_1, SCHEMA_2)
    store, device = Store.open(database), Device()
    author = Author("a@b", "2026-01-01T00:00:00Z")
    admin = Principal("a@b", Role.ADMIN, ())
    assert put_devices(store, [device.entry("coins")], admin, author).changed == [device.id]
    store.close()


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
    make(database, SCHEMA_1)
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("CREATE TABLE account_states (in_the_way INTEGER)")
        connection.commit()
    with pytest.raises(InvalidError, match="cannot be used"):
        Store.open(database)
    with closing(sqlite3.connect(database.path)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'accounts'")
        assert found.fetchall() == []
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
