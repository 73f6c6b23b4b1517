"""What only a database of its own can get wrong: its TLS, its password, its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sealyard.api.release_api import manifest_path, small_path
from sealyard.errors import InvalidError, SealyardError, UnavailableError
from sealyard_local.pki import PrivateCA
from sealyard_release_api.store import Store
from support.devices import Device, log_in_as, register
from support.postgres import PostgresDatabase, PostgresServer, TlsFront, postgres_server
from support.release_api import (
    PUBLISHER,
    VERIFIER,
    connect,
    database_flags,
    log_in,
    prepare,
    release_api_server,
)
from support.releases import sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def ours(postgres: PostgresServer, tmp_path: Path) -> PostgresDatabase:
    return postgres.database(tmp_path / "database")


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server for a test that stops, kills or weakens it."""
    with postgres_server() as server:
        yield server


def no_tls(server: PostgresServer, ours: PostgresDatabase, _stack: ExitStack) -> None:
    url = server.url(ours.name).replace(f":{server.front.port}/", f":{server.port}/")
    ours.url_file.write_text(url)


def another_ca(_server: PostgresServer, ours: PostgresDatabase, _stack: ExitStack) -> None:
    ours.ca_file.write_bytes(PrivateCA.create().ca_pem)


def another_name(server: PostgresServer, ours: PostgresDatabase, stack: ExitStack) -> None:
    pair = server.ca.issue(dns_names=["elsewhere.example"], ips=["127.0.0.2"])
    front = stack.enter_context(TlsFront(server.port, pair))
    url = server.url(ours.name).replace(f":{server.front.port}/", f":{front.port}/")
    ours.url_file.write_text(url)


def another_password(server: PostgresServer, ours: PostgresDatabase, _stack: ExitStack) -> None:
    ours.url_file.write_text(server.url(ours.name, password="wrong-wrong-wrong"))


def no_such_database(server: PostgresServer, ours: PostgresDatabase, _stack: ExitStack) -> None:
    ours.url_file.write_text(server.url("nowhere"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(no_tls, "server does not support SSL", id="no TLS"),
        pytest.param(another_ca, "certificate verify failed", id="another CA"),
        pytest.param(another_name, "does not match host name", id="another name"),
        pytest.param(another_password, "password authentication failed", id="another password"),
        pytest.param(no_such_database, "does not exist", id="no such database"),
    ],
)
def test_a_database_that_is_not_the_one(
    postgres: PostgresServer,
    ours: PostgresDatabase,
    spoil: Callable[[PostgresServer, PostgresDatabase, ExitStack], None],
    says: str,
) -> None:
    with ExitStack() as stack:
        spoil(postgres, ours, stack)
        with pytest.raises(UnavailableError, match=says) as error:
            Store.open(ours.ours)
    assert str(error.value).startswith(f"{ours.url_file}: ")
    assert "\n" not in str(error.value)
    for secret in (postgres.password, "wrong-wrong-wrong"):
        assert secret not in str(error.value)


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit"])
def test_a_database_that_would_lose_writes_is_refused(
    own: PostgresServer, tmp_path: Path, setting: str
) -> None:
    ours = own.database(tmp_path)
    own.stop()
    own.start(f"{setting}=off")
    with pytest.raises(InvalidError, match=f"{setting} is off, must be on"):
        Store.open(ours.ours)


def test_a_password_that_is_rotated_needs_no_restart(own: PostgresServer, tmp_path: Path) -> None:
    ours = own.database(tmp_path)
    store = Store.open(ours.ours)
    with own.connect("postgres") as connection:
        connection.execute("ALTER ROLE sealyard PASSWORD 'the next one of them'")
    own.password = "the next one of them"
    ours.url_file.write_text(own.url(ours.name, password="the%20next%20one%20of%20them"))
    own.stop()
    own.start()
    assert store.check()
    ours.url_file.unlink()
    own.stop()
    own.start()
    assert not store.check()
    store.close()


