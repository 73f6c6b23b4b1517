"""What an AnnotationRoute has filed in a bucket."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

from sealyard.delivery.annotation_storage import MAX_DOCUMENT_BYTES, other_size, too_large
from sealyard.delivery.bucket import Bucket
from sealyard.delivery.buffers import Buffers

_RANGE_BYTES: Final = 8 << 20


class BucketStorage:
    """In a bucket.

    Args:
        bucket: with a credential that may list and read.
        prefix: what all keys begin with: empty, or with a slash at its end.
    """

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._buffers = Buffers(_RANGE_BYTES)

    @property
    def name(self) -> str:
        """The store, host and port."""
        return self._bucket.name

    def keys(self, prefix: str) -> list[str]:
        """As a listing shows them."""
        begin = len(self._prefix)
        return sorted(one.key[begin:] for one in self._bucket.objects(self._prefix + prefix))

    def read(self, key: str) -> bytes:
        """In ranges, all of one object."""
        content = bytearray()
        buffer = self._buffers.take()
        try:
            while True:
                size = self._bucket.read_range(self._prefix + key, len(content), buffer)
                if size > MAX_DOCUMENT_BYTES:
                    raise too_large(key, size)
                content += buffer[: size - len(content)]
                if len(content) == size:
                    return bytes(content)
        finally:
            self._buffers.give_back(buffer)

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        """In ranges; whether they are of one object, its digest says."""
        digest = hashlib.sha256()
        buffer = self._buffers.take()
        try:
            for offset in range(0, size, _RANGE_BYTES):
                piece = buffer[: size - offset]
                if self._bucket.read_range(self._prefix + key, offset, piece) != size:
                    raise other_size(key, size)
                digest.update(piece)
                file.write(piece)
        finally:
            self._buffers.give_back(buffer)
        return digest.hexdigest()
