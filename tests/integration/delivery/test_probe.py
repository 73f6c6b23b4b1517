"""Every right that a login or credential has too much or too little is found out, by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealyard.api.answers import ProbeResult
from sealyard.api.probe import Check
from sealyard.api.secrets import Purpose
from sealyard.delivery.http import HttpClient
from sealyard.delivery.probe import probe
from sealyard.delivery.probe_object import CONTENT, ProbeObject
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import UnavailableError
from sealyard_local.pki import PrivateCA
from support import hostile, release_api
from support.hostile import Behaviour, Hostile
from support.probes import GENERATION, KEY, Probed, Rights, verdicts
from support.programs import BUCKET, PREFIX
from support.stores import Stores, running_stores

pytestmark = pytest.mark.stores

WRITE_RIGHT = "take s3:{} away from the credential in Secret cdn-write"
READ_RIGHT = "take s3:{} away from the credential in Secret cdn-read"
API = [check.value for check in Check if check.value.startswith(("api", "publisher", "verifier"))]
CDN = [check.value for check in Check if check.value.startswith("cdn")]


@pytest.fixture(scope="module")
def rights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rights]:
    with running_stores(tmp_path_factory.mktemp("stores")) as stores:
        yield Rights(stores)
        stores.assert_no_secret_in(stores.api.log_text())


@pytest.fixture
def probed(rights: Rights, tmp_path: Path) -> Probed:
    return Probed(rights.stores, tmp_path)


def test_everything_is_as_it_should_be_and_nothing_else_is_written(
    rights: Rights, probed: Probed
) -> None:
    before = rights.objects()
    for _ in range(2):
        ended = probed.run()
        assert ended.message == "13 of 13 checks passed"
        assert list(verdicts(ended, "Passed")) == list(Check)
        assert ended.result["generation"] == GENERATION
        assert ended.result["refusesOverwriting"] is True
    assert rights.objects() == {**before, KEY: CONTENT}
    with release_api.connect(rights.stores.api, release_api.VERIFIER) as client:
        assert client.get("/releases").json() == {"releases": []}


@pytest.mark.parametrize(
    ("write", "read", "wrong"),
    [
        ("put and get", "get", {Check.WRITE_NO_GET: WRITE_RIGHT.format("GetObject")}),
        ("put and list", "get", {Check.WRITE_NO_LIST: WRITE_RIGHT.format("ListBucket")}),
        ("put and delete", "get", {Check.WRITE_NO_DELETE: WRITE_RIGHT.format("DeleteObject")}),
        ("put", "get and put", {Check.READ_NO_PUT: READ_RIGHT.format("PutObject")}),
        ("put", "get and delete", {Check.READ_NO_DELETE: READ_RIGHT.format("DeleteObject")}),
        (
            "everything",
            "everything",
            {
                Check.WRITE_NO_GET: WRITE_RIGHT.format("GetObject"),
                Check.WRITE_NO_LIST: WRITE_RIGHT.format("ListBucket"),
                Check.WRITE_NO_DELETE: WRITE_RIGHT.format("DeleteObject"),
                Check.READ_NO_PUT: READ_RIGHT.format("PutObject"),
                Check.READ_NO_DELETE: READ_RIGHT.format("DeleteObject"),
            },
        ),
    ],
)
def test_a_right_too_many(
    rights: Rights, probed: Probed, write: str, read: str, wrong: dict[str, str]
) -> None:
    others = {key for key in rights.objects() if key != KEY}
    probed.mount(Purpose.CDN_WRITE, *rights[write])
    probed.mount(Purpose.CDN_READ, *rights[read])
    ended = probed.run()
    assert verdicts(ended, "Failed") == {
        check: f"it can, and must not; {advice}" for check, advice in wrong.items()
    }
    assert verdicts(ended, "Unknown") == {}
    assert {key for key in rights.objects() if key != KEY} == others


def test_swapped_keys(rights: Rights, probed: Probed) -> None:
    probed.run()
    probed.mount(Purpose.CDN_WRITE, *rights["get"])
    probed.mount(Purpose.CDN_READ, *rights["put"])
    ended = probed.run()
    wrong = verdicts(ended, "Failed")
    assert list(wrong) == [Check.WRITE_PUT, Check.WRITE_NO_GET, Check.READ_NO_PUT]
    assert wrong[Check.WRITE_PUT] == (
        "refused (AccessDenied, status 403); allow s3:PutObject to the credential in Secret "
        "cdn-write"
    )
    # A refusal of a credential that is refused everything proves nothing.
    assert verdicts(ended, "Unknown") == {
        Check.WRITE_NO_LIST: "refused, but cdn-write-put did not pass either",
        Check.WRITE_NO_DELETE: "refused, but cdn-write-put did not pass either",
        Check.READ_GET: "there may be nothing to get, because cdn-write-put failed",
        Check.READ_NO_DELETE: "refused, but cdn-read-get did not pass either",
    }
    assert "refusesOverwriting" not in ended.result


@pytest.mark.parametrize("purpose", [Purpose.CDN_WRITE, Purpose.CDN_READ])
def test_a_credential_that_the_store_does_not_know(probed: Probed, purpose: Purpose) -> None:
    probed.mount(purpose, "NOBODY", "nobody-knows-this-one")
    ended = probed.run()
    own = {Purpose.CDN_WRITE: Check.WRITE_PUT, Purpose.CDN_READ: Check.READ_GET}[purpose]
    assert verdicts(ended, "Failed") == {
        own: f"refused (InvalidAccessKeyId, status 403); correct the keys in Secret {purpose}"
    }
    assert len(verdicts(ended, "Passed")) > 6


def test_logins_that_are_refused(rights: Rights, probed: Probed) -> None:
    probed.mount(Purpose.API_PUBLISHER, release_api.PUBLISHER, "not the password")
    probed.mount(Purpose.API_VERIFIER, "nobody@example.org", release_api.PASSWORD)
    ended = probed.run()
    name = f"release API 127.0.0.1:{rights.stores.api.port}"
    assert verdicts(ended, "Failed") == {
        f"{who}-login": (
            f"{name} refused the login in Secret release-api-{who}; correct its email and password"
        )
        for who in ("publisher", "verifier")
    }
    assert list(verdicts(ended, "Unknown")) == [Check.PUBLISHER_ROLE, Check.VERIFIER_ROLE]
    assert set(verdicts(ended, "Passed")) == {Check.API_TLS, *CDN}


def test_logins_of_the_other_role(probed: Probed) -> None:
    probed.mount(Purpose.API_PUBLISHER, release_api.VERIFIER, release_api.PASSWORD)
    probed.mount(Purpose.API_VERIFIER, release_api.PUBLISHER, release_api.PASSWORD)
    ended = probed.run()
    assert verdicts(ended, "Failed") == {
        Check.PUBLISHER_ROLE: (
            "it may read small parts; give the account in Secret release-api-publisher the role "
            "Publisher alone"
        ),
        Check.VERIFIER_ROLE: (
            "it may write small parts; give the account in Secret release-api-verifier the role "
            "Verifier alone"
        ),
    }
    assert len(verdicts(ended, "Passed")) == 11


def test_a_secret_that_is_no_single_line(probed: Probed) -> None:
    probed.mount(Purpose.API_PUBLISHER, release_api.PUBLISHER, "two\nlines")
    probed.mount(Purpose.CDN_WRITE, "KEY", "two\nlines")
    wrong = verdicts(probed.run(), "Failed")
    assert wrong == {
        Check.PUBLISHER_LOGIN: (
            "Secret release-api-publisher, key api-publisher-password: must be one line of UTF-8 "
            "text"
        ),
        Check.WRITE_PUT: (
            "Secret cdn-write, key cdn-write-secret-access-key: must be one line of UTF-8 text"
        ),
    }


def test_everything_that_is_missing_is_named_at_once(probed: Probed) -> None:
    secrets = probed.courier.secrets
    (secrets / "api-verifier" / "api-verifier-password").unlink()
    for key in (secrets / "cdn-read").iterdir():
        key.unlink()
    ended = probed.run()
    assert ended.code == 66
    assert ended.message == (
        "Secret release-api-verifier has no key api-verifier-password; add it; "
        "Secret cdn-read has no key cdn-read-access-key-id; add it"
    )


def test_a_ca_bundle_that_is_missing(probed: Probed) -> None:
    (probed.courier.folder / "ca/cdn/ca.crt").unlink()
    ended = probed.run()
    assert ended.code == 66
    assert "ConfigMap stores-ca, key ca.crt, is missing" in ended.message


@pytest.mark.parametrize(
    ("store", "tls", "others"), [("api", Check.API_TLS, API), ("cdn", Check.CDN_TLS, CDN)]
)
def test_a_ca_that_signed_something_else(
    probed: Probed, store: str, tls: Check, others: list[str]
) -> None:
    probed.trust(store, PrivateCA.create().ca_pem)
    ended = probed.run()
    wrong = verdicts(ended, "Failed")
    assert list(wrong) == [tls]
    assert "not signed by a CA in ConfigMap stores-ca" in wrong[tls]
    unknown = verdicts(ended, "Unknown")
    assert list(unknown) == [check for check in others if check != tls]
    assert set(unknown.values()) == {f"not tried, because {tls} failed"}


def test_a_certificate_that_has_expired(probed: Probed) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    pair = probed.stores.ca.issue(
        ips=["127.0.0.1"], not_before=past, not_after=past + timedelta(days=1)
    )
    with Hostile(pair, hostile.answer(200)) as server:
        task = probed.task()
        there = {"endpoint": server.url}
        ended = probed.run(
            probed.task(
                writer=task.writer.model_copy(update=there),
                reader=task.reader.model_copy(update=there),
            )
        )
    wrong = verdicts(ended, "Failed")
    assert list(wrong) == [Check.CDN_TLS]
    assert "has expired; renew it" in wrong[Check.CDN_TLS]


def test_no_such_bucket(probed: Probed) -> None:
    task = probed.task()
    there = {"bucket": "another"}
    ended = probed.run(
        probed.task(
            writer=task.writer.model_copy(update=there),
            reader=task.reader.model_copy(update=there),
        )
    )
    assert Check.WRITE_PUT in verdicts(ended, "Failed")


@pytest.mark.parametrize("down", ["api", "cdn"])
def test_a_store_that_is_down_is_no_verdict(own_stores: Stores, tmp_path: Path, down: str) -> None:
    probed = Probed(own_stores, tmp_path / "job")
    if down == "api":
        own_stores.api.stop()
    else:
        own_stores.cdn.stop()
    ended = probed.run()
    assert ended.code == 69
    assert ended.message.endswith(": cannot be reached (Connection refused)")
    assert ended.message.count("cannot be reached") == 1

    # Where something is wrong for certain, that is told, and what is unknown beside it.
    if down == "api":
        probed.trust("cdn", PrivateCA.create().ca_pem)
        assert list(verdicts(probed.run(), "Failed")) == [Check.CDN_TLS]
        own_stores.api.start()
    else:
        probed.mount(Purpose.API_VERIFIER, release_api.VERIFIER, "not the password")
        ended = probed.run()
        assert list(verdicts(ended, "Failed")) == [Check.VERIFIER_LOGIN]
        assert list(verdicts(ended, "Unknown")) == [Check.VERIFIER_ROLE, *CDN]


class Attacked:
    """A probe in this process, with short bounds, of stores of which one misbehaves."""

    def __init__(self, probed: Probed) -> None:
        self._stores = probed.stores
        self._secrets = probed.courier.secrets
        self._bundle = CaBundle(probed.stores.api.ca_path, "ConfigMap stores-ca, key ca.crt,")

    def probe(
        self, *, api: str | None = None, cdn: str | None = None, seconds: float = 30.0
    ) -> ProbeResult:
        retry = Retry(attempts=1)
        endpoint = cdn or self._stores.cdn.endpoint
        with HttpClient("CDN", endpoint, bundle=self._bundle) as http:
            place = S3Place(endpoint, "us-east-1", BUCKET)
            publisher, verifier = (
                ReleaseApi(
                    api or self._stores.api.url,
                    self._files(purpose),
                    bundle=self._bundle,
                    retry=retry,
                    seconds=seconds,
                    login_gap_seconds=0,
                )
                for purpose in (Purpose.API_PUBLISHER, Purpose.API_VERIFIER)
            )
            writer, reader = (
                ProbeObject(http, place, PREFIX, self._files(purpose), retry=retry, seconds=seconds)
                for purpose in (Purpose.CDN_WRITE, Purpose.CDN_READ)
            )
            with publisher, verifier:
                return probe(
                    GENERATION,
                    publisher=publisher,
                    verifier=verifier,
                    writer=writer,
                    reader=reader,
                )

    def _files(self, purpose: Purpose) -> SecretFiles:
        return SecretFiles.mounted(purpose, self._secrets, purpose.value)


@pytest.fixture
def attacked(probed: Probed) -> Attacked:
    return Attacked(probed)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hostile.never, id="silent"),
        pytest.param(hostile.DRIPPED_HEADERS, id="headers-drip"),
        pytest.param(hostile.DRIPPED_BODY, id="body-drips"),
        pytest.param(hostile.TRUNCATED, id="truncated"),
        pytest.param(hostile.NO_HTTP, id="no-http"),
        pytest.param(hostile.TEN_MEGABYTES, id="long"),
        pytest.param(hostile.ENDLESS, id="endless"),
        pytest.param(hostile.answer(500, b"{}"), id="fails"),
        pytest.param(hostile.answer(418, b"{}"), id="no-release-api-and-no-s3"),
        pytest.param(hostile.answer(302, headers={"Location": "https://x/"}), id="redirects"),
        pytest.param(hostile.answer(429, headers={"Retry-After": "3600"}), id="too-many"),
    ],
)
@pytest.mark.parametrize("store", ["api", "cdn"])
def test_what_is_no_answer_is_no_verdict_and_is_asked_once(
    rights: Rights, attacked: Attacked, store: str, behaviour: Behaviour
) -> None:
    waits = {hostile.never, hostile.DRIPPED_HEADERS, hostile.DRIPPED_BODY}
    seconds = 1.0 if behaviour in waits else 60.0
    with Hostile(rights.stores.ca.issue(ips=["127.0.0.1"]), behaviour) as server:
        urls = {store: server.url}
        with pytest.raises(UnavailableError) as caught:
            attacked.probe(api=urls.get("api"), cdn=urls.get("cdn"), seconds=seconds)
    assert server.url.removeprefix("https://") in str(caught.value)
    assert len(server.requests) == 1


def test_a_store_that_lets_everything_happen(rights: Rights, attacked: Attacked) -> None:
    with Hostile(rights.stores.ca.issue(ips=["127.0.0.1"]), hostile.answer(200)) as server:
        result = attacked.probe(cdn=server.url)
    wrong = {check.name for check in result.checks if check.result == "Failed"}
    assert wrong == {name for name in CDN if name not in {Check.CDN_TLS, Check.WRITE_PUT}}
    assert result.refuses_overwriting is None
    paths = {(request.method, request.path.partition("?")[0]) for request in server.requests}
    thing = f"/{BUCKET}/{KEY}"
    assert paths == {("PUT", thing), ("GET", thing), ("DELETE", thing), ("GET", f"/{BUCKET}")}
    listed = next(r.path for r in server.requests if r.path.partition("?")[0] == f"/{BUCKET}")
    assert f"prefix={PREFIX}%2F" in listed


def test_an_api_that_lets_everybody_in(rights: Rights, attacked: Attacked) -> None:
    """It hands out tokens, and says to everything that the name is wrong."""
    token = json.dumps({"token": "a.b.c", "expiresAt": "2099-01-01T00:00:00Z"}).encode()
    wrong_name = json.dumps({"error": "InvalidName", "message": "no"}).encode()

    def behave(request: hostile.Request, server: Hostile, tls: object) -> None:
        said = (200, token) if request.path == "/login" else (400, wrong_name)
        hostile.answer(*said)(request, server, tls)  # type: ignore[arg-type]

    with Hostile(rights.stores.ca.issue(ips=["127.0.0.1"]), behave) as server:
        result = attacked.probe(api=server.url)
    wrong = {check.name for check in result.checks if check.result == "Failed"}
    assert wrong == {Check.PUBLISHER_ROLE, Check.VERIFIER_ROLE}
    # What is asked names no model that there can be, and carries nothing.
    asked = [request for request in server.requests if request.path != "/login"]
    assert {request.path for request in asked} == {"/releases/-/0.0.0/variants/-/small"}
    assert {request.body for request in asked} == {b""}
