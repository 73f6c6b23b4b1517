from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard_local.pki import CertPair, PrivateCA
from sealyard_release_api.accounts import users_document
from sealyard_release_api.mounted import FILES, Mounted
from sealyard_release_api.roles import Role
from sealyard_release_api.tokens import new_key_set
from support.release_api import user

CA = PrivateCA.create()
PAIR = CA.issue(ips=["127.0.0.1"])
OTHER = CA.issue(ips=["127.0.0.1"])


def document(*emails: str) -> str:
    return users_document([user(email, Role.VERIFIER) for email in emails])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    PAIR.write(tmp_path)
    (tmp_path / "users.json").write_text(document("a@example.org"))
    (tmp_path / "jwt-keys.json").write_text(new_key_set())
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(secret: Path, name: str) -> None:
    (secret / name).unlink()
    with pytest.raises(MissingError) as error:
        Mounted(secret)
    assert str(error.value).startswith(f"{secret / name}: No such file")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff", b"[" * 100_000, b" " * (1 << 21)])
def test_a_wrong_file_is_named(secret: Path, name: str, content: bytes) -> None:
    (secret / name).write_bytes(content)
    with pytest.raises(InvalidError, match=name.replace(".", r"\.")) as error:
        Mounted(secret)
    assert len(str(error.value)) < 300


def test_a_key_of_another_certificate_is_refused(secret: Path) -> None:
    (secret / "tls.key").write_bytes(OTHER.key_pem)
    with pytest.raises(InvalidError, match=r"tls\.crt, tls\.key"):
        Mounted(secret)


def test_nothing_new_is_not_read_again(secret: Path) -> None:
    mounted = Mounted(secret)
    before = mounted.credentials
    assert mounted.refresh() is False
    assert mounted.credentials is before


def test_a_change_is_used(secret: Path) -> None:
    mounted = Mounted(secret)
    (secret / "users.json").write_text(document("b@example.org"))
    assert mounted.refresh() is True
    assert set(mounted.credentials.accounts.users) == {"b@example.org"}
    assert mounted.refresh() is False


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_change_is_logged_once_and_the_old_is_kept(
    secret: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    mounted = Mounted(secret)
    before = mounted.credentials
    good = (secret / name).read_bytes()
    (secret / name).write_bytes(b"{")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert mounted.refresh() is False
    assert mounted.credentials is before
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert name in caplog.text
    (secret / name).write_bytes(good)
    assert mounted.refresh() is False
    assert mounted.credentials is before


def test_the_files_are_of_one_moment(tmp_path: Path) -> None:
    def write(folder: str, pair: CertPair, email: str) -> None:
        pair.write(tmp_path / folder)
        (tmp_path / folder / "users.json").write_text(document(email))
        (tmp_path / folder / "jwt-keys.json").write_text(new_key_set())

    write("..first", PAIR, "a@example.org")
    (tmp_path / "..data").symlink_to("..first")
    for name in FILES:
        (tmp_path / name).symlink_to(f"..data/{name}")
    mounted = Mounted(tmp_path)
    write("..second", OTHER, "b@example.org")
    (tmp_path / "..new").symlink_to("..second")
    os.replace(tmp_path / "..new", tmp_path / "..data")  # noqa: PTH105 - as the kubelet does it
    assert mounted.refresh() is True
    assert set(mounted.credentials.accounts.users) == {"b@example.org"}
