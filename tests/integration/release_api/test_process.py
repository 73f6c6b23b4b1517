"""The process: starting, stopping, being killed, reloading, and what it logs."""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from sealyard.api.release_api import manifest_path, small_path
from sealyard_local.pki import PrivateCA
from sealyard_release_api.accounts import Accounts, User
from sealyard_release_api.roles import Role
from sealyard_release_api.tokens import KeySet
from support.release_api import (
    PASSWORD,
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    default_users,
    log_in,
    prepare,
    release_api_server,
    user,
)
from support.releases import sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
PROGRAM = [sys.executable, "-m", "sealyard_release_api.main"]


def command(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *arguments], input=stdin, capture_output=True, timeout=60, check=False
    )


def test_a_token_is_good_after_a_restart(tmp_path: Path) -> None:
    with release_api_server(tmp_path) as api:
        with connect(api) as client:
            token = log_in(client, VERIFIER)
        assert api.stop() == 0
        api.start()
        with connect(api) as client:
            got = client.get("/releases", headers={"Authorization": f"Bearer {token}"})
        assert got.status_code == 200


@pytest.mark.parametrize("name", ["users.json", "jwt-keys.json", "tls.crt", "tls.key"])
def test_a_missing_key_of_the_secret_is_named(tmp_path: Path, name: str) -> None:
    api = prepare(tmp_path / "api")
    (api.secrets_dir / name).unlink()
    done = command("serve", f"--data-dir={api.data_dir}", f"--secrets-dir={api.secrets_dir}")
    assert done.returncode == 66
    assert done.stderr.decode().startswith(
        f"sealyard-release-api: {api.secrets_dir / name}: No such file"
    )
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ([], 64, "required: command"),
        (["serve", "--port=x"], 64, "--port: 'x' must be a whole number"),
        (["serve", "--nonsense"], 64, "unrecognized arguments"),
        (["hash-password"], 64, "12 to 1024 characters"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], exit_code: int, says: str) -> None:
    done = command(*arguments)
    assert done.returncode == exit_code
    assert says in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with release_api_server(tmp_path) as api:
        other = tmp_path / "other"
        done = command(
            "serve",
            "--host=127.0.0.1",
            f"--port={api.port}",
            f"--data-dir={other}",
            f"--secrets-dir={api.secrets_dir}",
        )
    assert done.returncode == 69
    assert f"cannot listen on 127.0.0.1 port {api.port}" in done.stderr.decode()


def test_what_the_commands_print_is_what_the_server_reads() -> None:
    hashed = command("hash-password", stdin=PASSWORD.encode() + b"\n")
    entry = {
        "email": VERIFIER,
        "role": "Verifier",
        "models": ["*"],
        "passwordHash": hashed.stdout.decode().strip(),
    }
    accounts = Accounts.parse(json.dumps({"users": [entry]}).encode())
    assert accounts.proves(accounts.users[VERIFIER], PASSWORD)
    text = command("new-keys", "--issuer=me", "--audience=you").stdout
    keys = KeySet.parse(text)
    assert command("public-keys", stdin=text).stdout.decode() == keys.public_set()
    assert (keys.issuer, keys.audience) == ("me", "you")


@pytest.mark.parametrize(
    "entry",
    [
        user(VERIFIER, Role.VERIFIER, password="another password"),
        user(VERIFIER, Role.PUBLISHER),
        user(VERIFIER, Role.VERIFIER, models=["coins"]),
        user("other@example.org", Role.VERIFIER),
    ],
    ids=["password", "role", "models", "gone"],
)
def test_a_change_of_the_account_ends_its_tokens(tmp_path: Path, entry: User) -> None:
    with (
        release_api_server(tmp_path, arguments=["--reload-seconds=1"]) as api,
        connect(api, PUBLISHER) as publisher,
        connect(api, VERIFIER) as verifier,
    ):
        assert verifier.get("/releases").status_code == 200
        api.write_users([default_users()[0], entry])
        api.wait_for_line(lambda line: line.get("event") == "secret-reloaded")
        refused = verifier.get("/releases")
        assert (refused.status_code, refused.json()["error"]) == (401, "TokenRefused")
        assert publisher.get("/releases").status_code == 200


