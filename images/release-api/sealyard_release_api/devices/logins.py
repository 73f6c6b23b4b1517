"""Devices that log in: a nonce, then a signature over it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import SQLAlchemyError

from sealyard.api.device_api import CHALLENGE_SECONDS, Challenge, TokenRequest, token_message
from sealyard.api.release_api import LoginResponse, Reason
from sealyard_release_api.context import Clock, Context
from sealyard_release_api.devices import rows
from sealyard_release_api.devices.challenges import forget_before, issued_at, new_nonce
from sealyard_release_api.limits import LoginGuard
from sealyard_release_api.log import timestamp
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.wire import Refusal


class DeviceLogins:
    """Logins of devices. One per server.

    Args:
        context: what the routes share.
        mounted: the keys.
        origins: of this API as devices reach it; what a device signs names one of them.
        monotonic: seconds that never go back, for the limits.
    """

    def __init__(
        self, context: Context, mounted: Mounted, origins: Sequence[str], *, monotonic: Clock
    ) -> None:
        self._context = context
        self._mounted = mounted
        self._origins = tuple(origins)
        self._monotonic = monotonic
        # A device that is not registered costs what one costs that is.
        self._decoy = Ed25519PrivateKey.generate().public_key()
        settings = context.settings
        self._guard = LoginGuard(
            account_attempts=settings.account_attempts,
            address_attempts=settings.address_attempts,
            window_seconds=settings.attempt_window_seconds,
        )

    def challenge(self, device_id: str) -> Challenge:
        """A nonce for a device, registered or not: nothing is looked up."""
        keys = self._mounted.credentials.keys
        now = int(self._context.clock())
        nonce = new_nonce(keys.challenging[keys.active], device_id, now)
        return Challenge(
            nonce=base64.b64encode(nonce).decode(),
            expires_at=timestamp(now + CHALLENGE_SECONDS),
        )

    async def log_in(self, device_id: str, request: TokenRequest, address: str) -> LoginResponse:
        """A token for the right signature.

        Raises:
            Refusal: `NonceRefused`, `LoginRefused`, or `TooManyRequests` with Retry-After.
            SQLAlchemyError: the database does not answer.
        """
        # Who knows a device's id must not be able to shut it out from elsewhere.
        attempt = (f"{device_id} {address}", address)
        wait = self._guard.admit(*attempt, self._monotonic())
        if wait:
            raise Refusal(
                Reason.TOO_MANY_REQUESTS,
                "too many logins of this device or from this address; wait and try again",
                {"Retry-After": str(math.ceil(wait))},
            )
        try:
            answer = await self._context.in_thread(lambda: self._prove(device_id, request))
        except SQLAlchemyError:
            self._guard.forgive(*attempt)
            raise
        self._guard.forgive(*attempt)
        return answer

    def _prove(self, device_id: str, request: TokenRequest) -> LoginResponse:
        keys = self._mounted.credentials.keys
        now = self._context.clock()
        nonce = base64.b64decode(request.nonce)
        issued = issued_at(keys.challenging.values(), device_id, nonce, now)
        with self._context.store.reading() as transaction:
            device = rows.find(transaction, device_id)
        key = self._decoy
        if device is not None:
            raw = base64.b64decode(device.entry.signing_key)
            key = Ed25519PublicKey.from_public_bytes(raw)
        signed = self._is_signed(key, device_id, nonce, base64.b64decode(request.signature))
        if device is None or not signed:
            raise Refusal(
                Reason.LOGIN_REFUSED,
                "there is no such device, or it has not signed this nonce for this API",
            )
        obstacle = device.obstacle(now)
        if obstacle is not None:
            raise Refusal(Reason.LOGIN_REFUSED, obstacle)
        with self._context.store.writing(f"device {device_id}") as transaction:
            fresh = rows.use_nonce(
                transaction,
                device_id,
                base64.b64encode(nonce).decode(),
                issued_at=issued,
                forget_before=forget_before(now),
            )
            if not fresh:
                raise Refusal(Reason.NONCE_REFUSED, "the nonce was used before; ask for another")
            rows.logged_in(transaction, device_id, timestamp(now))
        seconds = self._context.settings.token_seconds
        token = keys.issue(
            device.principal, generation=device.generation, now=int(now), seconds=seconds
        )
        return LoginResponse(token=token, expires_at=timestamp(now + seconds))

    def _is_signed(
        self, key: Ed25519PublicKey, device_id: str, nonce: bytes, signature: bytes
    ) -> bool:
        for origin in self._origins:
            try:
                key.verify(signature, token_message(origin, device_id, nonce))
            except InvalidSignature:
                continue
            return True
        return False
