from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from sealyard_release_api.database import Database, Sqlite
from sealyard_release_api.roles import Role
from support.devices import Device, bearer, register
from support.postgres import PostgresServer, postgres_server
from support.release_api import (
    ADMIN,
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    database_flags,
    default_users,
    release_api_server,
    user,
)

COINS_PUBLISHER = "coins@example.org"
COINS_VERIFIER = "coins-verifier@example.org"

# Tests of the limits start a server of their own; the others may not run into them.
UNLIMITED = ("--account-attempts=10000", "--address-attempts=100000")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL; each test takes a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Database]:
    """Makes a database that nobody else uses; whoever asks for it is tested with both kinds."""

    def make() -> Database:
        folder = tmp_path_factory.mktemp("database")
        if request.param == "sqlite":
            return Sqlite(folder / "data")
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.database(folder).ours

    return make


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    return new_database()


@pytest.fixture(scope="session")
def api(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], Database]
) -> Iterator[ReleaseApi]:
    """One server for all tests that leave no trace but releases with names of their own."""
    users = [
        *default_users(),
        user(COINS_PUBLISHER, Role.PUBLISHER, models=["coins*"]),
        user(COINS_VERIFIER, Role.VERIFIER, models=["coins"]),
    ]
    with release_api_server(
        tmp_path_factory.mktemp("api"),
        users=users,
        arguments=[*UNLIMITED, *database_flags(new_database())],
    ) as server:
        yield server


@pytest.fixture(scope="session")
def anonymous(api: ReleaseApi) -> Iterator[httpx.Client]:
    with connect(api) as client:
        yield client


@pytest.fixture(scope="module")
def publisher(api: ReleaseApi) -> Iterator[httpx.Client]:
    with connect(api, PUBLISHER) as client:
        yield client


@pytest.fixture(scope="module")
def verifier(api: ReleaseApi) -> Iterator[httpx.Client]:
    with connect(api, VERIFIER) as client:
        yield client


@pytest.fixture(scope="module")
def admin(api: ReleaseApi) -> Iterator[httpx.Client]:
    with connect(api, ADMIN) as client:
        yield client


@pytest.fixture(scope="module")
def as_device(api: ReleaseApi, publisher: httpx.Client) -> Iterator[httpx.Client]:
    """A client that is logged in as a device for the model `coins`."""
    registered = Device()
    register(publisher, registered, "coins")
    with connect(api) as client:
        client.headers.update(bearer(client, registered))
        yield client


@pytest.fixture
def version(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A version that no other test uses: the same server serves them all."""

    def make(prefix: str = "1.0.0") -> str:
        test = "".join(c if c.isalnum() else "-" for c in request.node.name)[-40:]
        return f"{prefix}-{test.strip('-') or 'x'}"

    return make
