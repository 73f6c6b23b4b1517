"""What a device holds: it is there only if it opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.delivery.trust import TrustedManifest
from sealyard.device.held import HeldRelease, holds
from sealyard.errors import MissingError
from support.sealing import KEYRING, Artifact, Keyring, S, content, manifest_of, seal, seeded


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return seal("sealed-v2", content(2 * S + 5))


@pytest.fixture
def trusted(artifact: Artifact) -> TrustedManifest:
    manifest = manifest_of(artifact)
    return TrustedManifest(manifest, manifest.encode(), "signed")


@pytest.fixture
def held(tmp_path: Path, artifact: Artifact, trusted: TrustedManifest) -> HeldRelease:
    name = artifact.entry.variant.name
    (tmp_path / f"{name}.small").write_bytes(artifact.small)
    (tmp_path / f"{name}.big").write_bytes(artifact.big)
    (tmp_path / "manifest.json").write_bytes(trusted.raw)
    return HeldRelease(tmp_path, artifact.entry, trusted.sha256, KEYRING)


def test_what_opens_is_held(held: HeldRelease, trusted: TrustedManifest) -> None:
    held.prove()
    assert holds(held, trusted)


def changed(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


@pytest.mark.parametrize("name", ["manifest.json", "onnx-fp32.small", "onnx-fp32.big"])
@pytest.mark.parametrize("damage", ["gone", "changed", "shorter", "longer", "a folder"])
def test_what_is_damaged_is_not_held(
    held: HeldRelease, trusted: TrustedManifest, name: str, damage: str
) -> None:
    path = held.folder / name
    raw = path.read_bytes()
    path.unlink()
    match damage:
        case "changed":
            path.write_bytes(changed(raw))
        case "shorter":
            path.write_bytes(raw[:-1])
        case "longer":
            path.write_bytes(raw + b"x")
        case "a folder":
            path.mkdir()
    assert not holds(held, trusted)


def test_what_opens_for_others_is_not_held(held: HeldRelease, trusted: TrustedManifest) -> None:
    other = Keyring.new(v1="fleet", v2="kek-1", random=seeded("another"))
    stranger = HeldRelease(held.folder, held.entry, held.manifest_sha256, other)
    with pytest.raises(MissingError, match="none of its v2 keys opens"):
        stranger.prove()
    assert not holds(stranger, trusted)
