"""No repr, message, exception or traceback of this package holds a key, in any spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.errors import SealyardError
from sealyard.sealing.formats import (
    BytesReader,
    DeviceKey,
    FleetKey,
    Keyring,
    format_named,
    open_sealed,
)
from sealyard.sealing.header import Header
from support.error_reach import everything_an_error_says
from support.sealing import BOTH, CONTEXT, V1, V2, content, seal, seeded
from support.secret_search import SecretSearch

KEK = seeded("a secret key")(32)
FLEET = seeded("a secret fleet key")(32)
DEVICE = seeded("a secret device key")(32)
KEYRING = Keyring.new(v2=None).add("kek", "v2", material=KEK).add("fleet", "v1", material=FLEET)
KEYRING = KEYRING.activate("kek").activate("fleet")
SEALED = {name: seal(name, content(5000), keyring=KEYRING) for name in BOTH}
DATA_KEY = KEYRING.data_key(Header.parse(SEALED[V2].small))


SEARCH = SecretSearch({"KEK": KEK, "fleet key": FLEET, "device key": DEVICE, "data key": DATA_KEY})


def clean(text: str) -> bool:
    return not SEARCH.found_in(text)


def test_no_repr_shows_a_key() -> None:
    device = DeviceKey(X25519PrivateKey.from_private_bytes(DEVICE), bytes(32))
    shown: list[object] = [KEYRING, KEYRING.active_v1, KEYRING.active_v2, FleetKey(FLEET), device]
    shown += [dict(KEYRING.keys), Header.parse(SEALED[V2].small).core]
    for made in SEALED.values():
        fmt = format_named(made.entry.variant.sealing.format)
        big = BytesReader(made.big)
        shown.append(fmt)
        shown.append(fmt.sealer(plaintext_bytes=1, context=CONTEXT, keyring=KEYRING))
        shown.append(open_sealed(made.entry, small=made.small, big=big, keys=KEYRING))
    for thing in shown:
        assert clean(repr(thing))
        assert clean(str(thing))
        assert clean(f"{thing}")


def test_what_is_stored_to_resume_holds_no_key_in_clear() -> None:
    for name in BOTH:
        sealer = format_named(name).sealer(plaintext_bytes=1, context=CONTEXT, keyring=KEYRING)
        assert KEK not in sealer.state
        assert FLEET not in sealer.state


B64 = base64.b64encode(KEK).decode()
B64_FLEET = base64.b64encode(FLEET).decode()
RIGHT = json.loads(KEYRING.to_json())


def parsing(value: Any) -> Callable[[], object]:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda: Keyring.parse(raw)


FAILURES: dict[str, Callable[[], object]] = {
    "not JSON": parsing(KEYRING.to_json()[:-5]),
    "a key for a document": parsing(B64.encode()),
    "a key as the document": parsing(B64),
    "a raw key for a document": parsing(KEK),
    "a key for a name": parsing(RIGHT | {"keys": {B64: {"use": "v2", "key": B64}}}),
    "hex for a name": parsing(RIGHT | {"keys": {KEK.hex(): {"use": "v2", "key": B64}}}),
    "a key for a key's object": parsing(RIGHT | {"keys": {"kek": B64}}),
    "a key for a use": parsing(RIGHT | {"keys": {"kek": {"use": B64, "key": B64}}}),
    "a key as a field": parsing(RIGHT | {"keys": {"kek": {"use": "v2", "key": B64, B64: 1}}}),
    "hex as a field": parsing(RIGHT | {KEK.hex(): {}}),
    "a key as an active use": parsing(RIGHT | {"active": {B64: "kek"}}),
    "a key as an active name": parsing(RIGHT | {"active": {"v2": B64}}),
    "hex as an active name": parsing(RIGHT | {"active": {"v2": KEK.hex()}}),
    "all keys in a list": parsing(RIGHT | {"keys": [B64, B64_FLEET]}),
    "a key too long": parsing(RIGHT | {"keys": {"kek": {"use": "v2", "key": B64 + "A"}}}),
    "a key in hex": parsing(RIGHT | {"keys": {"kek": {"use": "v2", "key": KEK.hex()}}}),
    "a key twice": parsing(RIGHT | {"keys": RIGHT["keys"] | {"x": {"use": "v1", "key": B64}}}),
    "a key without its end": parsing(RIGHT | {"keys": {"kek": {"use": "v2", "key": B64[:40]}}}),
    "adding what is there": lambda: KEYRING.add("kek", "v2"),
    "adding a twin": lambda: KEYRING.add("twin", "v1", material=KEK),
    "adding a long key": lambda: KEYRING.add("long", "v1", material=KEK + FLEET),
    "adding by a wrong name": lambda: KEYRING.add(B64, "v2"),
    "activating by key": lambda: KEYRING.activate(B64),
    "retiring by key": lambda: KEYRING.retire(KEK.hex()),
    "a long fleet key": lambda: FleetKey(FLEET + b"\n"),
    "another keyring": lambda: SEALED[V2].but(keys=Keyring.new(v2="x")).open(),
    "another fleet key": lambda: SEALED[V1].but(keys=FleetKey(bytes(32))).open(),
    "a fleet key for v2": lambda: SEALED[V2].but(keys=FleetKey(FLEET)).open(),
    "a changed slot": lambda: (
        SEALED[V2].but(small=SEALED[V2].small[:200] + bytes(24) + SEALED[V2].small[224:]).open()
    ),
    "another plaintext's digest": lambda: SEALED[V1].but(big=SEALED[V1].big[:-1] + b"\0").open(),
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_no_failure_shows_a_key(fail: Callable[[], object]) -> None:
    with pytest.raises(SealyardError) as caught:
        fail()
    SEARCH.assert_none_in(everything_an_error_says(caught.value), "the error")
