from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.formats import FleetKey, Keyring
from sealyard.sealing.keyring import KEYRING_MAX_BYTES, Key
from support.sealing import seeded

ONE = base64.b64encode(b"\x01" * 32).decode()
TWO = base64.b64encode(b"\x02" * 32).decode()


def document(**changes: Any) -> dict[str, Any]:
    return {
        "active": {"v1": "fleet", "v2": "kek"},
        "keys": {"fleet": {"use": "v1", "key": ONE}, "kek": {"use": "v2", "key": TWO}},
    } | changes


def keys(**changes: Any) -> dict[str, Any]:
    return {**document()["keys"], **changes}


def parse(value: Any) -> Keyring:
    return Keyring.parse(json.dumps(value).encode())


def test_a_right_keyring() -> None:
    keyring = parse(document())
    assert keyring.active_v1.material == b"\x01" * 32
    assert keyring.active_v2.name == "kek"
    assert keyring.by_key_id(keyring.active_v2.id) == keyring.active_v2
    assert keyring.by_key_id(bytes(16)) is None
    assert keyring.fleet_keys() == (b"\x01" * 32,)
    assert Keyring.parse(keyring.to_json()) == keyring
    assert keyring.to_json() == Keyring.parse(keyring.to_json()).to_json()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"active": {}, "keys": {"kek": {"use": "v2"}}}, "keys.kek.key: is missing"),
        ({"keys": {}}, "active: is missing"),
        ({"active": {}}, "keys: is missing"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
        (document(active=[]), "active: must be a JSON object"),
        (document(keys="x"), "keys: must be a JSON object"),
        (document(keys=keys(kek=TWO)), "keys.kek: must be a JSON object"),
        (document(extra=1), "extra: is not a known field"),
        (document(keys=keys(kek={"use": "v2", "key": TWO, "note": ""})), "keys.kek.note: is not a"),
        (document(keys=keys(kek={"use": "v3", "key": TWO})), "keys.kek.use: must be v1 or v2"),
        (document(keys=keys(kek={"use": None, "key": TWO})), "keys.kek.use: must be v1 or v2"),
        (document(active={"v3": "kek"}), "active.v3: must be a use, v1 or v2"),
        (document(active={"v2": "gone"}), "active.v2: there is no key 'gone' in keys"),
        (document(active={"v2": "fleet"}), "active.v2: key 'fleet' has the use v1, must be v2"),
        (document(active={"v2": None}), "active.v2: must be a string"),
        (document(keys=keys(kek={"use": "v2", "key": 5})), "keys.kek.key: must be a string"),
        (document(keys=keys(kek={"use": "v2", "key": "x"})), "keys.kek.key: must be standard"),
        (document(keys=keys(kek={"use": "v2", "key": TWO[:-1]})), "keys.kek.key: must be standard"),
        (document(keys=keys(kek={"use": "v2", "key": TWO + "\n"})), "keys.kek.key: must be stand"),
        (document(keys=keys(kek={"use": "v2", "key": "-" + TWO[1:]})), "keys.kek.key: must be st"),
        (document(keys=keys(kek={"use": "v2", "key": "é"})), "keys.kek.key: must be standard, pad"),
        (document(keys=keys(kek={"use": "v2", "key": TWO[:42] + "J="})), "keys.kek.key: must be s"),
        (document(keys=keys(kek={"use": "v2", "key": ""})), "keys.kek.key: has 0 bytes, must be"),
        (document(keys=keys(kek={"use": "v2", "key": "AAAA"})), "keys.kek.key: has 3 bytes, must"),
        (
            document(keys=keys(kek={"use": "v2", "key": ONE})),
            "keys.fleet and keys.kek are the same key; one key must never serve v1 and v2",
        ),
        (
            document(keys=keys(twin={"use": "v2", "key": TWO})),
            "keys.kek and keys.twin are the same key; keep one",
        ),
        (document(keys=keys(Kek={"use": "v2", "key": TWO})), "keys.…: a key's name must be 1 to"),
        (
            document(keys={f"k{n}": {"use": "v2", "key": TWO} for n in range(65)}),
            "keys: must be at most 64 keys",
        ),
    ],
)  # fmt: skip
def test_a_wrong_keyring_is_refused_by_field(changed: Any, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(changed)
    assert str(caught.value).startswith(f"keyring: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 60_000, "is not JSON"),
        (b" " * (KEYRING_MAX_BYTES + 1), "65537 bytes, must be at most 65536"),
        (b'{"active":{},"keys":{},"keys":{}}', "a name stands twice in one object"),
        (
            b'{"active":{},"keys":{"a":{"use":"v1","use":"v2","key":""}}}',
            "a name stands twice in one object",
        ),
    ],
)
def test_what_is_no_keyring_at_all_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidError, match=f"^keyring: {message}$"):
        Keyring.parse(raw)


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(InvalidError):
        Keyring.parse(raw)


