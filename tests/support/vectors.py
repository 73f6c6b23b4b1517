"""The artifacts that the vector files describe, as the product takes them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import DeviceKey, Entry, FleetKey, Keyring, OpeningKeys
from sealyard.sealing.keyring import Key
from sealyard.sealing.legacy import LegacyKey
from sealyard.sealing.manifest import BigPart, Sealing, SmallPart
from support.sealing import Artifact, variant_of
from vectors.making import decode, with_big


def keys_of(fields: dict[str, str]) -> OpeningKeys:
    if "hardware-digest" in fields:
        names = ("fleet-key", "hardware-digest", "device-id")
        return LegacyKey(*(bytes.fromhex(fields[name]) for name in names))
    if "fleet-key" in fields:
        return FleetKey(bytes.fromhex(fields["fleet-key"]))
    if "keyring-key" in fields:
        key = Key("kek", "v2", bytes.fromhex(fields["keyring-key"]))
        return Keyring({"kek": key}, {"v2": "kek"})
    private = bytes.fromhex(fields["device-encryption-private-key"])
    return DeviceKey(
        X25519PrivateKey.from_private_bytes(private), bytes.fromhex(fields["device-signing-key"])
    )


def artifact_of(raw: bytes) -> tuple[dict[str, str], Artifact]:
    fields, small, big = with_big(decode(raw))
    segments = fields.get("segments")
    variant = variant_of(
        name=fields["variant"],
        plaintext_bytes=int(fields["plaintext-bytes"]),
        sealing=Sealing.model_validate({"format": fields["format"]}),
        small=SmallPart(
            size_bytes=int(fields["small-size"]),
            core_sha256=fields.get("core-sha256"),
            sha256=fields.get("small-sha256"),
        ),
        big=BigPart(
            key=f"objects/{'0' * 64}",
            size_bytes=int(fields["big-size"]),
            segments=None if segments is None else int(segments),
            tree_sha256=fields.get("tree-sha256"),
            sha256=fields.get("big-sha256"),
        ),
    )
    context = ReleaseContext(fields["model"], fields["version"], fields["variant"])
    entry = Entry(context, variant, fields["plaintext-sha256"])
    return fields, Artifact(plaintext=b"", small=small, big=big, entry=entry, keys=keys_of(fields))
