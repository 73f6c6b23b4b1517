from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.api.secrets import Purpose
from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.keyring import Keyring


def files(folder: Path, **keys: bytes) -> SecretFiles:
    for key, value in keys.items():
        (folder / key.replace("_", "-")).write_bytes(value)
    return SecretFiles(Purpose.CDN_READ, folder, "Secret cdn-read")


def test_a_line_end_is_not_part_of_a_secret(tmp_path: Path) -> None:
    secret = files(tmp_path, cdn_read_access_key_id=b"id\n", cdn_read_secret_access_key=b" s \r\n")

    pair = secret.pair()

    assert (pair.name, pair.secret) == ("id", " s ")


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (b"", MissingError, "key cdn-read-secret-access-key is empty"),
        (b" \n", MissingError, "is empty"),
        (b"hunter2\nhunter3", InvalidError, "one line"),
        (b"hunter2\xff", InvalidError, "one line"),
        (b"h" * 5000, InvalidError, "longer than 4096"),
    ],
)
def test_a_value_that_cannot_be_one_is_refused_unseen(
    tmp_path: Path, value: bytes, error: type[Exception], said: str
) -> None:
    secret = files(tmp_path, cdn_read_access_key_id=b"id", cdn_read_secret_access_key=value)

    with pytest.raises(error, match=said) as caught:
        secret.pair()
    assert "Secret cdn-read" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_missing_key_and_a_missing_secret_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Secret cdn-read has no key cdn-read-access-key-id"):
        files(tmp_path).pair()
    with pytest.raises(MissingError, match="Secret cdn-read has no key"):
        SecretFiles.mounted(Purpose.CDN_READ, tmp_path / "nowhere", "cdn-read").pair()


def test_the_keyring_is_read_and_its_faults_name_the_secret(tmp_path: Path) -> None:
    keyring = Keyring.new(v2="k1")
    secret = SecretFiles(Purpose.KEYRING, tmp_path, "Secret keyring")
    (tmp_path / "keyring.json").write_bytes(keyring.to_json())
    assert secret.keyring() == keyring

    (tmp_path / "keyring.json").write_text("hunter2")
    with pytest.raises(InvalidError, match=r"Secret keyring, key keyring\.json: .*not JSON"):
        secret.keyring()


def test_a_pair_shows_nothing(tmp_path: Path) -> None:
    secret = files(
        tmp_path, cdn_read_access_key_id=b"hunter1", cdn_read_secret_access_key=b"hunter2"
    )
    assert "hunter" not in repr(secret.pair())
    assert secret.pair().fingerprint() == secret.pair().fingerprint()


def test_the_one_key_of_a_purpose(tmp_path: Path) -> None:
    files = SecretFiles(Purpose.RELEASE_KEY, tmp_path, "Secret trust")
    assert files.content_source == "Secret trust, key release-key.pem"
    with pytest.raises(MissingError, match=r"^Secret trust has no key release-key\.pem; add it"):
        files.content(10)
    (tmp_path / "release-key.pem").write_bytes(b"0123456789")
    assert files.content(10) == b"0123456789"
    with pytest.raises(InvalidError, match=r"key release-key\.pem: longer than 9 bytes"):
        files.content(9)
