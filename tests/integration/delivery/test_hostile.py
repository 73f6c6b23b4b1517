"""Servers that misbehave on purpose. Both clients get the same, over real TLS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.upload import PART_BYTES, Upload
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard_local.pki import CertPair, PrivateCA
from support import hostile
from support.hostile import Behaviour, Hostile

SECRET = "hunter2-correct-horse"  # what no message may hold
TOKEN = f"{SECRET}.b.c"
LOGIN = hostile.answer(200, f'{{"token": "{TOKEN}", "expiresAt": "2099-01-01T00:00:00Z"}}'.encode())
RETRY = Retry(attempts=2, first_pause_seconds=0.01)
RELEASE = Release("coins", "1.0.0")

PATIENT, SHORT = 60.0, 0.5  # seconds; only a server that never ends is waited for in vain


@pytest.fixture(scope="session")
def ca() -> PrivateCA:
    return PrivateCA.create()


@pytest.fixture(scope="session")
def pair(ca: PrivateCA) -> CertPair:
    return ca.issue(ips=["127.0.0.1"])


@pytest.fixture
def bundle(ca: PrivateCA, tmp_path: Path) -> CaBundle:
    (tmp_path / "ca.crt").write_bytes(ca.ca_pem)
    return CaBundle(tmp_path / "ca.crt", "ConfigMap stores-ca, key ca.crt,")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for purpose in (Purpose.API_VERIFIER, Purpose.CDN_READ, Purpose.CDN_WRITE):
        name, secret = SECRET_USES[purpose].keys
        (tmp_path / name).write_text("somebody@example.org")
        (tmp_path / secret).write_text(SECRET)
    return tmp_path


def log_in(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with api_client(url, secrets, bundle, seconds) as client:
        client.manifest(RELEASE)


def fetch(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with cdn_client(url, secrets, bundle, Purpose.CDN_READ, seconds) as client:
        client.read_into("sealyard/objects/a", 0, memoryview(bytearray(1000)), size=1000)


def store(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with cdn_client(url, secrets, bundle, Purpose.CDN_WRITE, seconds) as client:
        client.put("sealyard/objects/a", bytearray(100))


def store_in_parts(
    url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT
) -> None:
    with (
        cdn_client(url, secrets, bundle, Purpose.CDN_WRITE, seconds) as client,
        Upload(client, "sealyard/objects/a", PART_BYTES + 1) as upload,
    ):
        upload.write(0, bytes(PART_BYTES + 1))
        upload.finish()


def api_client(
    url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT
) -> ReleaseApi:
    return ReleaseApi(
        url,
        SecretFiles(Purpose.API_VERIFIER, secrets, "Secret login"),
        bundle=bundle,
        retry=RETRY,
        seconds=seconds,
        login_gap_seconds=0,
    )


def cdn_client(
    url: str, secrets: Path, bundle: CaBundle | None, purpose: Purpose, seconds: float
) -> Cdn:
    place = S3Place(url, "us-east-1", "models")
    files = SecretFiles(purpose, secrets, "Secret cdn")
    return Cdn(place, files, bundle=bundle, retry=RETRY, seconds=seconds)


Act = Callable[..., None]
ACTS = pytest.mark.parametrize("act", [log_in, fetch, store, store_in_parts])


@ACTS
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hostile.never, id="silent"),
        pytest.param(hostile.DRIPPED_HEADERS, id="headers-drip"),
        pytest.param(hostile.INFORMATIONAL, id="informational-drip"),
        pytest.param(hostile.DRIPPED_BODY, id="body-drips"),
    ],
)
def test_a_server_that_never_ends_is_left(
    *, act: Act, behaviour: Behaviour, pair: CertPair, secrets: Path, bundle: CaBundle
) -> None:
    with (
        Hostile(pair, behaviour) as server,
        pytest.raises(UnavailableError, match="gave no whole answer within") as caught,
    ):
        act(server.url, secrets, bundle, SHORT)
    assert server.url.removeprefix("https://") in str(caught.value)


@ACTS
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param(hostile.TRUNCATED, "broke off", id="truncated"),
        pytest.param(hostile.NO_HTTP, "no HTTP", id="no-http"),
        pytest.param(hostile.raw(b""), "broke off", id="hangs-up"),
        pytest.param(hostile.chunk_of(b"-1"), "no HTTP", id="chunk-without-end"),
        pytest.param(hostile.chunk_of(b"-2"), "no HTTP", id="chunk-of-negative-size"),
        pytest.param(hostile.chunk_of(b"one"), "no HTTP", id="chunk-of-no-size"),
        pytest.param(hostile.TEN_MEGABYTES, "more than the", id="10-MB"),
        pytest.param(hostile.ENDLESS, "more than the", id="endless"),
        pytest.param(
            hostile.answer(200, b"\x1f\x8b" + bytes(50), {"Content-Encoding": "gzip"}),
            "encoded",
            id="bomb",
        ),
        pytest.param(hostile.answer(500, SECRET.encode()), "", id="500"),
        pytest.param(hostile.answer(503, b"{}", {"Retry-After": "9999"}), "", id="503-patience"),
        pytest.param(hostile.answer(418, SECRET.encode()), "", id="418"),
    ],
)
def test_whatever_a_server_does_ends_as_unavailable(
    *,
    act: Act,
    behaviour: Behaviour,
    said: str,
    pair: CertPair,
    secrets: Path,
    bundle: CaBundle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.INFO),
        Hostile(pair, behaviour) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        act(server.url, secrets, bundle)
    assert said in str(caught.value)
    assert server.url.removeprefix("https://") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text


@ACTS
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("region", [{}, {"x-amz-bucket-region": "mars"}])
def test_a_redirect_is_not_followed(
    *,
    act: Act,
    status: int,
    region: dict[str, str],
    pair: CertPair,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    with Hostile(pair, hostile.answer(200)) as elsewhere:
        headers = {"Location": f"{elsewhere.url}/login", **region}
        with (
            Hostile(pair, hostile.answer(status, b"", headers)) as server,
            pytest.raises(UnavailableError),
        ):
            act(server.url, secrets, bundle)
        assert elsewhere.requests == []


@ACTS
@pytest.mark.parametrize(
    ("names", "not_after", "trusted", "said"),
    [
        pytest.param(["127.0.0.2"], None, True, "for another name", id="wrong-name"),
        pytest.param(["127.0.0.1"], None, False, "not signed by a CA", id="unknown-CA"),
        pytest.param(
            ["127.0.0.1"],
            datetime.now(UTC) - timedelta(hours=1),
            True,
            "has expired",
            id="expired",
        ),
    ],
)
def test_a_certificate_that_does_not_verify_is_refused(
    *,
    act: Act,
    names: list[str],
    not_after: datetime | None,
    trusted: bool,
    said: str,
    ca: PrivateCA,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    issuer = ca if trusted else PrivateCA.create()
    with (
        Hostile(issuer.issue(ips=names, not_after=not_after), LOGIN) as server,
        pytest.raises(UnavailableError, match=said) as caught,
    ):
        act(server.url, secrets, bundle)
    assert server.url.removeprefix("https://") in str(caught.value)
    assert server.requests == []


@ACTS
def test_without_a_bundle_the_private_ca_is_unknown(
    act: Act, pair: CertPair, secrets: Path
) -> None:
    with (
        Hostile(pair, LOGIN) as server,
        pytest.raises(UnavailableError, match="system's roots"),
    ):
        act(server.url, secrets, None)


@ACTS
def test_plain_http_and_secrets_in_urls_are_refused(
    act: Act, secrets: Path, bundle: CaBundle
) -> None:
    for url in (
        "http://127.0.0.1:1",
        f"https://user:{SECRET}@127.0.0.1:1",
        f"https://127.0.0.1:1/?key={SECRET}",
    ):
        with pytest.raises(InvalidError) as caught:
            act(url, secrets, bundle)
        assert SECRET not in str(caught.value)


@ACTS
def test_nobody_listening_is_unavailable(act: Act, secrets: Path, bundle: CaBundle) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        act("https://127.0.0.1:1", secrets, bundle)
    with pytest.raises(UnavailableError, match=r"nowhere\.invalid.*cannot be reached"):
        act("https://nowhere.invalid", secrets, bundle)


@ACTS
def test_the_environment_changes_nothing(
    act: Act,
    pair: CertPair,
    secrets: Path,
    bundle: CaBundle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(secrets / "api-verifier-password"))
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with Hostile(pair, hostile.answer(403)) as server, pytest.raises(RefusedError):
        act(server.url, secrets, bundle)
    assert server.requests


def test_a_missing_or_empty_bundle_is_named(secrets: Path, tmp_path: Path) -> None:
    gone = CaBundle(tmp_path / "gone", "ConfigMap stores-ca, key ca.crt,")
    empty = CaBundle(secrets / "api-verifier-password", "ConfigMap stores-ca, key ca.crt,")
    for wrong in (gone, empty):
        for act in (log_in, fetch):
            with pytest.raises(MissingError, match="ConfigMap stores-ca"):
                act("https://127.0.0.1:1", secrets, wrong)


# What only a release API can get wrong


@pytest.fixture
def after_login(pair: CertPair) -> Iterator[Callable[[Behaviour], Hostile]]:
    """A server that accepts the login and then does its worst."""
    servers: list[Hostile] = []

    def make(behaviour: Behaviour) -> Hostile:
        def behave(request: hostile.Request, server: Hostile, tls: object) -> None:
            chosen = LOGIN if request.path == "/login" else behaviour
            chosen(request, server, tls)  # type: ignore[arg-type]

        server = Hostile(pair, behave)
        servers.append(server)
        return server.__enter__()

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (hostile.answer(403), RefusedError, "^Forbidden"),
        (hostile.answer(401), RefusedError, "token that it has just given"),
        (hostile.TEN_MEGABYTES, UnavailableError, "more than the 262144 bytes"),
        (
            hostile.answer(404, b'{"error": "NotFound", "message": "hunter2-correct-horse"}'),
            MissingError,
            "there is none",
        ),
        (
            hostile.answer(404, b"<html>hunter2-correct-horse</html>"),
            UnavailableError,
            "release API",
        ),
        (hostile.answer(204), UnavailableError, "status 204"),
    ],
)
def test_answers_after_a_login(
    *,
    after_login: Callable[[Behaviour], Hostile],
    behaviour: Behaviour,
    error: type[SealyardError],
    said: str,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    server = after_login(behaviour)
    with pytest.raises(error, match=said) as caught:
        log_in(server.url, secrets, bundle)
    assert SECRET not in str(caught.value)
    assert [r.path for r in server.requests].count("/login") == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"rubbish", b"[]", b'{"token": "a b"}', b'{"token": "a.b.c"}', b"\xff\xfe", b"{" * 9000],
)
def test_a_login_that_answers_rubbish(
    pair: CertPair, body: bytes, secrets: Path, bundle: CaBundle
) -> None:
    with (
        Hostile(pair, hostile.answer(200, body)) as server,
        pytest.raises(UnavailableError, match="no LoginResponse"),
    ):
        log_in(server.url, secrets, bundle)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_names_secret_and_server(
    pair: CertPair, status: int, secrets: Path, bundle: CaBundle
) -> None:
    with Hostile(pair, hostile.answer(status, b"no")) as server:
        with pytest.raises(RefusedError, match="Secret login") as caught:
            log_in(server.url, secrets, bundle)
        assert server.url.removeprefix("https://") in str(caught.value)
        assert len(server.requests) == 1


def test_an_api_that_keeps_other_bytes_is_noticed(
    after_login: Callable[[Behaviour], Hostile], secrets: Path, bundle: CaBundle
) -> None:
    stored = b'{"sha256": "' + b"0" * 64 + b'", "sizeBytes": 5}'
    server = after_login(hostile.answer(200, stored))
    with (
        api_client(server.url, secrets, bundle) as client,
        pytest.raises(IntegrityError, match="other bytes"),
    ):
        client.put_manifest(RELEASE, b"bytes")


# What only a CDN can get wrong


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, b"x", "without saying which"),
        ({"Content-Range": "bytes 5-5/9"}, b"x", "another range"),
        ({"Content-Range": "bytes 0-99999999999/9"}, b"x", "another range"),
        ({"Content-Range": "bytes 0-8/9"}, b"x", "broke off"),
    ],
)
def test_a_range_must_be_the_one_that_was_asked_for(
    *,
    headers: dict[str, str],
    body: bytes,
    said: str,
    pair: CertPair,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    with (
        Hostile(pair, hostile.answer(206, body, headers)) as server,
        pytest.raises(UnavailableError, match=said),
    ):
        fetch(server.url, secrets, bundle)


@pytest.mark.parametrize(
    "body",
    [
        b"rubbish",
        b"<a/>",
        b"<InitiateMultipartUploadResult/>",
        b"<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    ],
)
def test_a_store_that_answers_an_upload_with_rubbish_is_unavailable(
    body: bytes, pair: CertPair, secrets: Path, bundle: CaBundle
) -> None:
    with Hostile(pair, hostile.answer(200, body)) as server, pytest.raises(UnavailableError):
        store_in_parts(server.url, secrets, bundle)


@pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
@pytest.mark.parametrize("region", ["", "<Region>mars</Region>"])
@pytest.mark.parametrize("act", [fetch, store, store_in_parts])
def test_a_store_that_names_another_region_is_not_followed(
    *, code: str, region: str, act: Act, pair: CertPair, secrets: Path, bundle: CaBundle
) -> None:
    body = f"<Error><Code>{code}</Code>{region}<Endpoint>127.0.0.1:1</Endpoint></Error>"
    with (
        Hostile(pair, hostile.answer(400, body.encode())) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        act(server.url, secrets, bundle)
    assert server.url.removeprefix("https://") in str(caught.value)
