"""`sealyard trust`: the folder of an offline root, and what is printed for the cluster."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.cli.app import run
from sealyard.delivery.index.keys import SigningKey
from sealyard.delivery.index.roots import parse_chain


@pytest.fixture
def sealyard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process; it gives code, stdout and stderr."""

    def command(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr("sys.argv", ["sealyard", "trust", *map(str, arguments)])
        code = run()
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return command


def objects(printed: str) -> dict[str, dict[str, str]]:
    """The data of each object by its name."""
    return {one["metadata"]["name"]: one["data"] for one in yaml.safe_load_all(printed)}


def root_in(printed: str, name: str = "trust") -> Any:
    """The newest root of the printed chain, verified."""
    files = {file: raw.encode() for file, raw in objects(printed)[f"{name}-root"].items()}
    return parse_chain(files, "ConfigMap")[-1].signed


def key_in(printed: str, purpose: Purpose, name: str = "trust") -> SigningKey:
    (key,) = SECRET_USES[purpose].keys
    pem = base64.b64decode(objects(printed)[f"{name}-{purpose}"][key])
    return SigningKey.parse(pem, key)


def pems(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pem"))


def test_a_first_root(sealyard: Any, tmp_path: Path) -> None:
    folder = tmp_path / "root"
    done = sealyard("init", folder, "--name", "coins", "--root-keys", 3, "--threshold", 2)
    assert (done.code, done.err) == (0, "")
    root = root_in(done.out, "coins")
    assert (root.version, root.roles["root"].threshold, len(root.roles["root"].keyids)) == (1, 2, 3)
    assert root.roles["targets"].keyids == [key_in(done.out, Purpose.RELEASE_KEY, "coins").keyid]
    freshness = [key_in(done.out, Purpose.FRESHNESS_KEY, "coins").keyid]
    assert root.roles["snapshot"].keyids == root.roles["timestamp"].keyids == freshness
    assert {path.name[5:13] for path in pems(folder)} == {
        keyid[:8] for keyid in root.roles["root"].keyids
    }
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in pems(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_printed_may_go_to_a_file(sealyard: Any, tmp_path: Path) -> None:
    output = tmp_path / "trust.yaml"
    done = sealyard("init", tmp_path / "root", "--output", output)
    assert (done.code, done.out) == (0, "")
    assert root_in(output.read_text()).version == 1
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_root_keys_may_be_encrypted(sealyard: Any, tmp_path: Path) -> None:
    folder, right, wrong = tmp_path / "root", tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    assert sealyard("init", folder, "--passphrase-file", right).code == 0
    assert b"ENCRYPTED" in pems(folder)[0].read_bytes()
    for options in ((), ("--passphrase-file", wrong)):
        done = sealyard("rotate", "root", folder, "--renew", *options)
        assert (done.code, done.out) == (64, "")
        assert "the passphrase must open it" in done.err
    done = sealyard("rotate", "root", folder, "--renew", "--passphrase-file", right)
    assert root_in(done.out).version == 2
    assert "horse" not in done.out + done.err


@pytest.mark.parametrize(
    ("which", "purpose", "roles"),
    [
        ("release-key", Purpose.RELEASE_KEY, ["targets"]),
        ("freshness-key", Purpose.FRESHNESS_KEY, ["snapshot", "timestamp"]),
    ],
)
class TestOnlineKeys:
    def test_both_count_until_the_rotation_is_finished(
        self, sealyard: Any, tmp_path: Path, which: str, purpose: Purpose, roles: list[str]
    ) -> None:
        folder = tmp_path / "root"
        first = key_in(sealyard("init", folder).out, purpose).keyid
        done = sealyard("rotate", which, folder)
        second = key_in(done.out, purpose).keyid
        assert set(objects(done.out)) == {"trust-root", f"trust-{purpose}"}
        root = root_in(done.out)
        assert [root.roles[role].keyids for role in roles] == [[first, second]] * len(roles)
        assert "root 2 is complete" in done.err
        done = sealyard("rotate", which, folder, "--finish")
        assert set(objects(done.out)) == {"trust-root"}
        root = root_in(done.out)
        assert [root.roles[role].keyids for role in roles] == [[second]] * len(roles)
        assert first not in root.keys

    def test_one_that_leaked_counts_no_more(
        self, sealyard: Any, tmp_path: Path, which: str, purpose: Purpose, roles: list[str]
    ) -> None:
        folder = tmp_path / "root"
        sealyard("init", folder)
        done = sealyard("rotate", which, folder, "--leaked")
        new = key_in(done.out, purpose).keyid
        root = root_in(done.out)
        assert [root.roles[role].keyids for role in roles] == [[new]] * len(roles)


def test_new_root_keys_take_the_place_of_all(sealyard: Any, tmp_path: Path) -> None:
    folder = tmp_path / "root"
    former = root_in(sealyard("init", folder, "--root-keys", 2, "--threshold", 2).out)
    root = root_in(sealyard("rotate", "root", folder).out)
    assert not {*root.roles["root"].keyids} & {*former.roles["root"].keyids}
    assert (root.roles["root"].threshold, len(root.roles["root"].keyids)) == (2, 2)
    assert len(pems(folder)) == 4
    root = root_in(sealyard("rotate", "root", folder, "--root-keys", 3, "--threshold", 1).out)
    assert (root.roles["root"].threshold, len(root.roles["root"].keyids)) == (1, 3)


def test_keys_in_different_hands_sign_one_after_the_other(sealyard: Any, tmp_path: Path) -> None:
    folder = tmp_path / "root"
    sealyard("init", folder, "--root-keys", 3, "--threshold", 2)
    mine, yours, theirs = pems(folder)
    done = sealyard("rotate", "release-key", folder, "--key", mine)
    assert set(objects(done.out)) == {"trust-release-key"}
    assert "root 2 is a draft, it lacks 1 more of the former keys" in done.err
    assert yours.name[5:13] in done.err
    done = sealyard("rotate", "release-key", folder)
    assert done.code == 64
    assert "complete it with `sealyard trust sign`, or delete it" in done.err
    again = sealyard("sign", folder, "--key", mine)
    assert (again.out, again.code) == ("", 0)
    assert "is a draft" in again.err
    done = sealyard("sign", folder, "--key", theirs)
    assert root_in(done.out).version == 2
    assert not list(folder.glob("*.draft.json"))
    assert sealyard("sign", folder, "--key", theirs).code == 66


def test_show(sealyard: Any, tmp_path: Path) -> None:
    folder = tmp_path / "root"
    root = root_in(sealyard("init", folder, "--root-days", 10).out)
    expires = root.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = sealyard("show", folder).out.splitlines()
    assert lines[0] == f"root 1, expires {expires}"
    assert [line.split() for line in lines[2:]] == [
        [role, "1", root.roles[role].keyids[0][:8]]
        for role in ("root", "targets", "snapshot", "timestamp")
    ]
    shown = json.loads(sealyard("show", folder, "--json").out)
    assert (shown["version"], shown["expires"]) == (1, expires)
    assert shown["roles"][0] == {
        "role": "root",
        "threshold": 1,
        "keys": root.roles["root"].keyids,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["init", "FULL"], 64, "must be a new or an empty folder"),
        (["init", "NEW", "--threshold", "2"], 64, "--threshold: 2 must be at most --root-keys, 1"),
        (["init", "NEW", "--name", "No Name"], 64, "--name"),
        (["init", "NEW", "--passphrase-file", "EMPTY"], 64, "must hold a passphrase of 1 to"),
        (["init", "NEW", "--passphrase-file", "NONE"], 66, "cannot be read"),
        (["rotate", "root", "FULL", "--leaked"], 64, "are for online keys"),
        (["rotate", "root", "FULL", "--finish"], 64, "are for online keys"),
        (["rotate", "root", "FULL", "--threshold", "2"], 64, "at most --root-keys, 1"),
        (["rotate", "release-key", "FULL", "--renew"], 64, "--renew: is for the root"),
        (["rotate", "release-key", "FULL", "--leaked", "--finish"], 64, "give one of both"),
        (["rotate", "release-key", "FULL", "--key", "EMPTY"], 64, "must be an Ed25519 private key"),
        (["rotate", "root", "NEW"], 66, "has no key 1.root.json"),
        (["show", "NEW"], 66, "has no key 1.root.json"),
        (["sign", "FULL"], 66, "2.root.draft.json"),
    ],
)
def test_what_is_refused_changes_nothing(
    sealyard: Any, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    sealyard("init", full)
    empty.write_bytes(b"\n")
    names = {"FULL": full, "NEW": tmp_path / "new", "EMPTY": empty, "NONE": tmp_path / "none"}
    before = {path: path.read_bytes() for path in full.iterdir()}
    done = sealyard(*(names.get(argument, argument) for argument in arguments))
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert {path: path.read_bytes() for path in full.iterdir()} == before


def test_a_chain_that_was_tampered_with(sealyard: Any, tmp_path: Path) -> None:
    folder, other = tmp_path / "root", tmp_path / "other"
    for one in (folder, other):
        sealyard("init", one)
        sealyard("rotate", "root", one, "--renew")
    (folder / "2.root.json").write_bytes((other / "2.root.json").read_bytes())
    done = sealyard("show", folder)
    assert done.code == 65
    assert "2.root.json: is not signed by enough keys" in done.err
    (folder / "2.root.json").write_bytes(b"{}")
    assert sealyard("show", folder).code == 64
    (folder / "3.root.json").write_bytes((folder / "1.root.json").read_bytes())
    (folder / "2.root.json").unlink()
    done = sealyard("show", folder)
    assert (done.code, "has no key 2.root.json" in done.err) == (66, True)
