from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sealyard.api.release_api import LoginResponse
from sealyard.api.secrets import Purpose
from sealyard.delivery.login import Login
from sealyard.delivery.secrets import Pair, SecretFiles
from sealyard.errors import MissingError, RefusedError, UnavailableError

SERVER = "release API example:443"


class Account:
    """A server's side of logins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logins = 0
        self.failure: Exception | None = None
        self.slept: list[float] = []
        self.write("a@example.org", "right")

    def write(self, email: str, password: str) -> None:
        (self.folder / "api-publisher-email").write_text(email)
        (self.folder / "api-publisher-password").write_text(password)

    def log_in(self, pair: Pair) -> LoginResponse:
        self.logins += 1
        if self.failure is not None:
            raise self.failure
        if pair.secret != "right":
            raise RefusedError("wrong")
        return LoginResponse(token=f"a.b.{self.logins}", expires_at="2026-01-01T00:00:00Z")

    def login(self) -> Login:
        files = SecretFiles(Purpose.API_PUBLISHER, self.folder, "Secret login")
        return Login(
            lambda: self.log_in(files.pair()),
            lambda: files.pair().fingerprint(),
            source=files.source,
            server=SERVER,
            gap_seconds=10,
            sleep=self.slept.append,
        )


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


def test_nobody_logs_in_before_a_token_is_needed(account: Account) -> None:
    login = account.login()
    assert account.logins == 0
    assert login.token().text == "a.b.1"
    assert login.token().text == "a.b.1"
    assert account.logins == 1


def test_a_token_of_another_thread_serves_instead_of_a_login(account: Account) -> None:
    login = account.login()
    old = login.token()

    first, second = login.newer(old), login.newer(old)

    assert account.logins == 2
    assert first == second
    assert second.fresh


def test_a_hundred_refused_requests_cause_one_login(account: Account) -> None:
    login = account.login()
    old = login.token()
    gate = threading.Barrier(100)
    tokens: list[str] = []

    def refused() -> None:
        gate.wait()
        tokens.append(login.newer(old).text)

    threads = [threading.Thread(target=refused) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tokens == ["a.b.2"] * 100
    assert account.logins == 2


def test_logins_keep_their_distance(account: Account) -> None:
    login = account.login()
    login.newer(login.token())

    (pause,) = account.slept
    assert 9 < pause <= 15


def test_refused_credentials_are_not_tried_again_until_they_change(account: Account) -> None:
    account.write("a@example.org", "wrong")
    login = account.login()
    for expected in ("wrong", "when the Secret changes"):
        with pytest.raises(RefusedError, match=expected):
            login.token()
    assert account.logins == 1

    account.write("a@example.org", "right")
    assert login.token().text == "a.b.2"


def test_a_server_that_fails_is_no_refusal(account: Account) -> None:
    account.failure = UnavailableError("down")
    login = account.login()
    with pytest.raises(UnavailableError):
        login.token()

    account.failure = None
    assert login.token().text == "a.b.2"


def test_a_missing_key_is_named(account: Account) -> None:
    (account.folder / "api-publisher-password").unlink()
    with pytest.raises(MissingError, match="Secret login has no key api-publisher-password"):
        account.login().token()


def test_a_token_stands_in_no_repr(account: Account) -> None:
    assert "a.b.1" not in repr(account.login().token())
