from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sealyard.cli.app import run
from sealyard.sealing.keyring import Keyring
from support.sealing import seeded

SEALYARD = Path(sys.executable).with_name("sealyard")


def sealyard(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([SEALYARD, *arguments], capture_output=True, check=False, timeout=60)


def test_a_new_keyring_is_a_secret() -> None:
    done = sealyard("keyring", "new", "--name", "keys", "--key", "k-1", "--fleet-key", "fleet")

    assert done.returncode == 0
    secret = yaml.safe_load(done.stdout)
    assert (secret["kind"], secret["metadata"]) == ("Secret", {"name": "keys"})
    keyring = Keyring.parse(base64.b64decode(secret["data"]["keyring.json"]))
    assert keyring.active_v2.name == "k-1"
    assert keyring.active_v1.name == "fleet"


def test_two_keyrings_have_nothing_in_common() -> None:
    one, other = (Keyring.parse(sealyard("keyring", "new", "--raw").stdout) for _ in range(2))
    assert one.active_v2.material != other.active_v2.material


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keyring", "new", "--name", "A Secret"], b"--name"),
        (["keyring", "new", "--key", "K 1"], b"name"),
        (["pull"], b"Missing argument"),
        (["no-such-command"], b"no-such-command"),
        (["pull", "coins", "1.0.0", "--password", "hunter2"], b"--password"),
    ],
)
def test_wrong_input_is_64(arguments: list[str], said: bytes) -> None:
    done = sealyard(*arguments)
    assert done.returncode == 64
    assert said in done.stderr
    assert done.stdout == b""


def test_version() -> None:
    assert sealyard("--version").stdout.decode() == f"sealyard {version('sealyard')}\n"


KEY = seeded("a v2 key of the command line")(32)
FLEET = seeded("a fleet key of the command line")(32)
OTHER = seeded("a fleet key in a file")(32)
RING = (
    Keyring({}, {})
    .add("k1", "v2", material=KEY)
    .activate("k1")
    .add("fleet", "v1", material=FLEET)
    .activate("fleet")
)
BARE = RING.to_json()
TWO = RING.add("k0", "v2", random=seeded("k0"))
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "keyring",
        "namespace": "coins",
        "labels": {"team": "vision"},
        "annotations": {"note": "1e3", LAST_APPLIED: base64.b64encode(BARE).decode()},
        "uid": "0b0c3e4e-1d5c-4f0e-9b5e-000000000000",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
    },
    "type": "Opaque",
    "immutable": True,
    "data": {"keyring.json": base64.b64encode(BARE).decode(), "other": "1e10"},
}


def secret(**changes: Any) -> bytes:
    """The Secret as kubectl prints it; a change to None takes the field away."""
    merged = {key: value for key, value in (SECRET | changes).items() if value is not None}
    return json.dumps(merged, indent=4).encode()


