"""Annotators log in for tokens that prove who they are, and open nothing here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sealyard.api.release_api import LoginResponse
from sealyard_release_api.database import Database
from sealyard_release_api.roles import Role
from sealyard_release_api.tokens import KeySet
from sealyard_router.delivery import Delivery
from sealyard_router.identity import Proven, Tokens, judge
from sealyard_router.identity_keys import parse_key_set
from support.annotations import an_annotation
from support.release_api import (
    ADMIN,
    PASSWORD,
    PUBLISHER,
    ReleaseApi,
    connect,
    database_flags,
    default_users,
    log_in,
    release_api_server,
    user,
)

pytestmark = pytest.mark.stores

VALIDATOR = "vera@example.org"
OPERATOR = "otto@example.org"


@pytest.fixture(scope="module")
def annotators(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], Database]
) -> Iterator[ReleaseApi]:
    users = [
        *default_users(),
        user(VALIDATOR, Role.VALIDATOR, models=()),
        user(OPERATOR, Role.OPERATOR, models=()),
    ]
    with release_api_server(
        tmp_path_factory.mktemp("api"), users=users, arguments=database_flags(new_database())
    ) as server:
        yield server


def identity(client: httpx.Client, email: str) -> httpx.Response:
    said = {"email": email, "password": PASSWORD, "audience": "sealyard-annotations"}
    return client.post("/login", json=said)


@pytest.mark.parametrize(
    ("email", "role"), [(VALIDATOR, "Validator"), (OPERATOR, "Operator"), (ADMIN, "Admin")]
)
def test_a_route_believes_the_token(annotators: ReleaseApi, email: str, role: str) -> None:
    with connect(annotators) as client:
        # An email is looked up in small letters, and so it stands in the token.
        answer = LoginResponse.from_wire(identity(client, email.title()).json())
        opens = client.get("/releases", headers={"Authorization": f"Bearer {answer.token}"})
    assert opens.status_code == 401
    assert opens.json()["message"] == "the token is for another audience; log in again"
    keys = KeySet.parse((Path(annotators.secrets_dir) / "jwt-keys.json").read_bytes())
    rule = Tokens(parse_key_set(keys.public_set().encode()), "sealyard-annotations", keys.issuer)
    said = an_annotation(annotator=email, proof={"jwt": answer.token})
    assert judge(said, Delivery(0, int(time.time() * 1000), b""), rule) == Proven(role)


def test_who_does_not_annotate_gets_none(annotators: ReleaseApi) -> None:
    with connect(annotators) as client:
        refused = identity(client, PUBLISHER)
        other = client.post(
            "/login", json={"email": VALIDATOR, "password": PASSWORD, "audience": "other"}
        )
    assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")
    assert refused.json()["message"] == "the role Publisher annotates nothing"
    assert (other.status_code, other.json()["error"]) == (400, "InvalidRequest")


def test_an_annotator_may_do_nothing_else(annotators: ReleaseApi) -> None:
    with connect(annotators) as client:
        for email in (VALIDATOR, OPERATOR):
            bearer = {"Authorization": f"Bearer {log_in(client, email)}"}
            for path in ("/releases", "/users", "/devices", "/tuf/timestamp.json"):
                assert client.get(path, headers=bearer).status_code == 403
