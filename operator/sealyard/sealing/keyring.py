"""The keyring: every key-encryption key of a target by name, and which one is active.

Two uses, and no key ever has both: `v1` is the fleet key of aes-256-cbc-v1, which by design lies
on every legacy device; `v2` wraps the data keys of sealed-v2 and never leaves the cluster.

No message, repr or exception of this file holds key material. Text from the document appears in a
message only after it has been recognised as a name: a key pasted in the wrong place is not shown.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.context import NAME_PATTERN
from sealyard.sealing.header import Header
from sealyard.sealing.layout import Buffer, Random
from sealyard.sealing.slots import KEY_BYTES, key_id, unwrap_for_keyring

KEYRING_MAX_BYTES: Final = 64 * 1024
KEYS_MAX: Final = 64

Use: TypeAlias = Literal["v1", "v2"]
_V1: Final[Use] = "v1"
_V2: Final[Use] = "v2"
_Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class _StoredKey(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    use: Use
    key: Annotated[str, Field(repr=False)]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    active: dict[Use, _Name]
    keys: Annotated[dict[_Name, _StoredKey], Field(max_length=KEYS_MAX)]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a keyring; its bytes stand in no repr."""

    name: str
    use: Use
    material: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """The 16-byte recipient id by which sealed-v2 slots name this key."""
        if self.use != "v2":
            raise InvalidError(f"key {self.name}: only keys of use v2 have an id")
        return key_id(self.material)