class Call:
    """Runs the command in this process; no key may be seen but where it is asked for."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]
    ) -> None:
        self._monkeypatch, self._capture = monkeypatch, capture

    def __call__(self, *arguments: str, given: bytes = b"") -> SimpleNamespace:
        stdin = io.TextIOWrapper(io.BytesIO(given))
        self._monkeypatch.setattr(sys, "stdin", stdin)
        self._monkeypatch.setattr(sys, "argv", ["sealyard", "keyring", *arguments])
        code = run()
        seen = self._capture.readouterr()
        no_key_in(seen.err)
        return SimpleNamespace(code=code, out=seen.out, said=seen.err.decode())


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    return Call(monkeypatch, capsysbinary)


def no_key_in(shown: bytes) -> None:
    for key in (KEY, FLEET, OTHER, *(key.material for key in TWO.keys.values())):
        for spelling in (key, key.hex().encode(), base64.b64encode(key)):
            assert spelling[:12] not in shown
            assert spelling[-12:] not in shown
        # The document itself is base64 in a Secret.
    assert base64.b64encode(BARE)[60:90] not in shown


def within(printed: bytes) -> Keyring:
    return Keyring.parse(base64.b64decode(json.loads(printed)["data"]["keyring.json"]))


CHANGES: dict[str, tuple[list[str], Callable[[Keyring], bool]]] = {
    "add": (["add", "k2"], lambda r: set(r.keys) == {"fleet", "k0", "k1", "k2"}),
    "add is not active": (["add", "k2"], lambda r: r.active_v2.name == "k1"),
    "add and activate": (["add", "k2", "--activate"], lambda r: r.active_v2.name == "k2"),
    "add a fleet key": (["add", "f2", "--use", "v1"], lambda r: r.keys["f2"].use == "v1"),
    "activate": (["activate", "k0"], lambda r: r.active_v2.name == "k0"),
    "activate the active": (["activate", "k1"], lambda r: r == TWO),
    "retire": (["retire", "k0"], lambda r: r == RING),
}


@pytest.mark.parametrize(("arguments", "is_right"), CHANGES.values(), ids=CHANGES)
def test_what_changes_is_the_keyring_alone(
    keyring: Call, arguments: list[str], is_right: Callable[[Keyring], bool]
) -> None:
    data = SECRET["data"] | {"keyring.json": base64.b64encode(TWO.to_json()).decode()}
    done = keyring(*arguments, given=secret(data=data))
    assert (done.code, done.said) == (0, "")
    assert is_right(within(done.out))
    printed = json.loads(done.out)
    printed["data"].pop("keyring.json")
    assert printed == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "keyring",
            "namespace": "coins",
            "labels": {"team": "vision"},
            "annotations": {"note": "1e3"},
        },
        "type": "Opaque",
        "immutable": True,
        "data": {"other": "1e10"},
    }

    bare = keyring(*arguments, given=TWO.to_json())
    assert bare.code == 0
    assert is_right(Keyring.parse(bare.out))


ACCEPTED: dict[str, bytes] = {
    "JSON": secret(),
    "YAML": yaml.safe_dump(SECRET).encode(),
    "YAML with markers": b"---\n" + yaml.safe_dump(SECRET).encode() + b"---\n",
    "stringData": secret(data={"other": "1e10"}, stringData={"keyring.json": BARE.decode()}),
    "stringData wins": secret(
        data={"keyring.json": "AAAA"}, stringData={"keyring.json": BARE.decode()}
    ),
    "escapes that YAML has not": secret().replace(b"Opaque", b"a\\/b"),
    "base64 in lines": secret(
        data={"keyring.json": base64.encodebytes(BARE).decode()}
    ),
    "little metadata": secret(metadata={"name": "keyring", "labels": None}),
    "keyring.json": BARE,
}  # fmt: skip


@pytest.mark.parametrize("given", ACCEPTED.values(), ids=ACCEPTED)
def test_every_spelling_of_a_keyring_is_read(keyring: Call, tmp_path: Path, given: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(given)
    for shown in (
        keyring("show", "--json", given=given),
        keyring("show", "--json", "--from", str(path)),
        keyring("show", "--json", given=keyring("activate", "k1", given=given).out),
    ):
        assert (shown.code, shown.said) == (0, "")
        no_key_in(shown.out)
        assert json.loads(shown.out) == {
            "keys": [
                {"name": "fleet", "use": "v1", "active": True},
                {
                    "name": "k1",
                    "use": "v2",
                    "active": True,
                    "recipientId": RING.active_v2.id.hex(),
                },
            ]
        }


def test_show_is_a_table_for_people(keyring: Call) -> None:
    shown = keyring("show", given=TWO.to_json())
    no_key_in(shown.out)
    assert [line.split() for line in shown.out.decode().splitlines()] == [
        ["NAME", "USE", "ACTIVE", "RECIPIENT-ID"],
        ["fleet", "v1", "yes", "-"],
        ["k0", "v2", "no", TWO.keys["k0"].id.hex()],
        ["k1", "v2", "yes", TWO.keys["k1"].id.hex()],
    ]


B64 = base64.b64encode(KEY).decode()
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 64, "is empty"),
    "rubbish": (b"{\x00", 64, "is neither JSON nor YAML"),
    "a raw key": (KEY, 64, "is neither JSON nor YAML"),
    "a key": (B64.encode(), 64, "must be one Secret (v1), or keyring.json itself"),
    "a list": (b"[1]", 64, "must be one Secret (v1)"),
    "deep": (b"[" * 100_000, 64, "is neither JSON nor YAML"),
    "too long": (b" " * ((4 << 20) + 1), 64, "must be at most 4194304 bytes"),
    "two documents": (secret() + b"\n---\n" + secret(), 64, "has 2 documents, must have one"),
    "a List": (secret(kind="List", data=None, items=[SECRET]), 64, "must be one Secret (v1)"),
    "a ConfigMap": (secret(kind="ConfigMap"), 64, "must be one Secret (v1)"),
    "a kind that is a key": (secret(kind=KEY.hex()), 64, "must be one Secret (v1)"),
    "no kind": (secret(kind=None), 64, "must be one Secret (v1)"),
    "no name": (secret(metadata={"namespace": "coins"}), 64, "metadata.name is missing"),
    "no metadata": (secret(metadata=None), 64, "metadata.name is missing"),
    "no keyring.json": (secret(data={"k1": B64}), 66, "the Secret has no key keyring.json in"),
    "no data": (secret(data=None), 66, "the Secret has no key keyring.json in"),
    "data is a key": (secret(data=B64), 64, "data must be an object of strings"),
    "a number in data": (secret(data={"keyring.json": 1}), 64, "data must be an object of str"),
    "half a character": (secret(stringData={"a": "\ud800"}), 64, "stringData must be an object"),
    "a label that is none": (secret(metadata={"name": "k", "labels": [B64]}), 64, "labels must"),
    "encrypted": (secret(data={"keyring.json": "ENC[AES256_GCM,x]"}), 64, "must be base64"),
    "not a keyring": (secret(data={"keyring.json": B64}), 64, "keyring: is not JSON"),
    "a key twice": (b'{"keys":{},"keys":{},"active":{}}', 64, "a key stands twice"),
    "a key twice in YAML": (b"data: {}\n" + yaml.safe_dump(SECRET).encode(), 64, "stands twice"),
    "a scalar that is no bool": (b"a: !!bool x", 64, "is neither JSON nor YAML"),
    "a scalar that is no time": (b"a: !!timestamp x", 64, "is neither JSON nor YAML"),
    "a scalar that is no integer": (b"a: !!int ''", 64, "is neither JSON nor YAML"),
    "a number beyond all": (b"a: " + b"1:" * 400 + b"1.5", 64, "is neither JSON nor YAML"),
    "a character beyond all": (b'"\\Ufffd1099"', 64, "is neither JSON nor YAML"),
    "a date that is none": (b"a: 2001-99-99", 64, "is neither JSON nor YAML"),
    "a key that cannot be one": (b"? [1]\n: 2", 64, "is neither JSON nor YAML"),
    "an object of Python": (b"a: !!python/object:os.system x", 64, "is neither JSON nor YAML"),
    "a broken keyring": (BARE.replace(b'"v2",', b'"v3",'), 64, "keyring: keys.k1.use: must be"),
}


@pytest.mark.parametrize("command", [["add", "k2"], ["show"]], ids=["add", "show"])
@pytest.mark.parametrize(("given", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_keyring_is_refused_in_one_line_without_a_value(
    keyring: Call, command: list[str], given: bytes, code: int, said: str
) -> None:
    done = keyring(*command, given=given)
    assert (done.code, done.out) == (code, b"")
    assert said in done.said
    assert done.said.startswith("sealyard: ")
    assert done.said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add", "k1"], 64, "there is a key 'k1' already"),
        (["add", "K 1"], 64, "a key's name must be 1 to 63 of a-z, 0-9 and '-'"),
        (["add", B64], 64, "a key's name must be 1 to 63"),
        (["add", KEY.hex()], 64, "a key's name must be 1 to 63"),
        (["add", "k2", "--use", "v3"], 64, "--use"),
        (["add"], 64, "Missing argument"),
        (["add", "k2", "--key-file", "key"], 64, "give --use v1 with it"),
        (["add", "f2", "--use", "v1", "--key-file", "none"], 66, "none: cannot be read"),
        (["activate", "k9"], 64, "there is no key of that name; it has fleet, k1"),
        (["activate", KEY.hex()], 64, "there is no key of that name"),
        (["retire", "k1"], 64, "'k1' is the active v2 key; activate another"),
        (["retire", "fleet"], 64, "'fleet' is the active v1 key; activate another"),
        (["retire", "k9"], 64, "there is no key of that name; it has fleet, k1"),
        (["show", "--from", "none"], 66, "none: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    keyring: Call, arguments: list[str], code: int, said: str
) -> None:
    done = keyring(*arguments, given=BARE)
    assert (done.code, done.out) == (code, b"")
    assert said in done.said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OTHER, None),
        (OTHER.hex().encode() + b"\n", None),
        (OTHER.hex().upper().encode(), None),
        (base64.b64encode(OTHER) + b"\n", None),
        (OTHER + b"\n", "key must hold 32 bytes, or their hex or base64"),
        (base64.b64encode(OTHER[:31]), "key must hold 32 bytes"),
        (OTHER.hex().encode()[:-1], "key must hold 32 bytes"),
        (b"", "key must hold 32 bytes"),
        (base64.b64encode(FLEET), "keys.f2 and keys.fleet are the same key"),
        (base64.b64encode(KEY), "one key must never serve v1 and v2"),
    ],
)
def test_an_existing_fleet_key_comes_from_a_file(
    keyring: Call, tmp_path: Path, content: bytes, said: str | None
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    done = keyring("add", "f2", "--use", "v1", "--key-file", str(path), given=BARE)
    if said is None:
        assert done.code == 0
        assert Keyring.parse(done.out).keys["f2"].material == OTHER
    else:
        assert (done.code, done.out) == (64, b"")
        assert said in done.said


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_not_waited_for(keyring: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "TextIOWrapper", Terminal)
    done = keyring("show")
    assert done.code == 64
    assert "pipe the Secret in, or name a file with --from" in done.said


def test_the_pipe_of_the_documentation() -> None:
    new = sealyard("keyring", "new")
    added = subprocess.run(
        [SEALYARD, "keyring", "add", "k2", "--activate"],
        input=new.stdout,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert within(added.stdout).active_v2.name == "k2"
    assert added.stderr == b""
