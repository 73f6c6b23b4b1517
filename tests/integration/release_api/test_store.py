from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard_release_api.database import Database, Sqlite
from sealyard_release_api.operations import put_manifest, put_small
from sealyard_release_api.releases import Change, Release, Small
from sealyard_release_api.store import Author, Blob, Store
from sealyard_release_api.wire import Refusal
from support.releases import SEALED, rewrapped, sample

AUTHOR = Author("a@example.org", "2026-01-01T00:00:00Z")


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    opened = Store.open(database)
    yield opened
    opened.close()


def listed(store: Store, *patterns: str, after: str = "", limit: int = 100) -> list[str]:
    behind = Release(*after.split("/")) if after else None
    with store.reading() as transaction:
        found = transaction.releases(after=behind, patterns=patterns, limit=limit)
    return [f"{release.model}/{release.version}" for release, _ in found]


def test_releases_are_listed_in_order_and_by_page(store: Store) -> None:
    with store.writing("test") as transaction:
        for name in ("b/1.0.0", "a/10.0.0", "a/2.0.0", "a-b/1.0.0", "c/1.0.0"):
            release = Release(*name.split("/"))
            transaction.add_manifest(release, Blob(b"{}", "0" * 64), AUTHOR)
    everything = ["a/10.0.0", "a/2.0.0", "a-b/1.0.0", "b/1.0.0", "c/1.0.0"]
    assert listed(store, "*") == everything
    assert listed(store, "*", limit=2) == everything[:2]
    assert listed(store, "*", after="a/2.0.0") == everything[2:]
    assert listed(store, "*", after="a/3.0.0") == everything[2:]
    assert listed(store, "*", after="c/1.0.0") == []
    assert listed(store, "a") == everything[:2]
    assert listed(store, "a*", "c") == [*everything[:3], "c/1.0.0"]
    assert listed(store, "a-*") == ["a-b/1.0.0"]
    assert listed(store) == []


def test_a_refused_write_leaves_nothing(store: Store) -> None:
    release = sample()
    target = Release(release.model, release.version)
    with pytest.raises(Refusal):
        put_manifest(store, target, release.raw, author=AUTHOR)
    with store.reading() as transaction:
        assert transaction.manifest(target) is None


def test_what_is_put_is_there_after_reopening(database: Database) -> None:
    release = sample()
    target = Release(release.model, release.version)
    store = Store.open(database)
    for name, small in release.smalls.items():
        put_small(store, target, name, small, if_match=None, author=AUTHOR)
    assert put_manifest(store, target, release.raw, author=AUTHOR).change is Change.CREATE
    new = rewrapped(release.smalls[SEALED])
    put_small(store, target, SEALED, new, if_match="*", author=AUTHOR)
    store.close()
    store = Store.open(database)
    with store.reading() as transaction:
        manifest, kept = transaction.manifest(target), transaction.small(target, SEALED)
        facts = transaction.smalls(target)
    store.close()
    assert manifest == Blob(release.raw, release.sha256)
    assert kept is not None
    assert kept.body == new
    assert facts[SEALED] == Small.of(new)


def test_the_database_is_for_its_owner_and_loses_nothing(tmp_path: Path) -> None:
    store = Store.open(Sqlite(tmp_path / "data"))
    path = tmp_path / "data" / "release-api.db"
    assert path.stat().st_mode & 0o777 == 0o600
    with store.reading() as transaction:
        connection = transaction.connection
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    store.close()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "release-api.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(InvalidError, match="cannot be used as a database"):
        Store.open(Sqlite(tmp_path))
    assert (tmp_path / "release-api.db").read_bytes() == b"rubbish" * 1000


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingError, match="--data-dir"):
        Store.open(Sqlite(tmp_path / "file"))
