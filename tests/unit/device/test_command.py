"""`sealyard device` and `sealyard resource`, as they are typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from sealyard.cli.app import run
from sealyard.device.hardware import HardwareFacts
from sealyard.errors import InvalidError

API = "https://api.example:8443"


def sealyard(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["sealyard", *arguments])
    return run()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(os.urandom(32))
    return path


@pytest.fixture
def state(
    tmp_path: Path,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # from here on, so that a test sees what was printed
) -> Path:
    """A device of level keystore, told of both stores."""
    folder, credentials = tmp_path / "state", tmp_path / "cdn"
    credentials.mkdir()
    (credentials / "cdn-read-access-key-id").write_text("reader")
    (credentials / "cdn-read-secret-access-key").write_text("the read key")
    code = sealyard(
        monkeypatch,
        *("device", "init", "--state", str(folder), "--name", "press-7", "--api", API),
        *("--level", "keystore", "--keystore-file", str(key)),
        *("--models", "coins, teeth", "--channels", "stable"),
        *("--cdn", "https://cdn.example", "--bucket", "models"),
        *("--cdn-credentials", str(credentials)),
    )
    assert code == 0
    return folder


def test_init_prints_the_device_and_show_does_so_again(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = capsys.readouterr().out
    document = yaml.safe_load(printed)
    assert document["metadata"]["name"] == "press-7"
    assert document["spec"]["models"] == ["coins", "teeth"]
    assert document["spec"]["level"] == "keystore"
    assert "the read key" not in printed
    assert sealyard(monkeypatch, "device", "show", "--state", str(state), "--yaml") == 0
    assert capsys.readouterr().out == printed


def test_show_says_whether_the_keys_open_here(
    state: Path, key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert sealyard(monkeypatch, "device", "show", "--state", str(state), "--json") == 0
    assert json.loads(capsys.readouterr().out)["opensHere"] is True
    key.write_bytes(bytes(32))
    assert sealyard(monkeypatch, "device", "show", "--state", str(state)) == 0
    shown = capsys.readouterr().out
    assert "opensHere        no" in shown
    assert "does not open here" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--level", "none"), "--level: 'none' must be one of fingerprint, keystore, tpm2"),
        (("--cdn", "https://cdn"), "give both of --cdn and --bucket"),
        (("--api", "http://api"), "release API: its URL must be https"),
        (("--models", "Coins"), "device: models.0:"),
        (("--level", "legacy"), "--fleet-key-file: must be given with --level legacy"),
        (("--digest-secret", "d"), "--digest-secret: must be given with --level legacy, and only"),
    ],
)
def test_what_is_wrong_is_named(
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    folder = key.with_name("state")
    given = ("--api", API, "--models", "coins", "--state", str(folder))
    level = ("--level", "keystore", "--keystore-file", str(key))
    code = sealyard(monkeypatch, "device", "init", *given, *level, *arguments)
    assert code == InvalidError.exit_code
    assert said in capsys.readouterr().err
    assert not folder.exists()


def test_a_legacy_device_says_what_the_cluster_must_be_told(
    key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = HardwareFacts(cpu="a", gpu="none", memory="1", drive="d")
    monkeypatch.setattr("sealyard.cli.device.read_facts", lambda: here)
    code = sealyard(
        monkeypatch,
        *("device", "init", "--state", str(key.with_name("state")), "--api", API),
        *("--level", "legacy", "--fleet-key-file", str(key), "--models", "coins"),
    )
    printed = capsys.readouterr()
    assert code == 0
    spec = yaml.safe_load(printed.out)["spec"]
    assert spec["hardwareDigestSecretRef"] == {"name": "hardware-digests"}
    assert "Secret hardware-digests, key hardware-digests.json" in printed.err
    assert f"entry {spec['deviceId']}" in printed.err
    assert here.digest().hex() not in printed.out + printed.err
    assert sealyard(monkeypatch, "device", "facts", "--digest") == 0
    assert capsys.readouterr().out == f"{here.digest().hex()}\n"
    assert sealyard(monkeypatch, "device", "facts", "--digest", "--json") == InvalidError.exit_code


def test_a_resource_goes_there_and_back(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    plain.write_bytes(b"a calibration")
    at = ("--state", str(state))
    for action, source, target in (("seal", plain, sealed), ("open", sealed, opened)):
        code = sealyard(monkeypatch, "resource", action, str(source), "-o", str(target), *at)
        assert code == 0
    assert opened.read_bytes() == b"a calibration"
    assert b"calibration" not in sealed.read_bytes()


def test_rebind_to_another_key(
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = yaml.safe_load(capsys.readouterr().out)
    other = tmp_path / "other"
    other.write_text(os.urandom(32).hex())
    at = ("--state", str(state))
    assert sealyard(monkeypatch, "device", "rebind", "--keystore-file", str(other), *at) == 0
    assert yaml.safe_load(capsys.readouterr().out)["spec"] == before["spec"]
    assert sealyard(monkeypatch, "device", "show", "--json", *at) == 0
    assert json.loads(capsys.readouterr().out)["opensHere"] is True
