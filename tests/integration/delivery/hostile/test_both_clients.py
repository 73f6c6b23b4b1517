"""Servers that misbehave on purpose. Both clients get the same, over real TLS."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealyard.delivery.tls import CaBundle
from sealyard.errors import InvalidError, MissingError, RefusedError, UnavailableError
from sealyard_local.pki import CertPair, PrivateCA
from support import hostile
from support.hostile import Behaviour, Hostile
from support.hostile_clients import LOGIN, SECRET, SHORT, Act, fetch, log_in, store, store_in_parts

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
