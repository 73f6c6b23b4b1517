"""What the release API, the grant Job and devices say to each other (contracts.md 5 and 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from sealyard.api.model import Name, SemVer, Sha256, Timestamp
from sealyard.api.release_api import WireModel

DEVICES_PATH = "/devices"
GRANTS_PATH = "/grants"
GRANTS_DIGEST_PATH = "/grants/digest"
GRANTED_VARIANTS_PATH = "/grants/variants"
DROPPED_GRANTS_PATH = "/grants/dropped"

BATCH_MAX = 1000
"""The most devices, or slots, that one request holds."""
BATCH_MAX_BYTES = 5 * 1024 * 1024
"""The longest body of such a request: 1,000 devices with all their models, or small parts."""
GRANT_PAGE_MAX = BATCH_MAX * 10
VARIANT_PAGE_MAX = 500
MODELS_MAX = 64
NONCE_BYTES = 32
CHALLENGE_SECONDS = 60
"""How long a nonce may be answered; it is good for one answer."""
SLOT_BYTES = 96
LEGACY_SMALL_MAX_BYTES = 3072 + 16 + 16 + 32
"""A small part of aes-256-cbc-v1 under a device's own key: IV, padding and HMAC around it."""
TOKEN_REQUEST_MAX_BYTES = 1024
REPORT_MAX_BYTES = 4096

_TOKEN_CONTEXT: Final = b"sealyard/token/v1\0"

DeviceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$", max_length=32)]
"""The recipient id of both public keys, in hex; recomputed wherever it is read."""
# The last digit holds bits that no byte has: only where these are zero has a value one spelling.
RawKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", min_length=44, max_length=44
    ),
]
"""32 bytes in base64, in its one spelling: a raw X25519 or Ed25519 public key, or a nonce."""
RawSignature = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$", min_length=88, max_length=88),
]
"""64 bytes in base64, in its one spelling."""


DeviceLevel = Literal["fingerprint", "keystore", "tpm2", "legacy"]
"""How a device keeps its private keys. A claim, until it is attested."""


def device_path(device_id: str) -> str:
    """The path of one device."""
    return f"{DEVICES_PATH}/{device_id}"


def challenge_path(device_id: str) -> str:
    """Where a device asks for a nonce."""
    return f"{DEVICES_PATH}/{device_id}/token/challenge"


def device_token_path(device_id: str) -> str:
    """Where a device logs in with its signature over the nonce."""
    return f"{DEVICES_PATH}/{device_id}/token"


def report_path(device_id: str) -> str:
    """Where a device says what it runs."""
    return f"{DEVICES_PATH}/{device_id}/report"


def origin_of(url: str) -> str:
    """The origin of a URL as both sides write it: lower-case, without path, port 443 left out.

    Raises:
        ValueError: its port is no port.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, 443} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def granted_digest(device_ids: Iterable[str]) -> str:
    """The digest of `GrantDigest`: SHA-256 over these ids as bytes, sorted and joined."""
    return hashlib.sha256(b"".join(sorted(map(bytes.fromhex, device_ids)))).hexdigest()


def token_message(origin: str, device_id: str, nonce: bytes) -> bytes:
    """What a device signs to log in (contracts.md section 6).

    Args:
        origin: of the API as the device reaches it, `origin_of` its URL: `https://api:8443`. A
            server that passes the nonce of another one on gets a signature that is of no use there.
        device_id: its own.
        nonce: as the API gave it.
    """
    fields = b"".join(
        len(text).to_bytes(2, "big") + text for text in (origin.encode(), device_id.encode())
    )
    return _TOKEN_CONTEXT + fields + nonce


class DeviceEntry(WireModel):
    """A device that is authorised: both public keys, and what it may have."""

    device_id: DeviceId
    encryption_key: RawKey = Field(description="X25519.")
    signing_key: RawKey = Field(description="Ed25519.")
    models: Annotated[list[Name], Field(max_length=MODELS_MAX)]
    not_after: Timestamp | None = None
    suspended: bool = False


class DeviceBatch(WireModel):
    """`PUT /devices`: these devices become what stands here; others stay as they are."""

    devices: Annotated[list[DeviceEntry], Field(min_length=1, max_length=BATCH_MAX)]


class Changed(WireModel):
    """The answer to a batch: how many entries were not there yet as they stand in it."""

    changed: Annotated[int, Field(ge=0)]


class Challenge(WireModel):
    """A nonce, good for one login of this device within `CHALLENGE_SECONDS`."""

    nonce: RawKey
    expires_at: Timestamp


class TokenRequest(WireModel):
    """A device logs in; the answer is a `LoginResponse`."""

    nonce: RawKey
    signature: RawSignature = Field(description="Ed25519, over `token_message`.")


MESSAGE_MAX = 256


class Health(StrEnum):
    """What a device's health hook made of the release that it runs."""

    HEALTHY = "Healthy"
    ROLLED_BACK = "RolledBack"
    UNKNOWN = "Unknown"
    STOPPED = "Stopped"
    """Nothing runs: no release is named, or what ran was withdrawn or refused."""


