"""Enrolling this machine, and binding it anew: keys are made here and never leave.

What leaves is the Device's YAML. Whoever applies it authorises the machine; until then the device
has keys that nobody granted anything to.
"""

from __future__ import annotations

import secrets as system_random
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from sealyard.delivery.kept import explained
from sealyard.delivery.secrets import Pair
from sealyard.device.hardware import HardwareFacts, commitment
from sealyard.device.level import SECRET_BYTES, LevelName
from sealyard.device.state import (
    API_CA_FILE,
    CDN_CA_FILE,
    DEVICE_FILE,
    NEXT_KEYS_FILE,
    TRUST_FOLDER,
    CdnAddress,
    DeviceRecord,
    DeviceSecrets,
    DeviceState,
    Keystore,
    text_key,
)
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.manifest import Platform
from sealyard.sealing.slots import device_recipient

ROOT_FILE: Final = "root.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a device is told when it is made.

    Attributes:
        name: of its object in the cluster.
        target: the ReleaseTarget whose releases it is to open.
        level: how it keeps its keys.
        keystore: where the key of level `keystore` is; an entry of the system's keyring by default.
        models: what it asks to open.
        channels: which channels it follows; any of these models if empty.
        platform: for which variants it is fit.
        api_url: where the release API is.
        api_ca: the PEM bundle to trust there; the system's roots without one.
        cdn: where the CDN is.
        cdn_ca: likewise for the CDN.
        cdn_pair: its read credential.
        trust_root: the first root of the index, brought here by hand.
        fleet_key: of level legacy, and no other: what opens aes-256-cbc-v1.
        hardware_digest_secret: likewise: the Secret that will hold the hardware's digest.

    Raises:
        InvalidError: the fleet key or the Secret is missing at level legacy, or there at another.
    """

    name: str
    target: str
    level: LevelName
    keystore: Keystore | None
    models: list[str]
    channels: list[str]
    platform: Platform
    api_url: str
    api_ca: bytes | None
    cdn: CdnAddress | None
    cdn_ca: bytes | None
    cdn_pair: Pair | None
    trust_root: bytes | None
    fleet_key: bytes | None = field(default=None, repr=False)
    hardware_digest_secret: str | None = None

    def __post_init__(self) -> None:
        is_legacy = self.level == "legacy"
        if (self.fleet_key is not None) != is_legacy:
            raise InvalidError("--fleet-key-file: must be given with --level legacy, and only then")
        if (self.hardware_digest_secret is not None) != is_legacy:
            raise InvalidError("--digest-secret: must be given with --level legacy, and only then")


def enrol(folder: Path, told: Enrolment, facts: Callable[[], HardwareFacts]) -> DeviceState:
    """Make a device in a state folder.

    The record comes last: a folder that has it has all the rest.

    Args:
        folder: made if it is not there, with mode 0700. One that is there must be its owner's
            alone, or empty; then it becomes so.
        told: what it is told.
        facts: reads the hardware's.

    Raises:
        InvalidError: the folder has a device already, or is open to others and holds something; or
            a bundle is no PEM.
        MissingError: a fact, or something else that the level needs, is not there.
    """
    if (folder / DEVICE_FILE).exists():
        raise InvalidError(
            f"{folder} has a device already; its keys would be lost: choose another folder"
        )
    with explained(folder):
        _check_private(folder)
    for option, bundle in (("--api-ca", told.api_ca), ("--cdn-ca", told.cdn_ca)):
        _check_bundle(option, bundle)
    made = DeviceSecrets(
        X25519PrivateKey.generate(),
        Ed25519PrivateKey.generate(),
        system_random.token_bytes(SECRET_BYTES),
        system_random.token_bytes(SECRET_BYTES),
    )
    state = DeviceState(folder, _record(told, made, _commitment(told.level, made, facts)))
    with explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            folder.chmod(0o700)
        (folder / TRUST_FOLDER).mkdir(mode=0o700, exist_ok=True)
    level = state.level(lambda: facts().digest())
    level.create()
    state.seal(made, level)
    if told.cdn_pair is not None:
        state.seal_cdn(told.cdn_pair, made)
    if told.fleet_key is not None:
        state.seal_fleet_key(told.fleet_key, made)
    for name, content in (
        (API_CA_FILE, told.api_ca),
        (CDN_CA_FILE, told.cdn_ca),
        (f"{TRUST_FOLDER}/{ROOT_FILE}", told.trust_root),
    ):
        if content is not None:
            state.write(name, content)
    state.keep()
    return state


def rebind(
    state: DeviceState,
    facts: Callable[[], HardwareFacts],
    *,
    level: LevelName | None = None,
    keystore: Keystore | None = None,
    expected: HardwareFacts | None = None,
) -> DeviceState:
    """Seal the keys anew, while they still open here. The device stays the one that it is.

    Args:
        state: a device of this machine.
        facts: reads the hardware's.
        level: another level.
        keystore: where the key of level `keystore` is.
        expected: the facts that the machine will have once its hardware was changed. The keys then
            open with either, until they are bound again without this.

    Raises:
        InvalidError: facts are expected where the level does not depend on them; or the level is,
            or is to be, `legacy`.
        MissingError: something that a level needs is not there.
        IntegrityError: the keys do not open here; a new device must be made.
    """
    if "legacy" in {level, state.record.level}:
        # What is granted to it is sealed for the hardware that the cluster was told of.
        raise InvalidError(
            "level legacy cannot be bound anew: make another device with `sealyard device init` in "
            "another state folder, and delete the Device of this one"
        )
    # What opens here must not be what is written over.
    held = state.settle(state.level(lambda: facts().digest()))
    name = level or state.record.level
    if expected is not None:
        if (name, state.record.level) != ("fingerprint", "fingerprint"):
            raise InvalidError("--facts: only level fingerprint depends on the hardware's facts")
        state.seal(held, state.level(expected.digest), name=NEXT_KEYS_FILE)
        changed = state.changed(
            fingerprint_commitment=commitment(held.salt, expected.digest()).hex()
        )
        changed.keep()
        return changed
    changed = state.changed(
        level=name,
        keystore=keystore or state.record.keystore,
        fingerprint_commitment=_commitment(name, held, facts),
    )
    target = changed.level(lambda: facts().digest())
    if (name, keystore) != (state.record.level, None):
        target.create()
    # Until the record names the new level, the old one must open what is there.
    changed.seal(held, target, name=NEXT_KEYS_FILE)
    changed.keep()
    changed.promote()
    return changed


def device_document(record: DeviceRecord) -> dict[str, Any]:
    """The Device, to be reviewed and applied."""
    spec: dict[str, Any] = {
        "deviceId": record.device_id,
        "encryptionKey": record.encryption_key,
        "signingKey": record.signing_key,
        "level": record.level,
    }
    if record.fingerprint_commitment is not None:
        spec["fingerprintCommitment"] = record.fingerprint_commitment
    if record.hardware_digest_secret is not None:
        spec["hardwareDigestSecretRef"] = {"name": record.hardware_digest_secret}
    spec["models"] = record.models
    if record.channels:
        spec["channels"] = record.channels
    spec["targetRef"] = {"name": record.target}
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "Device",
        "metadata": {"name": record.name},
        "spec": spec,
    }


def _record(told: Enrolment, made: DeviceSecrets, fingerprint: str | None) -> DeviceRecord:
    encryption = made.encryption.public_key().public_bytes_raw()
    signing = made.signing.public_key().public_bytes_raw()
    fault: str | None = None
    try:
        return DeviceRecord(
            name=told.name,
            target=told.target,
            device_id=device_recipient(encryption, signing).hex(),
            encryption_key=text_key(encryption),
            signing_key=text_key(signing),
            level=told.level,
            keystore=told.keystore,
            fingerprint_commitment=fingerprint,
            hardware_digest_secret=told.hardware_digest_secret,
            models=told.models,
            channels=told.channels,
            api_url=told.api_url,
            cdn=told.cdn,
            platform=told.platform,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        fault = f"{'.'.join(to_camel(str(step)) for step in first['loc'])}: {first['msg']}"
    # A URL may hold a password, so what was given is not repeated.
    raise InvalidError(f"device: {fault}")


def _commitment(
    level: LevelName, made: DeviceSecrets, facts: Callable[[], HardwareFacts]
) -> str | None:
    """Of the facts; where the level does not need them they may be missing."""
    try:
        return commitment(made.salt, facts().digest()).hex()
    except MissingError:
        if level in {"fingerprint", "legacy"}:
            raise
        return None


def _check_private(folder: Path) -> None:
    """Refuse what others use already: shut to them, it would be gone for them."""
    if not folder.is_dir():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077 and any(folder.iterdir()):
        raise InvalidError(
            f"--state: {folder} is open to others (mode {mode:04o}) and not empty; "
            "choose another folder, or make it 0700"
        )


def _check_bundle(option: str, bundle: bytes | None) -> None:
    if bundle is None:
        return
    try:
        x509.load_pem_x509_certificates(bundle)
    except ValueError:
        raise InvalidError(f"{option}: holds no PEM certificate") from None