def test_an_end_of_the_database_is_survived(own: PostgresServer, tmp_path: Path) -> None:
    arguments = database_flags(own.database(tmp_path / "database").ours)
    with (
        release_api_server(tmp_path, arguments=arguments) as api,
        connect(api, VERIFIER) as client,
    ):
        own.stop()
        answer = client.get("/releases")
        assert (answer.status_code, answer.json()["error"]) == (503, "Unavailable")
        assert answer.headers["retry-after"] == "5"
        login = client.post("/login", json={"email": VERIFIER, "password": "x"})
        assert login.status_code == 503
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        own.start()
        assert client.get("/readyz").status_code == 200
        assert client.get("/releases").status_code == 200
        assert own.password not in api.log_text()
        assert api.process is not None
        for name in ("cmdline", "environ"):
            seen = Path(f"/proc/{api.process.pid}/{name}").read_bytes()
            assert own.password.encode() not in seen


def test_a_device_gets_back_the_attempts_that_the_database_failed(
    own: PostgresServer, tmp_path: Path
) -> None:
    arguments = [
        *database_flags(own.database(tmp_path / "database").ours),
        "--account-attempts=2",
        "--attempt-window-seconds=3600",
    ]
    device = Device()
    with (
        release_api_server(tmp_path, arguments=arguments) as api,
        connect(api, PUBLISHER) as client,
    ):
        register(client, device, "coins")
        own.stop()
        assert [log_in_as(client, device).status_code for _ in range(3)] == [503] * 3
        own.start()
        assert log_in_as(client, device).status_code == 200


def test_what_was_acknowledged_survives_the_kill_of_the_database(
    own: PostgresServer, tmp_path: Path
) -> None:
    arguments = database_flags(own.database(tmp_path / "database").ours)
    with release_api_server(tmp_path, arguments=arguments) as api:
        acknowledged: list[str] = []
        enough = threading.Event()

        def write(worker: int) -> None:
            with connect(api, PUBLISHER) as client:
                for n in range(10_000):
                    name = f"w{worker}-{n}"
                    path = small_path("coins", "1.0.0", name)
                    answer = client.put(path, content=name.encode() * 80, headers=OCTETS)
                    if answer.status_code == 503:
                        return
                    assert answer.status_code == 201
                    acknowledged.append(name)
                    if len(acknowledged) >= 100:
                        enough.set()

        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(write, worker) for worker in range(4)]
            assert enough.wait(120)
            own.kill()
            for worker in workers:
                worker.result()
        own.start()
        with connect(api, VERIFIER) as client:
            for name in acknowledged:
                got = client.get(small_path("coins", "1.0.0", name))
                assert (got.status_code, got.content) == (200, name.encode() * 80)


def test_two_servers_over_one_database_are_one(postgres: PostgresServer, tmp_path: Path) -> None:
    arguments = database_flags(postgres.database(tmp_path / "database").ours)
    release = sample()
    rivals = [release.raw.replace(b"0.98", f"0.{n}".encode()) for n in range(81, 87)]
    with release_api_server(tmp_path, arguments=arguments) as first:
        second = prepare(tmp_path / "second", ca=first.ca, arguments=arguments)
        for name in ("users.json", "jwt-keys.json"):
            (second.secrets_dir / name).write_bytes((first.secrets_dir / name).read_bytes())
        try:
            second.start()
            with connect(first) as one, connect(second) as other:
                token = log_in(one, PUBLISHER)
                for client in (one, other):
                    client.headers["Authorization"] = f"Bearer {token}"
                for name, small in release.smalls.items():
                    path = small_path(release.model, release.version, name)
                    assert one.put(path, content=small, headers=OCTETS).status_code == 201

                def put(n: int) -> httpx.Response:
                    client = (one, other)[n % 2]
                    path = manifest_path(release.model, release.version)
                    return client.put(path, content=rivals[n], headers=JSON)

                with ThreadPoolExecutor(len(rivals)) as pool:
                    statuses = [answer.status_code for answer in pool.map(put, range(len(rivals)))]
                assert sorted(statuses) == [201] + [409] * (len(rivals) - 1)
                won = rivals[statuses.index(201)]
                for client in (one, other):
                    path = manifest_path(release.model, release.version)
                    assert client.get(path).content == won
        finally:
            second.kill()


def test_stores_that_open_a_new_database_at_once_make_it_once(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    ours = postgres.database(tmp_path)
    barrier = threading.Barrier(4)

    def open_it(_: int) -> SealyardError | None:
        barrier.wait(60)
        try:
            Store.open(ours.ours).close()
        except SealyardError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_it, range(4))) == [None] * 4
