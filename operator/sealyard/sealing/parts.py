"""What sealing yields, in the words of the manifest."""

from __future__ import annotations

from dataclasses import dataclass

from sealyard.sealing.manifest import BigPart, FormatName, Sealing, SmallPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A finished artifact, less the segments of big that the caller has already.

    Attributes:
        format: the format's name.
        small: the small part, for the release API.
        trailer: what follows the segments in big; may be empty.
        small_part: `small` of the manifest.
        big_bytes: length of big.
        big_segments: how many segments; `None` where the format has no tree.
        big_digest: hex: the tree digest of sealed-v2, the SHA-256 of big in aes-256-cbc-v1.
    """

    format: FormatName
    small: bytes
    trailer: bytes
    small_part: SmallPart
    big_bytes: int
    big_segments: int | None
    big_digest: str

    @property
    def sealing(self) -> Sealing:
        """`sealing` of the manifest."""
        return Sealing(format=self.format)

    def big_part(self, key: str) -> BigPart:
        """`big` of the manifest, for the object of this key on the CDN."""
        if self.big_segments is None:
            return BigPart(key=key, size_bytes=self.big_bytes, sha256=self.big_digest)
        return BigPart(
            key=key,
            size_bytes=self.big_bytes,
            segments=self.big_segments,
            tree_sha256=self.big_digest,
        )
