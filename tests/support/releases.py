"""Releases to put: real sealed parts of both formats and the manifest that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.manifest import Manifest
from support.sealing import V1, V2, content, manifest_of, seal

SEALED, LEGACY = "onnx-fp32", "legacy"


@dataclass(frozen=True)
class Sample:
    model: str
    version: str
    smalls: Mapping[str, bytes]
    manifest: Manifest
    raw: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def sample(
    model: str = "coins",
    version: str = "1.0.0",
    *,
    seed: str = "release",
    variants: Sequence[str] = (SEALED, LEGACY),
) -> Sample:
    """A release of two variants: `SEALED` is sealed-v2, `LEGACY` is aes-256-cbc-v1."""
    artifacts = [
        seal(
            sealing,
            content(30_000, seed),
            context=ReleaseContext(model, version, variant),
            seed=f"{seed}/{variant}",
        )
        for sealing, variant in ((V2, SEALED), (V1, LEGACY))
        if variant in variants
    ]
    manifest = manifest_of(*artifacts)
    smalls = {a.entry.variant.name: a.small for a in artifacts}
    return Sample(model, version, smalls, manifest, manifest.encode())


def rewrapped(small: bytes) -> bytes:
    """Another second slot, as after a rotation: the core stays."""
    return small[:224] + hashlib.shake_256(b"slot").digest(96)


def other_core(small: bytes) -> bytes:
    """Another core: what only a new release may have."""
    return small[:20] + bytes([small[20] ^ 1]) + small[21:]