class Report(WireModel):
    """What a device says that it runs.

    Attributes:
        version: of the release; None, as its manifest, where nothing runs.
        message: why the device could not do what its channel says.
    """

    model: Name
    version: SemVer | None = None
    manifest_sha256: Sha256 | None = None
    channel: Name | None = None
    health: Health
    message: Annotated[str, StringConstraints(max_length=MESSAGE_MAX)] | None = None

    @model_validator(mode="after")
    def _something_or_nothing(self) -> Self:
        runs = self.health is not Health.STOPPED
        if runs != (self.version is not None) or runs != (self.manifest_sha256 is not None):
            raise ValueError(
                "version and manifestSha256 are those of what runs, and are left out if health is "
                "Stopped"
            )
        return self


class SeenDevice(WireModel):
    """A device, and what it reported, newest first by model."""

    device_id: DeviceId
    models: Annotated[list[Name], Field(max_length=MODELS_MAX)]
    not_after: Timestamp | None = None
    suspended: bool = False
    last_login_at: Timestamp | None = None
    reports: Annotated[list[SeenReport], Field(max_length=MODELS_MAX)]


class SeenReport(Report):
    """A report with the time at which the API had it."""

    reported_at: Timestamp


class DevicePage(WireModel):
    """`GET /devices`, in the order of the ids; `next` as in `ReleasePage`."""

    devices: Annotated[list[SeenDevice], Field(max_length=500)]
    next: DeviceId | None = None


class GrantedSlot(WireModel):
    """What one device needs to open one variant.

    Of sealed-v2 the 96-byte slot, which begins with the device's id; of aes-256-cbc-v1 the small
    part under the device's own key.
    """

    device_id: DeviceId
    sealed: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", min_length=128, max_length=4184),
        Field(repr=False),
    ]


class GrantBatch(WireModel):
    """`PUT /grants`: slots of one variant. The same again is harmless, another one replaces."""

    model: Name
    version: SemVer
    variant: Name
    sha256: Sha256 = Field(
        description="What they were made for: of the core for sealed-v2, of the small part else."
    )
    slots: Annotated[list[GrantedSlot], Field(min_length=1, max_length=BATCH_MAX)]


class GrantDigest(WireModel):
    """`GET /grants/digest?model=&version=&variant=`: which devices hold a slot.

    `digest` is the SHA-256 over their ids as bytes, sorted and joined.
    """

    digest: Sha256
    devices: Annotated[int, Field(ge=0)]


class GrantPage(WireModel):
    """`GET /grants?model=&version=&variant=&after=&limit=`: their ids, in order."""

    devices: Annotated[list[DeviceId], Field(max_length=GRANT_PAGE_MAX)]
    next: DeviceId | None = None


class GrantedVariant(WireModel):
    """A variant of which some device holds a slot."""

    model: Name
    version: SemVer
    variant: Name


class GrantedVariantPage(WireModel):
    """`GET /grants/variants?after=&limit=`: in order; `next` is `model/version/variant`."""

    variants: Annotated[list[GrantedVariant], Field(max_length=VARIANT_PAGE_MAX)]
    next: Annotated[str, StringConstraints(max_length=254)] | None = None


class DroppedGrants(WireModel):
    """`PUT /grants/dropped`: these devices hold no slot of this variant any more.

    Those that hold none are as they are to be; so the same again is harmless.
    """

    model: Name
    version: SemVer
    variant: Name
    devices: Annotated[list[DeviceId], Field(min_length=1, max_length=BATCH_MAX)]


SeenDevice.model_rebuild()
