"""Accounts of the database: made by the command, seen by the running server at once."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sealyard.api.release_api import UserPage, user_state_path
from sealyard_release_api.main import main
from support.release_api import PASSWORD, PUBLISHER, VERIFIER, ReleaseApi, connect, log_in

pytestmark = pytest.mark.stores

OTHER_PASSWORD = "another password of theirs"
Run = Callable[..., str]
Email = str


@pytest.fixture
def run(
    api: ReleaseApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`sealyard-release-api user` beside the running server: its output, or its complaint."""
    flags = [flag for flag in api.arguments if flag.startswith(("--data-dir", "--database-"))]
    flags.append(f"--secrets-dir={api.secrets_dir}")

    def call(*arguments: str, stdin: str = "", code: int = 0) -> str:
        class Stdin:
            buffer = io.BytesIO(stdin.encode())

        monkeypatch.setattr(sys, "stdin", Stdin)
        assert main(["user", arguments[0], *flags, *arguments[1:]]) == code
        captured = capsys.readouterr()
        assert PASSWORD not in captured.out + captured.err
        assert "$argon2" not in captured.out + captured.err
        return captured.err if code else captured.out

    return call


@pytest.fixture
def email(request: pytest.FixtureRequest) -> Email:
    """An account that no other test has."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return f"{name[-60:].strip('-')}@example.org"


def add(run: Run, email: Email, *arguments: str) -> None:
    arguments = arguments or ("--role=Verifier", "--model=*")
    run("add", email, *arguments, stdin=PASSWORD + "\n")


def login(client: httpx.Client, email: Email, password: str = PASSWORD) -> int:
    return client.post("/login", json={"email": email, "password": password}).status_code


def status(client: httpx.Client, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return client.get("/releases", headers=headers).status_code


def test_a_new_account_logs_in_without_a_restart(
    api: ReleaseApi, anonymous: httpx.Client, run: Run, email: Email
) -> None:
    assert login(anonymous, email) == 401
    add(run, email.upper(), "--role=Publisher", "--model=coins*", "--model=screws")
    with connect(api, email) as client:
        assert client.get("/releases").status_code == 200
        assert client.get("/users").status_code == 403
    assert f"{email}\tPublisher\tcoins*,screws\tdatabase\tenabled\n" in run("list")


def test_a_password_from_a_file(
    anonymous: httpx.Client, run: Run, email: Email, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    flag = f"--password-file={tmp_path / 'password'}"
    run("add", email, "--role=Verifier", "--model=*", flag)
    assert login(anonymous, email) == 200


Change = Callable[[Run, Email], Any]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda run, email: run("passwd", email, stdin=OTHER_PASSWORD), id="passwd"),
        pytest.param(lambda run, email: run("passwd", email, stdin=PASSWORD), id="same-passwd"),
        pytest.param(lambda run, email: run("set", email, "--role=Publisher"), id="role"),
        pytest.param(lambda run, email: run("set", email, "--model=coins"), id="models"),
        pytest.param(lambda run, email: run("disable", email), id="disable"),
        pytest.param(
            lambda run, email: (run("disable", email), run("enable", email)), id="and-enable"
        ),
    ],
)
def test_a_change_ends_the_tokens_at_once(
    anonymous: httpx.Client, run: Run, email: Email, change: Change
) -> None:
    add(run, email)
    token = log_in(anonymous, email)
    assert status(anonymous, token) == 200
    change(run, email)
    assert status(anonymous, token) == 401


def test_a_new_password_stands_in_for_the_old(
    anonymous: httpx.Client, run: Run, email: Email
) -> None:
    add(run, email)
    run("passwd", email, stdin=OTHER_PASSWORD)
    assert login(anonymous, email) == 401
    assert login(anonymous, email, OTHER_PASSWORD) == 200


def test_disabled_is_told_nobody_and_lasts(
    api: ReleaseApi, anonymous: httpx.Client, run: Run, email: Email
) -> None:
    add(run, email)
    run("disable", email)
    assert login(anonymous, email) == 401
    assert f"{email}\tVerifier\t*\tdatabase\tdisabled\n" in run("list")
    run("disable", email)  # is so already
    run("passwd", email, stdin=OTHER_PASSWORD)
    assert login(anonymous, email, OTHER_PASSWORD) == 401
    run("enable", email)
    assert login(anonymous, email, OTHER_PASSWORD) == 200


def test_the_secret_owns_what_it_names_and_can_only_be_shut_out(
    anonymous: httpx.Client, run: Run
) -> None:
    owned = "is from users.json; change it in the Secret"
    assert owned in run("passwd", VERIFIER, stdin=OTHER_PASSWORD, code=64)
    assert owned in run("set", VERIFIER, "--role=Publisher", code=64)
    said = run("add", VERIFIER, "--role=Admin", stdin=OTHER_PASSWORD, code=64)
    assert "exists already" in said
    token = log_in(anonymous, VERIFIER)
    try:
        run("disable", VERIFIER)
        assert status(anonymous, token) == 401
        assert login(anonymous, VERIFIER) == 401
        assert f"{VERIFIER}\tVerifier\t*\tsecret\tdisabled\n" in run("list")
    finally:
        run("enable", VERIFIER)
    assert login(anonymous, VERIFIER) == 200
    assert status(anonymous, token) == 401


def test_an_account_that_the_secret_takes_over_is_the_secrets(
    api: ReleaseApi, run: Run, email: Email, tmp_path: Path
) -> None:
    add(run, email)
    # Not the running server's own, which it reads again whenever that changes.
    secret = Path(shutil.copytree(api.secrets_dir, tmp_path / "secret"))
    before = (secret / "users.json").read_text()
    (secret / "users.json").write_text(before.replace(PUBLISHER, email))
    taken_over = f"--secrets-dir={secret}"
    assert f"{email}\tPublisher\t*\tsecret\tenabled\n" in run("list", taken_over)
    said = run("passwd", email, taken_over, stdin=PASSWORD, code=64)
    assert "is from users.json" in said
    assert f"{email}\tVerifier\t*\tdatabase\tenabled\n" in run("list")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (("passwd", "nobody@example.org"), PASSWORD, 66, "'nobody@example.org': there is none"),
        (("disable", "nobody@example.org"), "", 66, "there is none"),
        (("enable", "no\0body"), "", 66, "there is none"),
        (("set", "nobody@example.org"), "", 64, "--role or --model must be given"),
        (("set", "nobody@example.org", "--role=Admin"), "", 66, "there is none"),
        (("add", "new@example.org", "--role=Root"), PASSWORD, 64, "Admin, Publisher, Verifier"),
        (("add", "new@example.org", "--role=Verifier"), PASSWORD, 64, "models: must name"),
        (("add", "nobody", "--role=Admin"), PASSWORD, 64, "must be an email address"),
        (("add", "new@example.org", "--role=Admin"), "short", 64, "12 to 1024 characters"),
        (("add", "new@example.org"), PASSWORD, 64, "required: --role"),
        (
            ("add", "new@example.org", "--role=Admin", "--password-file=/nowhere"),
            "",
            66,
            "--password-file: /nowhere: No such file",
        ),
    ],
)
def test_a_wrong_command(
    run: Run, arguments: tuple[str, ...], stdin: str, code: int, says: str
) -> None:
    said = run(*arguments, stdin=stdin, code=code)
    assert says in said
    assert said.count("\n") == 1


def test_an_admin_sees_all_accounts_and_no_secret(admin: httpx.Client, run: Run) -> None:
    for name in ("b", "a"):
        add(run, f"{name}-listed@example.org")
    seen = []
    after: dict[str, str] = {}
    while True:
        got = admin.get("/users", params={"limit": 3, **after})
        assert "argon2" not in got.text
        page = UserPage.model_validate_json(got.content)
        assert len(page.users) <= 3
        seen += [user.email for user in page.users]
        if page.next is None:
            break
        after = {"after": page.next}
    assert seen == sorted(seen)
    assert {PUBLISHER, VERIFIER, "a-listed@example.org", "b-listed@example.org"} <= set(seen)
    assert [line.split("\t")[0] for line in run("list").splitlines()] == seen


def test_an_admin_shuts_an_account_out(
    anonymous: httpx.Client, admin: httpx.Client, run: Run, email: Email
) -> None:
    add(run, email)
    token = log_in(anonymous, email)
    for disabled, after in ((True, 401), (True, 401), (False, 401)):
        got = admin.put(user_state_path(email), json={"disabled": disabled})
        assert got.status_code == 200
        assert got.json() == {
            "email": email,
            "role": "Verifier",
            "models": ["*"],
            "origin": "database",
            "disabled": disabled,
        }
        assert status(anonymous, token) == after
    assert login(anonymous, email) == 200


@pytest.mark.parametrize(
    ("email", "body", "expected"),
    [
        ("nobody@example.org", b'{"disabled": true}', (404, "NotFound")),
        ("a%00b", b'{"disabled": true}', (404, "NotFound")),
        (VERIFIER, b"{}", (400, "InvalidRequest")),
        (VERIFIER, b'{"disabled": "perhaps"}', (400, "InvalidRequest")),
        (VERIFIER, b"[" * 250, (400, "InvalidRequest")),
        (VERIFIER, b" " * 257, (413, "TooLarge")),
    ],
)
def test_a_state_that_cannot_be(
    admin: httpx.Client, email: str, body: bytes, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    got = admin.put(user_state_path(email), content=body, headers=headers)
    assert (got.status_code, got.json()["error"]) == expected
