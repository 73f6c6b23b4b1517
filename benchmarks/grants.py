"""Slots for a fleet: what the grant Job does for each device, against the bare HPKE operations.

The release API is not in it. On the same cores it needs as long for storing them as the Job for
making them, and whoever grants to a fleet has it elsewhere.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from benchmarks.table import CheckError, OpenRace, Race, Side
from sealyard.api.device_api import BATCH_MAX
from sealyard.api.grants import AuthorisedDevice
from sealyard.delivery.recipients import Recipient, slots_for
from sealyard.sealing.header import Core
from sealyard.sealing.slots import device_recipient

_SLOT_BYTES: Final = 96
_MOST_BYTES: Final = 1 << 20
"""Of slots, also where other rows are asked for more: ten thousand devices are a fleet."""
_HPKE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_WORKERS: Final = 2


@contextmanager
def _slots(_folder: Path, size_bytes: int) -> Iterator[Race]:
    size_bytes = min(size_bytes, _MOST_BYTES)
    devices = [_device() for _ in range(size_bytes // _SLOT_BYTES)]
    batches = [devices[at : at + BATCH_MAX] for at in range(0, len(devices), BATCH_MAX)]
    data_key = os.urandom(32)
    core = Core.create(
        file_id=os.urandom(32),
        plaintext_bytes=1,
        context_digest=os.urandom(32),
        data_key=data_key,
    )

    def grant(batch: list[AuthorisedDevice]) -> int:
        slots, refused = slots_for(core, data_key, [Recipient.of(device) for device in batch])
        if refused:
            raise CheckError("a device was refused")
        return len(slots)

    def wrap(batch: list[AuthorisedDevice]) -> int:
        for device in batch:
            key = X25519PublicKey.from_public_bytes(base64.b64decode(device.encryption_key))
            _HPKE.encrypt(data_key, key, core.encode())
        return len(batch)

    def all_of(work: Callable[[list[AuthorisedDevice]], int]) -> None:
        with ThreadPoolExecutor(_WORKERS) as pool:
            if sum(pool.map(work, batches)) != len(devices):
                raise CheckError("not every device has a slot")

    yield Race(
        what=f"slots for {len(devices):,} devices, as they are sent",
        against="the bare HPKE operations",
        least=0.7,
        size_bytes=size_bytes,
        ours=Side(run=lambda: all_of(grant)),
        theirs=Side(run=lambda: all_of(wrap)),
    )


def _device() -> AuthorisedDevice:
    encryption = X25519PrivateKey.generate().public_key().public_bytes_raw()
    signing = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return AuthorisedDevice(
        device_id=device_recipient(encryption, signing).hex(),
        encryption_key=base64.b64encode(encryption).decode(),
        signing_key=base64.b64encode(signing).decode(),
        level="tpm2",
        models=["coins"],
    )


ROWS: Final[Mapping[str, OpenRace]] = {"grants": _slots}
