"""Nonces of devices. Giving one out keeps nothing, so strangers cannot fill anything with them.

A nonce says itself when it was made, and that this API made it for this device: time (8 bytes) ‖
random (8) ‖ MAC (16). The keys come with the mounted Secret, so each replica knows the nonces of
all. Only one that was answered rightly is remembered, until it expires.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable

from sealyard.api.device_api import CHALLENGE_SECONDS, NONCE_BYTES
from sealyard.api.release_api import Reason
from sealyard_release_api.tokens import LEEWAY_SECONDS
from sealyard_release_api.wire import Refusal

_TIME_BYTES = 8
_RANDOM_BYTES = 8
_MAC_BYTES = NONCE_BYTES - _TIME_BYTES - _RANDOM_BYTES


def new_nonce(key: bytes, device_id: str, now: int) -> bytes:
    """A nonce for a device.

    Args:
        key: the MAC key.
        device_id: whose; it need not be registered.
        now: Unix seconds.
    """
    said = now.to_bytes(_TIME_BYTES, "big") + os.urandom(_RANDOM_BYTES)
    return said + _mac(key, device_id, said)


def issued_at(keys: Iterable[bytes], device_id: str, nonce: bytes, now: float) -> int:
    """When a nonce was given out, which was not too long ago.

    Args:
        keys: the MAC keys of which one made it.
        device_id: whose it must be.
        nonce: as it came back.
        now: Unix seconds.

    Raises:
        Refusal: `NonceRefused`.
    """
    said, mac = nonce[:-_MAC_BYTES], nonce[-_MAC_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(key, device_id, said)) for key in keys):
        raise Refusal(Reason.NONCE_REFUSED, "the nonce is none of this API for this device")
    issued = int.from_bytes(said[:_TIME_BYTES], "big")
    if not issued - LEEWAY_SECONDS <= now < issued + CHALLENGE_SECONDS:
        raise Refusal(Reason.NONCE_REFUSED, "the nonce has expired; ask for another")
    return issued


def forget_before(now: float) -> int:
    """Nonces that were given out earlier have expired at every replica, and may be forgotten."""
    return int(now) - CHALLENGE_SECONDS - 2 * LEEWAY_SECONDS


def _mac(key: bytes, device_id: str, said: bytes) -> bytes:
    return hmac.digest(key, bytes.fromhex(device_id) + said, "sha256")[:_MAC_BYTES]
