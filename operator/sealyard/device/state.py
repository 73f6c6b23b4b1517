"""The state folder: who the device is, in clear, and its keys, sealed by its level.

    device.json     public: id, keys, level, where the stores are, what it may open
    keys.sealed     the private keys, the salt of the commitment, the key of resources
    next.sealed     the same for hardware that is about to change (`device rebind --facts`)
    cdn.sealed      the read-only CDN credential, if one was given; sealed with the resource key
    fleet.sealed    level legacy: the fleet key, likewise
    local.random, tpm2.public, tpm2.private    what the level needs
    api-ca.crt, cdn-ca.crt    the CAs to trust, if they were given
    trust/          the first root, and the metadata of the index
    models/         what was pulled, sealed

Each file takes its place by rename, and the folder is its owner's alone.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import Field, ValidationError

from sealyard.api.device_api import MODELS_MAX, DeviceId, RawKey
from sealyard.api.model import HttpsUrl, Model, Name, ObjectName, Sha256
from sealyard.delivery.kept import explained, private_file
from sealyard.delivery.readers import FileReader
from sealyard.delivery.secrets import Pair
from sealyard.device.fingerprint import FingerprintLevel
from sealyard.device.keystore import KeyFile, KeystoreLevel, SystemKeyring
from sealyard.device.level import Level, LevelName
from sealyard.device.tpm2 import Tpm2Level
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import read_record, sync_folder
from sealyard.sealing.manifest import Platform
from sealyard.sealing.resource import ResourceKeys, open_bytes, seal_bytes
from sealyard.sealing.slots import DeviceKey, device_recipient

DEVICE_FILE: Final = "device.json"
KEYS_FILE: Final = "keys.sealed"
NEXT_KEYS_FILE: Final = "next.sealed"
CDN_FILE: Final = "cdn.sealed"
FLEET_FILE: Final = "fleet.sealed"
API_CA_FILE: Final = "api-ca.crt"
CDN_CA_FILE: Final = "cdn-ca.crt"
TRUST_FOLDER: Final = "trust"
MODELS_FOLDER: Final = "models"
STATE_VERSION: Final = 1

_KEYS_PURPOSE: Final = "keys"
_CDN_PURPOSE: Final = "cdn"
_FLEET_PURPOSE: Final = "fleet"
_FILES_PURPOSE: Final = "files"


class CdnAddress(Model):
    """Where the CDN is."""

    endpoint: HttpsUrl
    region: str
    bucket: str


class Keystore(Model):
    """Where the key of level `keystore` is: exactly one of both."""

    file: str | None = None
    entry: str | None = None


class DeviceRecord(Model):
    """device.json: nothing in it is secret."""

    version: Literal[1] = STATE_VERSION
    name: ObjectName = Field(description="Of its object in the cluster.")
    target: ObjectName = Field(description="The ReleaseTarget whose releases it opens.")
    device_id: DeviceId
    encryption_key: RawKey
    signing_key: RawKey
    level: LevelName
    keystore: Keystore | None = None
    fingerprint_commitment: Sha256 | None = None
    hardware_digest_secret: ObjectName | None = Field(
        default=None, description="Level legacy: the Secret that holds the hardware's digest."
    )
    models: Annotated[list[Name], Field(max_length=MODELS_MAX)]
    channels: Annotated[list[Name], Field(max_length=MODELS_MAX)]
    api_url: HttpsUrl
    cdn: CdnAddress | None = None
    platform: Platform = Platform()

    def recipient(self) -> bytes:
        """The id that both public keys give."""
        return device_recipient(raw_key(self.encryption_key), raw_key(self.signing_key))


@dataclass(frozen=True, slots=True)
class DeviceSecrets:
    """What only the machine itself has.

    Attributes:
        encryption: opens slots.
        signing: logs in.
        resource: seals files.
        salt: of the commitment to the hardware.
    """

    encryption: X25519PrivateKey = field(repr=False)
    signing: Ed25519PrivateKey = field(repr=False)
    resource: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    @property
    def opening_key(self) -> DeviceKey:
        """What opens releases."""
        return DeviceKey(self.encryption, self.signing.public_key().public_bytes_raw())

    @property
    def files(self) -> ResourceKeys:
        """What seals files of the user's."""
        return ResourceKeys.derive(self.resource, _FILES_PURPOSE)

    def encode(self) -> bytes:
        """As they are sealed."""
        parts = {
            "encryption": self.encryption.private_bytes_raw(),
            "signing": self.signing.private_bytes_raw(),
            "resource": self.resource,
            "salt": self.salt,
        }
        return json.dumps({name: text_key(part) for name, part in parts.items()}).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """From what was opened, and so was sealed by `encode`."""
        parts = {name: raw_key(text) for name, text in json.loads(raw).items()}
        return cls(
            X25519PrivateKey.from_private_bytes(parts["encryption"]),
            Ed25519PrivateKey.from_private_bytes(parts["signing"]),
            parts["resource"],
            parts["salt"],
        )


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A state folder and what stands in its device.json.

    Attributes:
        folder: the state folder.
        record: device.json.
    """

    folder: Path
    record: DeviceRecord

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read device.json.

        Raises:
            MissingError: there is none; `sealyard device init` makes one.
            IntegrityError: it is none of ours, or its id is not that of its keys.
        """
        path = folder / DEVICE_FILE
        try:
            raw = read_record(path)
        except OSError as error:
            raise MissingError(
                f"{path}: cannot be read ({error.strerror}); `sealyard device init` makes it"
            ) from None
        record = None
        try:
            record = DeviceRecord.model_validate_json(raw)
        except ValidationError as error:
            where = ".".join(str(step) for step in error.errors()[0]["loc"])[:80]
        if record is None:
            raise IntegrityError(f"{path}: is not what `sealyard device init` wrote ({where})")
        if record.recipient().hex() != record.device_id:
            raise IntegrityError(f"{path}: deviceId is not that of its keys")
        return cls(folder, record)

    def keep(self) -> None:
        """Write device.json."""
        text = self.record.model_dump_json(by_alias=True, exclude_none=True, indent=1)
        self.write(DEVICE_FILE, text.encode())

    def changed(self, **fields: Any) -> Self:
        """The same device with other fields in its record, which is not written yet."""
        return replace(self, record=self.record.model_copy(update=fields))

    def level(self, digest: Callable[[], bytes], name: LevelName | None = None) -> Level:
        """What keeps the keys.

        Args:
            digest: gives the hardware's.
            name: another level than the record's.
        """
        match name or self.record.level:
            case "fingerprint" | "legacy" as binding:
                return FingerprintLevel(self.folder, digest, binding)
            case "tpm2":
                return Tpm2Level(self.folder)
            case "keystore":
                place = self.record.keystore or Keystore()
                if place.file is not None:
                    return KeystoreLevel(KeyFile(Path(place.file)))
                return KeystoreLevel(SystemKeyring(place.entry or self.record.device_id))

    def seal(self, secrets: DeviceSecrets, level: Level, *, name: str = KEYS_FILE) -> None:
        """Seal the secrets to this machine.

        Raises:
            MissingError: something that the level needs is not there, or nothing can be written.
        """
        self.write(name, seal_bytes(level.keys(_KEYS_PURPOSE), secrets.encode()))

    def unlock(self, level: Level) -> DeviceSecrets:
        """The secrets, on the machine that they were sealed to.

        Where hardware was about to change, either binding will do.

        Raises:
            MissingError: something that the level needs, or the sealed keys, are not there.
            IntegrityError: this is another machine, or something was changed.
        """
        return self._unlocked(level)[1]

    def settle(self, level: Level) -> DeviceSecrets:
        """As `unlock`; and the binding that opens here is that of keys.sealed from now on.

        So another one may take the place of next.sealed.

        Raises:
            MissingError, IntegrityError: as `unlock`; or nothing can be written.
        """
        name, secrets = self._unlocked(level)
        if name == NEXT_KEYS_FILE:
            self.promote()
        return secrets

    def promote(self) -> None:
        """Let next.sealed take the place of keys.sealed.

        Raises:
            MissingError: it cannot.
        """
        with explained(self.folder):
            (self.folder / NEXT_KEYS_FILE).replace(self.folder / KEYS_FILE)
            sync_folder(self.folder)

    def _unlocked(self, level: Level) -> tuple[str, DeviceSecrets]:
        """Which file opened, and the secrets."""
        keys = level.keys(_KEYS_PURPOSE)
        names = [name for name in (NEXT_KEYS_FILE, KEYS_FILE) if (self.folder / name).exists()]
        for name in names or [KEYS_FILE]:
            try:
                secrets = DeviceSecrets.decode(self._opened(name, keys))
            except IntegrityError:
                if name == KEYS_FILE:
                    raise
                continue
            if not hmac.compare_digest(secrets.opening_key.recipient, self.record.recipient()):
                raise IntegrityError(f"{self.folder}: {DEVICE_FILE} and {name} are of two devices")
            return name, secrets
        raise AssertionError("the last of the names either opens or raises")

    def seal_cdn(self, pair: Pair, secrets: DeviceSecrets) -> None:
        """Keep the CDN's read credential."""
        raw = json.dumps([pair.name, pair.secret]).encode()
        keys = ResourceKeys.derive(secrets.resource, _CDN_PURPOSE)
        self.write(CDN_FILE, seal_bytes(keys, raw))

    def cdn_pair(self, secrets: DeviceSecrets) -> Pair:
        """The CDN's read credential.

        Raises:
            MissingError: none was given.
            IntegrityError: it was changed.
        """
        keys = ResourceKeys.derive(secrets.resource, _CDN_PURPOSE)
        return Pair(*json.loads(self._opened(CDN_FILE, keys)))

    def seal_fleet_key(self, key: bytes, secrets: DeviceSecrets) -> None:
        """Keep the fleet key of a legacy device."""
        keys = ResourceKeys.derive(secrets.resource, _FLEET_PURPOSE)
        self.write(FLEET_FILE, seal_bytes(keys, key))

    def fleet_key(self, secrets: DeviceSecrets) -> bytes:
        """The fleet key.

        Raises:
            MissingError: it is not there.
            IntegrityError: it was changed.
        """
        return self._opened(FLEET_FILE, ResourceKeys.derive(secrets.resource, _FLEET_PURPOSE))

    def write(self, name: str, content: bytes) -> None:
        """Put a file of the folder in its place.

        Raises:
            MissingError: it cannot be written.
        """
        path = self.folder / name
        with explained(path), private_file(path) as file:
            file.write(content)

    def _opened(self, name: str, keys: ResourceKeys) -> bytes:
        path = self.folder / name
        failure: str | None = None
        with FileReader.open(path) as sealed:
            try:
                return open_bytes(keys, sealed)
            except IntegrityError as error:
                failure = str(error)
        raise IntegrityError(f"{path}: {failure}")


def text_key(raw: bytes) -> str:
    """32 bytes as they stand in JSON."""
    return base64.b64encode(raw).decode()


def raw_key(text: str) -> bytes:
    """The bytes that `text_key` was given."""
    return base64.b64decode(text)
