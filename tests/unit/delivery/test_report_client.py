"""The client of the progress endpoint against a real TLS server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.api.progress import PROGRESS_PATH, ProgressReport
from sealyard.api.tasks import Owner, ProgressEndpoint
from sealyard.delivery.report_client import ReportClient
from sealyard_local.pki import PrivateCA
from sealyard_trainer.progress_client import start_progress
from support.progress_server import Received, progress_server

OWNER = Owner(namespace="default", name="coins", uid="uid-1")


def report(epoch: int) -> ProgressReport:
    return ProgressReport(run=OWNER, epoch=epoch, epochs=10, fraction=epoch / 10)


def client_of(
    endpoint: ProgressEndpoint, token: Path, **more: float
) -> ReportClient[ProgressReport]:
    return ReportClient(endpoint, PROGRESS_PATH, token, goes_on="training goes on", **more)


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Received]:
    with progress_server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


def test_a_report_arrives_with_the_token_of_the_moment(received: Received, token: Path) -> None:
    client = client_of(received.endpoint, token)
    client.report(report(1), urgent=True)
    received.wait_for(1)
    token.write_text("second\n")
    client.report(report(2), urgent=True)
    assert received.wait_for(2) == [report(1), report(2)]
    assert received.tokens == ["Bearer first", "Bearer second"]
    client.close()


def test_what_is_not_urgent_waits_and_the_newest_wins(received: Received, token: Path) -> None:
    client = client_of(received.endpoint, token, interval=3600)
    client.report(report(1), urgent=True)
    received.wait_for(1)
    for epoch in (2, 3, 4):
        client.report(report(epoch))
    client.close()
    assert received.wait_for(2) == [report(1), report(4)]


def test_reports_come_again_after_the_interval(received: Received, token: Path) -> None:
    client = client_of(received.endpoint, token, interval=0.01)
    for epoch in (1, 2, 3):
        client.report(report(epoch))
        received.wait_for(epoch)
    client.close()


def test_a_refusal_is_logged_once_and_forgotten(
    received: Received, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    received.statuses += [403, 500, 204]
    client = client_of(received.endpoint, token, interval=0.01)
    with caplog.at_level(logging.WARNING):
        for epoch in (1, 2, 3):
            client.report(report(epoch), urgent=True)
            received.wait_for(epoch)
        client.close()
    assert [record.message for record in caplog.records] == [
        "reports cannot be delivered (status 403); training goes on without"
    ]


def test_no_redirect_is_followed(
    received: Received, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    received.statuses.append(307)
    client = client_of(received.endpoint, token)
    client.report(report(1), urgent=True)
    received.wait_for(1)
    client.close()
    assert "status 307" in caplog.text


def test_a_server_of_another_authority_learns_nothing(
    received: Received, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = PrivateCA.create("Stranger").ca_pem.decode()
    client = client_of(received.endpoint.model_copy(update={"ca": stranger}), token)
    client.report(report(1), urgent=True)
    client.close()
    assert received.reports == []
    assert "ConnectError" in caplog.text
    assert "first" not in caplog.text


def test_no_proxy_of_the_environment_is_used(
    received: Received, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client = client_of(received.endpoint, token)
    client.report(report(1), urgent=True)
    received.wait_for(1)
    client.close()


def test_a_token_that_is_missing_stops_nothing(
    received: Received, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(received.endpoint, tmp_path / "nowhere")
    client.report(report(1), urgent=True)
    client.close()
    assert "FileNotFoundError" in caplog.text
    assert received.reports == []


def test_closing_without_a_report_is_at_once(received: Received, token: Path) -> None:
    client_of(received.endpoint, token).close()
    assert received.reports == []


def test_a_ca_that_is_none_gives_no_client(
    received: Received, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert start_progress(None, token) is None
    endpoint = received.endpoint.model_copy(update={"ca": "not PEM"})
    assert start_progress(endpoint, token) is None
    assert "the CA of the progress endpoint cannot be used" in caplog.text
