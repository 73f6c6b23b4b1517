"""The vectors are current, and both the product and a stranger's opener agree on each."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import DeviceKey, Entry, FleetKey, Keyring, OpeningKeys
from sealyard.sealing.keyring import Key
from sealyard.sealing.manifest import BigPart, Sealing, SmallPart
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import Artifact, variant_of
from vectors.generate import HERE, all_vectors, decode
from vectors.stranger import RefusedError, open_vector

FILES = sorted(HERE.glob("*.vector"))

# What docs/format.md calls each check, and what the product says when it fails.
SAID = {
    "small-size": (IntegrityError, "small part: \\d+ bytes, must be \\d+"),
    "constants": (IntegrityError, "small part: [a-z ]+ is .*, must be "),
    "core-digest": (IntegrityError, "small part: its core is not the one in the manifest"),
    "context": (IntegrityError, "small part: it was not sealed as "),
    "plaintext-length": (IntegrityError, "small part: plaintext length is .* the manifest says"),
    "big-size": (IntegrityError, "big part: (\\d+ bytes, must be \\d+|the manifest says )"),
    "leaves": (IntegrityError, "big part: its leaves do not give the tree digest"),
    "no-slot": (MissingError, "none of its v2 keys opens this small part"),
    "segment-digest": (IntegrityError, "big part: segment 0 is not the one that was signed"),
    "small-digest": (IntegrityError, "small part: it is not the one in the manifest"),
    "big-digest": (IntegrityError, "big part: it is not the one in the manifest"),
    "not-opened": (IntegrityError, f"^{NOT_OPENED}$"),
}


def keys_of(fields: dict[str, str]) -> OpeningKeys:
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
    fields, small, big = decode(raw)
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


def test_the_files_are_those_that_the_generator_writes() -> None:
    assert {file.name: file.read_bytes() for file in FILES} == all_vectors()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_product_agrees_with_the_vector(file: Path) -> None:
    fields, artifact = artifact_of(file.read_bytes())
    if fields["expect"] == "success":
        digest = hashlib.sha256(artifact.open()).hexdigest()
        assert digest == fields["plaintext-sha256"]
        return
    error, message = SAID[fields["expect"]]
    with pytest.raises(error, match=message) as caught:
        artifact.open()
    assert isinstance(caught.value, SealyardError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stranger_agrees_with_the_vector(file: Path) -> None:
    fields, small, big = decode(file.read_bytes())
    if fields["expect"] == "success":
        digest = hashlib.sha256(open_vector(fields, small, big)).hexdigest()
        assert digest == fields["plaintext-sha256"]
        return
    with pytest.raises(RefusedError) as caught:
        open_vector(fields, small, big)
    assert str(caught.value) == fields["expect"]


def test_every_check_of_the_specification_has_a_vector() -> None:
    expected = {decode(file.read_bytes())[0]["expect"] for file in FILES}
    assert expected == {"success", *SAID}


def test_the_stranger_stays_short() -> None:
    assert len((HERE / "stranger.py").read_text().splitlines()) < 150