def test_a_broken_change_is_not_used(tmp_path: Path) -> None:
    with release_api_server(tmp_path, arguments=["--reload-seconds=1"]) as api:
        (api.secrets_dir / "users.json").write_text("{")
        line = api.wait_for_line(lambda line: line.get("level") == "error")
        assert "users.json: is not JSON" in line["message"]
        with connect(api, VERIFIER) as client:
            assert client.get("/releases").status_code == 200


def served_certificate(api: ReleaseApi, ca: PrivateCA, *, name: str | None) -> bytes:
    context = ssl.create_default_context(cadata=ca.ca_pem.decode())
    context.check_hostname = name is not None
    with (
        socket.create_connection(("127.0.0.1", api.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    arguments = ["--reload-seconds=1", "--peer-seconds=600"]
    with release_api_server(tmp_path, arguments=arguments) as api:
        with connect(api, VERIFIER, kept_seconds=500) as client:
            assert client.get("/healthz").status_code == 200
            new_ca = PrivateCA.create("the next one")
            pair = new_ca.issue(dns_names=["localhost"], ips=["127.0.0.1"])
            pair.write(api.secrets_dir)
            api.wait_for_line(lambda line: line.get("event") == "secret-reloaded")
            wanted = ssl.PEM_cert_to_DER_cert(pair.cert_pem.decode())
            assert served_certificate(api, new_ca, name="localhost") == wanted
            assert served_certificate(api, new_ca, name=None) == wanted
            assert client.get("/healthz").status_code == 200  # the connection there is goes on
        with connect(api) as client, pytest.raises(httpx.ConnectError, match="verify failed"):
            client.get("/healthz")


def test_the_audit_trail_says_who_did_what_and_no_secret(tmp_path: Path) -> None:
    release = sample()
    with release_api_server(tmp_path) as api:
        with connect(api) as client:
            client.post("/login", json={"email": VERIFIER, "password": "wrong-wrong-wrong"})
            client.post("/login", json={"email": "typed-by-mistake", "password": "x"})
            token = log_in(client, PUBLISHER)
            client.headers["Authorization"] = f"Bearer {token}"
            for name, small in release.smalls.items():
                client.put(small_path("coins", "1.0.0", name), content=small, headers=OCTETS)
            client.put(manifest_path("coins", "1.0.0"), content=release.raw, headers=JSON)
            client.get(small_path("coins", "1.0.0", "onnx-fp32"))
            client.get("/nothing")
        with connect(api, VERIFIER) as client:
            client.get(small_path("coins", "1.0.0", "onnx-fp32"))
        api.stop()
        text, lines = api.log_text(), api.log_lines()
    trail = [
        (line["event"], line.get("who"), line["status"], line.get("reason"))
        for line in lines
        if line["logger"].endswith(".audit")
    ]
    assert trail == [
        ("login", VERIFIER, 401, "LoginRefused"),
        ("login", None, 401, "LoginRefused"),
        ("login", PUBLISHER, 200, None),
        ("put-small", PUBLISHER, 201, None),
        ("put-small", PUBLISHER, 201, None),
        ("put-manifest", PUBLISHER, 201, None),
        ("get-small", PUBLISHER, 403, "Forbidden"),
        ("login", VERIFIER, 200, None),
        ("get-small", VERIFIER, 200, None),
    ]
    fetched = next(line for line in lines if line.get("event") == "get-small" and "sha256" in line)
    assert (fetched["model"], fetched["version"], fetched["variant"]) == (
        "coins",
        "1.0.0",
        "onnx-fp32",
    )
    assert fetched["address"] == "127.0.0.1"
    for secret in (PASSWORD, "wrong-wrong-wrong", "typed-by-mistake", token, "Bearer", "$argon2"):
        assert secret not in text


def test_an_unusable_database_is_said_and_not_shown(tmp_path: Path) -> None:
    with release_api_server(tmp_path) as api, connect(api, PUBLISHER) as client:
        with closing(sqlite3.connect(api.data_dir / "release-api.db", timeout=60)) as vandal:
            vandal.execute("DROP TABLE small_parts")
            vandal.execute("DROP TABLE schema_version")
        answer = client.put(small_path("coins", "1.0.0", "v"), content=bytes(320), headers=OCTETS)
        assert (answer.status_code, answer.json()["error"]) == (503, "Unavailable")
        assert answer.json()["message"] == "the database does not answer"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
