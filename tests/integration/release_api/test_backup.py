"""A backup that is taken while the server writes, restored elsewhere, and served from."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sealyard.api.release_api import manifest_path, small_path
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard_release_api.backup import back_up
from sealyard_release_api.database import Database, Postgres, Sqlite
from sealyard_release_api.store import Store
from support.postgres import PostgresServer
from support.release_api import (
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    database_flags,
    release_api_server,
)
from support.releases import Sample, sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}


def publish(api: ReleaseApi, release: Sample) -> None:
    with connect(api, PUBLISHER) as client:
        for name, small in release.smalls.items():
            path = small_path(release.model, release.version, name)
            assert client.put(path, content=small, headers=OCTETS).status_code == 201
        path = manifest_path(release.model, release.version)
        assert client.put(path, content=release.raw, headers=JSON).status_code == 201


def backed_up(database: Database, postgres: PostgresServer, folder: Path) -> Database:
    """A new database, made of a backup as docs/release-api.md says."""
    if isinstance(database, Sqlite):
        back_up(database, folder / "backup.db")
        restored = Sqlite(folder / "restored")
        restored.data_dir.mkdir()
        (folder / "backup.db").rename(restored.path)
        return restored
    assert isinstance(database, Postgres)
    name = database.url_file.read_text().rpartition("/")[2]
    dump = postgres.client("pg_dump", "--format=custom", name).stdout
    other = postgres.database(folder / "restored")
    postgres.client("pg_restore", "--exit-on-error", f"--dbname={other.name}", stdin=dump)
    return other.ours


def test_a_backup_is_served_from(
    database: Database, postgres: PostgresServer, tmp_path: Path
) -> None:
    release = sample()
    with release_api_server(tmp_path / "one", arguments=database_flags(database)) as api:
        publish(api, release)
        acknowledged: list[str] = []
        enough, stop = threading.Event(), threading.Event()

        def write() -> None:
            with connect(api, PUBLISHER) as client:
                for n in range(10_000):
                    if stop.is_set():
                        return
                    path = small_path("coins", "2.0.0", f"v{n}")
                    body = f"{n}".encode() * 320
                    assert client.put(path, content=body[:320], headers=OCTETS).status_code == 201
                    acknowledged.append(path)
                    if n == 20:
                        enough.set()

        with ThreadPoolExecutor(1) as pool:
            writer = pool.submit(write)
            try:
                assert enough.wait(120)
                before = list(acknowledged)
                restored = backed_up(database, postgres, tmp_path)
            finally:
                stop.set()
            writer.result(60)
    with (
        release_api_server(tmp_path / "two", arguments=database_flags(restored)) as api,
        connect(api, VERIFIER) as client,
    ):
        got = client.get(manifest_path(release.model, release.version))
        assert (got.status_code, got.content) == (200, release.raw)
        for name, small in release.smalls.items():
            got = client.get(small_path(release.model, release.version, name))
            assert (got.status_code, got.content) == (200, small)
        for path in before:
            assert client.get(path).status_code == 200


def test_a_backup_is_one_file_for_its_owner(tmp_path: Path) -> None:
    database = Sqlite(tmp_path / "data")
    Store.open(database).close()
    back_up(database, tmp_path / "backup.db")
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "data"]


def test_what_cannot_be_backed_up(tmp_path: Path) -> None:
    database = Sqlite(tmp_path / "data")
    target = tmp_path / "backup.db"
    with pytest.raises(MissingError, match=r"release-api\.db is not there"):
        back_up(database, target)
    Store.open(database).close()
    with pytest.raises(MissingError, match=r"nowhere.*cannot be written"):
        back_up(database, tmp_path / "nowhere" / "backup.db")
    with pytest.raises(InvalidError, match="use pg_dump"):
        back_up(Postgres(target, target), target)
    target.write_text("an older one")
    with pytest.raises(InvalidError, match="exists already"):
        back_up(database, target)
    assert target.read_text() == "an older one"
    database.path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(IntegrityError, match="cannot be copied"):
        back_up(database, tmp_path / "other.db")
    assert not list(tmp_path.glob("*other*"))