@dataclass(frozen=True)
class Keyring:
    """A valid keyring. Changing one makes a new one; an `OpeningKeys` of `slots`.

    Raises:
        InvalidError: naming the key and what is wrong with it.
    """

    keys: Mapping[str, Key] = field(repr=False)
    active: Mapping[Use, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", MappingProxyType(dict(sorted(self.keys.items()))))
        object.__setattr__(self, "active", MappingProxyType(dict(sorted(self.active.items()))))
        owners: dict[bytes, Key] = {}
        for key in self.keys.values():
            if len(key.material) != KEY_BYTES:
                raise InvalidError(
                    f"keyring: keys.{key.name}.key: has {len(key.material)} bytes, "
                    f"must be {KEY_BYTES}"
                )
            twin = owners.setdefault(key.material, key)
            if twin is not key:
                uses = "one key must never serve v1 and v2" if twin.use != key.use else "keep one"
                raise InvalidError(
                    f"keyring: keys.{twin.name} and keys.{key.name} are the same key; {uses}"
                )
        for use, name in self.active.items():
            found = self.keys.get(name)
            if found is None:
                raise InvalidError(f"keyring: active.{use}: there is no key {name!r} in keys")
            if found.use != use:
                raise InvalidError(
                    f"keyring: active.{use}: key {name!r} has the use {found.use}, must be {use}"
                )

    @classmethod
    def parse(cls, raw: bytes) -> Keyring:
        """Read `keyring.json`.

        Raises:
            InvalidError: naming the field and what would be right; never a value.
        """
        stored, fault = _validated(raw)
        if stored is None:
            # Raised here and not in a handler: the cause would carry the document.
            raise InvalidError(f"keyring: {fault}")
        keys = {}
        for name, entry in stored.keys.items():
            material = _decoded(entry.key)
            if material is None:
                raise InvalidError(f"keyring: keys.{name}.key: must be standard, padded base64")
            keys[name] = Key(name, entry.use, material)
        return cls(keys, stored.active)

    @classmethod
    def new(
        cls, *, v1: str | None = None, v2: str | None, random: Random = secrets.token_bytes
    ) -> Keyring:
        """A keyring with new, active keys of these names."""
        keyring = cls({}, {})
        for name, use in ((v1, _V1), (v2, _V2)):
            if name is not None:
                keyring = keyring.add(name, use, random=random).activate(name)
        return keyring

    def add(
        self,
        name: str,
        use: Use,
        *,
        material: bytes | None = None,
        random: Random = secrets.token_bytes,
    ) -> Keyring:
        """With one more key, not yet active; `material` where it exists already (a fleet key)."""
        if name in self.keys:
            raise InvalidError(f"keyring: there is a key {name!r} already; choose another name")
        fresh = random(KEY_BYTES) if material is None else material
        # Through the stored form, so that every rule holds that holds for a file.
        merged = {**self.keys, name: Key(name, use, fresh)}
        return Keyring.parse(Keyring(merged, self.active).to_json())

    def activate(self, name: str) -> Keyring:
        """With this key as the one that seals from now on."""
        key = self._named(name)
        return Keyring(self.keys, {**self.active, key.use: name})

    def retire(self, name: str) -> Keyring:
        """Without this key. What only it opens can then be opened no more."""
        key = self._named(name)
        if self.active.get(key.use) == name:
            raise InvalidError(f"keyring: {name!r} is the active {key.use} key; activate another")
        return Keyring({n: k for n, k in self.keys.items() if n != name}, self.active)

    def to_json(self) -> bytes:
        """`keyring.json`, readable and stable."""
        document = {
            "active": dict(self.active),
            "keys": {
                key.name: {"use": key.use, "key": base64.b64encode(key.material).decode()}
                for key in self.keys.values()
            },
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    @property
    def active_v1(self) -> Key:
        """The fleet key that seals aes-256-cbc-v1.

        Raises:
            MissingError: the keyring names none.
        """
        return self._active(_V1)

    @property
    def active_v2(self) -> Key:
        """The key that wraps new data keys of sealed-v2.

        Raises:
            MissingError: the keyring names none.
        """
        return self._active(_V2)

    def by_key_id(self, recipient: bytes) -> Key | None:
        """The v2 key with this recipient id."""
        return self._by_id.get(recipient)

    def data_key(self, header: Header) -> bytes:
        """The data key of a sealed-v2 artifact.

        Raises:
            MissingError: no slot is for a key of this keyring.
            IntegrityError: no such slot unwraps.
        """
        fault: IntegrityError | None = None
        for slot in header.slots:
            key = None if slot is None else self.by_key_id(slot.recipient)
            if slot is None or key is None:
                continue
            try:
                return unwrap_for_keyring(header.core, slot, key.material)
            except IntegrityError as error:
                # One damaged slot does not lock out a key that has the other.
                fault = error
        if fault is not None:
            raise fault
        held = [slot.recipient.hex() for slot in header.slots if slot is not None]
        raise MissingError(
            f"keyring: none of its v2 keys opens this small part, which has "
            f"{'slots for ' + ' and '.join(held) if held else 'no slot in use'}"
        )

    def fleet_keys(self) -> tuple[bytes, ...]:
        """Every v1 key, the active one first.

        Raises:
            MissingError: it has none.
        """
        keys = [key for key in self.keys.values() if key.use == _V1]
        if not keys:
            raise MissingError("keyring: has no key of use v1, which aes-256-cbc-v1 needs")
        keys.sort(key=lambda key: key.name != self.active.get(_V1))
        return tuple(key.material for key in keys)

    def opened_small(self, small: Buffer) -> Buffer:
        """As it comes."""
        return small

    @cached_property
    def _by_id(self) -> dict[bytes, Key]:
        return {key.id: key for key in self.keys.values() if key.use == _V2}

    def _named(self, name: str) -> Key:
        if name not in self.keys:
            raise InvalidError(f"keyring: there is no key of that name; it has {self._names()}")
        return self.keys[name]

    def _active(self, use: Use) -> Key:
        if use not in self.active:
            raise MissingError(f"keyring: active.{use} names no key, which this format needs")
        return self.keys[self.active[use]]

    def _names(self) -> str:
        return ", ".join(self.keys) or "none"


@dataclass(frozen=True, slots=True)
class FleetKey:
    """The one key of a legacy device (`pull --fleet-key-file`); an `OpeningKeys` of `slots`.

    Raises:
        InvalidError: it has not 32 bytes.
    """

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_BYTES:
            raise InvalidError(f"fleet key: has {len(self.material)} bytes, must be {KEY_BYTES}")

    def data_key(self, header: Header) -> bytes:  # noqa: ARG002 - whatever the header says
        """None: raises `MissingError`."""
        raise MissingError("sealed-v2 opens with a keyring or a device key, not with a fleet key")

    def fleet_keys(self) -> tuple[bytes, ...]:
        """The key."""
        return (self.material,)

    def opened_small(self, small: Buffer) -> Buffer:
        """As it comes."""
        return small


def _validated(raw: bytes) -> tuple[_Stored | None, str]:
    if len(raw) > KEYRING_MAX_BYTES:
        return None, f"{len(raw)} bytes, must be at most {KEYRING_MAX_BYTES}"
    try:
        document = json.loads(raw, object_pairs_hook=_without_duplicates)
    except _DuplicateError:
        return None, "a name stands twice in one object"
    except (ValueError, RecursionError):
        return None, "is not JSON"
    try:
        return _Stored.model_validate(document), ""
    except ValidationError as error:
        return None, _first_fault(error)


class _DuplicateError(ValueError):
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateError
    return found


# No key in hex or base64 is of this form: it would be longer.
_SHOWN: Final = re.compile(r"[a-z0-9][-a-z0-9]{0,30}")


def _first_fault(error: ValidationError) -> str:
    """Field and what would be right, from a fault whose every text may be a misplaced key."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    kind, loc = fault["type"], fault["loc"]
    steps = [str(step) for step in loc if step != "[key]"]
    where = ".".join(step if _SHOWN.fullmatch(step) else "…" for step in steps)
    match kind:
        case "missing":
            why = "is missing"
        case "extra_forbidden":
            why = "is not a known field"
        case "literal_error" if steps[:1] == ["active"]:
            why = "must be a use, v1 or v2"
        case "literal_error":
            why = "must be v1 or v2"
        case "string_pattern_mismatch":
            why = "a key's name must be 1 to 63 of a-z, 0-9 and '-'"
        case "string_type":
            why = "must be a string"
        case "too_long":
            why = f"must be at most {KEYS_MAX} keys"
        case _:
            why = "must be a JSON object"
    return f"{where}: {why}" if where else why


def _decoded(text: str) -> bytes | None:
    try:
        material = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Unused bits and missing padding would give one key several spellings.
    return material if base64.b64encode(material).decode() == text else None
