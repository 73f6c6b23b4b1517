"""A device logs in by its signing key: a nonce, and a signature over it and the API's origin."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealyard.api.device_api import (
    Challenge,
    TokenRequest,
    challenge_path,
    device_token_path,
    origin_of,
    token_message,
)
from sealyard.api.release_api import LoginResponse
from sealyard.delivery.account import Door


@dataclass(frozen=True, slots=True)
class DeviceAccount:
    """An `Account`.

    Attributes:
        device_id: of both public keys.
        signing: the private half of the key that logs in.
    """

    device_id: str
    signing: Ed25519PrivateKey = field(repr=False)

    @property
    def source(self) -> str:
        """What it is called in messages."""
        return f"device {self.device_id}"

    @property
    def advice(self) -> str:
        """What to do where it is not let in."""
        return "is its Device applied, and neither suspended nor past its notAfter?"

    def fingerprint(self) -> bytes:
        """Of the key, which never changes: a session that was refused asks no second time."""
        return self.signing.public_key().public_bytes_raw()

    def log_in(self, door: Door) -> LoginResponse:
        """Sign a nonce for this API, and no other."""
        challenge = door.post(challenge_path(self.device_id), "the challenge", None, Challenge)
        nonce = base64.b64decode(challenge.nonce)
        message = token_message(origin_of(door.url), self.device_id, nonce)
        request = TokenRequest(
            nonce=challenge.nonce, signature=base64.b64encode(self.signing.sign(message)).decode()
        )
        return door.post(device_token_path(self.device_id), "the login", request, LoginResponse)
