"""Devices as the release API sees them: two key pairs, an entry, a login."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.api.device_api import (
    DeviceEntry,
    GrantedSlot,
    challenge_path,
    device_path,
    device_token_path,
    token_message,
)
from sealyard.sealing.slots import device_recipient


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class Device:
    encryption: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def id(self) -> str:
        keys = self.encryption.public_key(), self.signing.public_key()
        return device_recipient(*(key.public_bytes_raw() for key in keys)).hex()

    def entry(
        self, *models: str, suspended: bool = False, not_after: str | None = None
    ) -> DeviceEntry:
        return DeviceEntry(
            device_id=self.id,
            encryption_key=b64(self.encryption.public_key().public_bytes_raw()),
            signing_key=b64(self.signing.public_key().public_bytes_raw()),
            models=list(models),
            not_after=not_after,
            suspended=suspended,
        )

    def slot(self, filler: int = 1) -> GrantedSlot:
        """Bytes of a sealed-v2 slot's form; the server does not look into it."""
        return GrantedSlot(
            device_id=self.id, sealed=b64(bytes.fromhex(self.id) + bytes([filler]) * 80)
        )

    def sign(self, origin: str, nonce: str) -> dict[str, str]:
        """The body of a login."""
        message = token_message(origin, self.id, base64.b64decode(nonce))
        return {"nonce": nonce, "signature": b64(self.signing.sign(message))}


def register(client: httpx.Client, device: Device, *models: str, **changes: object) -> None:
    body = device.entry(*models, **changes).to_wire()  # type: ignore[arg-type]
    answer = client.put(device_path(device.id), json=body)
    assert answer.status_code == 200, answer.text


def nonce_for(client: httpx.Client, device_id: str) -> str:
    answer = client.post(challenge_path(device_id))
    assert answer.status_code == 200, answer.text
    nonce: str = answer.json()["nonce"]
    return nonce


def log_in_as(client: httpx.Client, device: Device, *, origin: str | None = None) -> httpx.Response:
    """A login with a new nonce, whatever comes of it."""
    body = device.sign(origin or str(client.base_url), nonce_for(client, device.id))
    return client.post(device_token_path(device.id), json=body)


def bearer(client: httpx.Client, device: Device) -> dict[str, str]:
    """The header of a device that is logged in."""
    answer = log_in_as(client, device)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}
