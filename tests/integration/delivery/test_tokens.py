"""The login rules, against the real release API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jwt
import pytest

from sealyard.api.secrets import Purpose
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import RefusedError
from sealyard_release_api.roles import Role
from sealyard_release_api.tokens import KeySet
from support import release_api
from support.programs import Job
from support.stores import Stores, running_stores, until

pytestmark = pytest.mark.stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with running_stores(tmp_path / "stores", api_arguments=["--reload-seconds", "1"]) as both:
        yield both


@pytest.fixture
def job(stores: Stores, tmp_path: Path) -> Job:
    job = stores.release(tmp_path / "job")
    job.add("onnx-fp32", os.urandom(50_000))
    assert job.publish().code == 0
    return job


def client_of(stores: Stores, job: Job) -> ReleaseApi:
    return ReleaseApi(
        stores.api.url,
        SecretFiles.mounted(Purpose.API_VERIFIER, job.secrets, "release-api-verifier"),
        bundle=CaBundle(stores.api.ca_path, "ConfigMap stores-ca"),
        login_gap_seconds=0.01,
    )


def end_tokens(stores: Stores, *, password: str = release_api.PASSWORD) -> None:
    """Change the verifier's account, which ends its tokens, and wait until it does."""
    with release_api.connect(stores.api, release_api.VERIFIER) as client:
        users = [
            release_api.user(release_api.PUBLISHER, Role.PUBLISHER),
            release_api.user(
                release_api.VERIFIER, Role.VERIFIER, models=["m-*"], password=password
            ),
        ]
        stores.api.write_users(users)
        until(lambda: refused(client), "the old tokens to end")


def refused(client: httpx.Client) -> bool:
    return client.get("/releases").status_code == 401


def logins(stores: Stores) -> int:
    return sum(line.get("event") == "login" for line in stores.api.log_lines())


def age_token(stores: Stores, api: ReleaseApi) -> None:
    """Put the client's token a thousand seconds into the past, signed as the server signs."""
    keys = KeySet.parse((stores.api.secrets_dir / "jwt-keys.json").read_bytes())
    held = api.session._login.token()
    claims = jwt.decode(held.text, options={"verify_signature": False})
    claims.update({name: claims[name] - 1000 for name in ("iat", "nbf", "exp")})
    header = {"kid": keys.active}
    api.session._login._text = jwt.encode(claims, keys.signing, algorithm="EdDSA", headers=header)


@pytest.mark.parametrize("expired", [True, False], ids=["expired", "ended"])
def test_a_hundred_requests_with_a_dead_token_cause_one_login(
    *, stores: Stores, job: Job, expired: bool
) -> None:
    release = Release(job.model, job.version)
    with client_of(stores, job) as api:
        expected = api.manifest(release)
        if expired:
            age_token(stores, api)
        else:
            end_tokens(stores)
        before = logins(stores)
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _number: api.manifest(release), range(100)))
        assert answers == [expected] * 100
        assert logins(stores) == before + 1


def test_a_password_that_changes_takes_effect_with_the_secret(stores: Stores, job: Job) -> None:
    release = Release(job.model, job.version)
    with client_of(stores, job) as api:
        expected = api.manifest(release)
        end_tokens(stores, password="another password of theirs")
        before = logins(stores)
        for said in ("correct its email and password", "when the Secret changes"):
            with pytest.raises(RefusedError, match=said):
                api.manifest(release)
        assert logins(stores) == before + 1

        mounted = job.secrets / "api-verifier" / "api-verifier-password"
        mounted.write_text("another password of theirs\n")
        assert api.manifest(release) == expected


def test_a_role_that_may_not_is_told_at_once(stores: Stores, job: Job) -> None:
    with client_of(stores, job) as api:
        before = logins(stores)
        with pytest.raises(RefusedError, match=r"^Forbidden.*Secret release-api-verifier.*write"):
            api.put_manifest(Release(job.model, "2.0.0"), b"{}")
        assert logins(stores) == before + 1
