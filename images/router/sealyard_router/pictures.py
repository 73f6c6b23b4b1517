"""Whether a picture is what a message says, by its digest and its header. Nothing is decoded."""

from __future__ import annotations

import hashlib
import io
from typing import Final

from PIL import Image

from sealyard.annotations.message import MediaType, Picture

MAX_PIXELS: Final = 1 << 28
_FORMATS: Final[dict[str, MediaType]] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    # What phones make, a JPEG with another behind it; Pillow's reader of JPEG says so.
    "MPO": "image/jpeg",
}
_READERS: Final = ("JPEG", "PNG", "WEBP", "BMP")

# Pillow would only warn, and so much later that a training has room for it: see MAX_PIXELS.
Image.MAX_IMAGE_PIXELS = None


def digest_fault(picture: Picture, content: bytes | bytearray) -> str | None:
    """Why some bytes are not those that are meant; None where they are."""
    if len(content) != picture.size_bytes:
        return f"picture.sizeBytes: is {picture.size_bytes}, and {len(content)} bytes lie there"
    found = hashlib.sha256(content).hexdigest()
    if found != picture.sha256:
        return f"picture.sha256: is {picture.sha256}, and the bytes that lie there have {found}"
    return None


def header_fault(picture: Picture, content: bytes | bytearray) -> str | None:
    """Why the right bytes are not such a picture; None where they are."""
    try:
        with Image.open(io.BytesIO(content), formats=_READERS) as image:
            kind, width, height = _FORMATS[image.format or ""], image.width, image.height
    except Exception:  # noqa: BLE001 - whatever a reader of foreign bytes raises says the same
        return f"picture.mediaType: is {picture.media_type}, and the bytes are no such picture"
    if kind != picture.media_type:
        return f"picture.mediaType: is {picture.media_type}, and the bytes are {kind}"
    if width * height > MAX_PIXELS:
        return f"picture: has {width} x {height} pixels, may have {MAX_PIXELS} in all"
    return None