def test_the_life_of_a_keyring() -> None:
    start = Keyring.new(v1="fleet", v2="kek-1", random=seeded("life"))
    added = start.add("kek-2", "v2", random=seeded("two"))
    assert added.active_v2.name == "kek-1"
    activated = added.activate("kek-2")
    assert activated.active_v2.name == "kek-2"
    assert activated.active_v1 == start.active_v1
    retired = activated.retire("kek-1")
    assert list(retired.keys) == ["fleet", "kek-2"]
    # None of these changed what it was made from.
    assert list(start.keys) == ["fleet", "kek-1"]
    assert start.active_v2.name == added.active_v2.name == "kek-1"
    assert Keyring.parse(retired.to_json()) == retired


def test_a_key_that_exists_can_be_added() -> None:
    keyring = Keyring.new(v2="kek").add("fleet", "v1", material=b"\x07" * 32).activate("fleet")
    assert keyring.active_v1.material == b"\x07" * 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k: k.add("kek", "v2"), "there is a key 'kek' already"),
        (lambda k: k.add("Not a name", "v2"), "keys.…: a key's name must be"),
        (lambda k: k.add("short", "v1", material=b"x" * 31), "keys.short.key: has 31 bytes"),
        (lambda k: k.add("twin", "v1", material=k.active_v2.material), "never serve v1 and v2"),
        (lambda k: k.activate("gone"), "there is no key of that name; it has fleet, kek"),
        (lambda k: k.retire("gone"), "there is no key of that name; it has fleet, kek"),
        (lambda k: k.retire("kek"), "'kek' is the active v2 key; activate another"),
        (lambda k: k.retire("fleet"), "'fleet' is the active v1 key; activate another"),
    ],
)
def test_a_change_that_would_break_it_is_refused(change: Any, message: str) -> None:
    keyring = Keyring.new(v1="fleet", v2="kek", random=seeded("break"))
    with pytest.raises(InvalidError, match=message):
        change(keyring)


def test_what_is_not_there_is_missing() -> None:
    keyring = Keyring.new(v2="kek")
    with pytest.raises(MissingError, match=r"active\.v1 names no key"):
        _ = keyring.active_v1
    with pytest.raises(MissingError, match="has no key of use v1"):
        keyring.fleet_keys()
    with pytest.raises(MissingError, match=r"active\.v2 names no key"):
        _ = Keyring.new(v1="fleet", v2=None).active_v2


def test_a_v1_key_has_no_id_to_be_found_by() -> None:
    with pytest.raises(InvalidError, match="only keys of use v2 have an id"):
        _ = Key("fleet", "v1", bytes(32)).id


def test_the_active_fleet_key_comes_first() -> None:
    keyring = parse(document()).add("a", "v1", material=b"\x03" * 32)
    assert keyring.fleet_keys() == (b"\x01" * 32, b"\x03" * 32)
    assert keyring.activate("a").fleet_keys() == (b"\x03" * 32, b"\x01" * 32)


def test_a_keyring_cannot_be_changed_in_place() -> None:
    keyring = parse(document())
    with pytest.raises(TypeError):
        keyring.keys["x"] = keyring.active_v1  # type: ignore[index]  # what is tried
    with pytest.raises(AttributeError):
        keyring.active = {}  # type: ignore[misc]  # what is tried


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_fleet_key_has_32_bytes(length: int) -> None:
    with pytest.raises(InvalidError, match=f"^fleet key: has {length} bytes, must be 32"):
        FleetKey(bytes(length))
