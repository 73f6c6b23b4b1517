"""Sealed artifacts for tests: made in one call, opened in one call, reproducible from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from sealyard.delivery import readers
from sealyard.delivery.opening_pipeline import Opening
from sealyard.sealing.formats import (
    BytesReader,
    Entry,
    Keyring,
    Opener,
    OpeningKeys,
    Reader,
    ReleaseContext,
    Sealer,
    SplitLimits,
    format_named,
    object_key,
    open_sealed,
)
from sealyard.sealing.layout import Random
from sealyard.sealing.manifest import (
    ArtifactSource,
    BigPart,
    Manifest,
    Sealing,
    SmallPart,
    Source,
    Variant,
)

CONTEXT = ReleaseContext("coins", "1.0.0", "onnx-fp32")
V1: Final = "aes-256-cbc-v1"
V2: Final = "sealed-v2"
BOTH = (V2, V1)
S = 1 << 20


def seeded(seed: str) -> Random:
    """Reproducible bytes: consecutive reads of SHAKE-256(seed)."""
    shake = hashlib.shake_256(seed.encode())
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        at += count
        return shake.digest(at)[-count:]

    return read


def content(length: int, seed: str = "plaintext") -> bytes:
    """Reproducible plaintext."""
    return hashlib.shake_256(seed.encode()).digest(length)


KEYRING = Keyring.new(v1="fleet", v2="kek-1", random=seeded("keyring"))


def variant_of(
    *, name: str, plaintext_bytes: int, sealing: Sealing, small: SmallPart, big: BigPart
) -> Variant:
    return Variant(
        name=name,
        format="onnx",
        precision="fp32",
        image_size=640,
        plaintext_bytes=plaintext_bytes,
        sealing=sealing,
        small=small,
        big=big,
    )


@dataclass(frozen=True)
class BytesSource(BytesReader):
    """Bytes in memory as a file or the CDN gives them."""

    at_once: int = 2 * S
    in_flight: int | None = None

    def read_into(self, offset: int, out: memoryview) -> int:
        found = self.data[offset : offset + len(out)]
        out[: len(found)] = found
        return len(found)


def all_opened(opener: Opener, entry: Entry, big: readers.Source) -> bytes:
    """The whole plaintext, as delivery opens it."""
    out = bytearray(opener.layout.plaintext_bytes)

    def write(offset: int, plain: memoryview) -> None:
        out[offset : offset + len(plain)] = plain

    opening = Opening(opener, write=write)
    opening.open_from(big, range(opener.layout.segments))
    opening.finish(entry)
    return bytes(out)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A sealed artifact with all that opens it."""

    plaintext: bytes
    small: bytes
    big: bytes
    entry: Entry
    keys: OpeningKeys

    def but(self, **changes: object) -> Artifact:
        return replace(self, **changes)  # type: ignore[arg-type]  # test data

    def open(self) -> bytes:
        big = BytesSource(self.big)
        opener = open_sealed(self.entry, small=self.small, big=big, keys=self.keys)
        return all_opened(opener, self.entry, big)


def seal_stream(sealer: Sealer, plaintext: Reader) -> Iterator[bytes]:
    """All of big in order."""
    out = memoryview(bytearray(sealer.layout.buffer_bytes))
    for index in range(sealer.layout.segments):
        plain = plaintext.read_at(*sealer.layout.plaintext_range(index))
        yield bytes(out[: sealer.seal_segment(index, plain, out)])
    yield sealer.finish().trailer


def seal(
    fmt: str,
    plaintext: bytes,
    *,
    context: ReleaseContext = CONTEXT,
    keyring: Keyring = KEYRING,
    limits: SplitLimits | None = None,
    seed: str = "seal",
) -> Artifact:
    sealer = format_named(fmt).sealer(
        plaintext_bytes=len(plaintext),
        context=context,
        keyring=keyring,
        limits=limits or SplitLimits(),
        random=seeded(seed),
    )
    big = b"".join(seal_stream(sealer, BytesReader(plaintext)))
    sealed = sealer.finish()
    variant = variant_of(
        name=context.variant,
        plaintext_bytes=len(plaintext),
        sealing=sealed.sealing,
        small=sealed.small_part,
        big=sealed.big_part(object_key("models", sealer.object_id)),
    )
    digest = hashlib.sha256(plaintext).hexdigest()
    return Artifact(
        plaintext=plaintext,
        small=sealed.small,
        big=big,
        entry=Entry(context, variant, digest),
        keys=keyring,
    )


def manifest_of(*artifacts: Artifact) -> Manifest:
    first = artifacts[0].entry.context
    return Manifest.build(
        model=first.model,
        version=first.version,
        variants=[(a.entry.variant, a.entry.plaintext_sha256) for a in artifacts],
        source=Source(
            artifact=ArtifactSource(sha256="ab" * 32, type="onnx"), metrics={"map50": 0.98}
        ),
    )
