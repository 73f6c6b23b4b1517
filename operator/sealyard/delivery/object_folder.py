"""A folder in a bucket that is ours to write: objects that are put, created, copied and deleted."""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from sealyard.delivery.http import Buffer
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import ANSWER_BYTES, PreconditionError, S3Place, S3Requests
from sealyard.delivery.secrets import CdnCredential
from sealyard.delivery.tls import CaBundle
from sealyard.errors import IntegrityError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_PAGE_BYTES: Final = 8 << 20
_DELETED_AT_ONCE: Final = 1000
_PART_BYTES: Final = 8 << 20
"""Of a long object; S3 has 10,000 parts at most, so it may have 80 GB."""


class ObjectFolder:
    """One folder under one credential that may list, read, write and delete. Safe to use from many
    threads. Keys are those below the folder.

    Args:
        what: what the store is in messages.
        place: where.
        prefix: what the keys of all its objects begin with: empty, or with a slash at its end.
        credential: has both keys, which are read once.
        bundle: the CAs to trust; the system's roots without one.
        retry: how failures that may pass are tried again.
        seconds: the longest that a request without a body to speak of may take.

    Every method may raise:
        UnavailableError: the store cannot be reached, or fails; StorageFullError: it has no room.
        RefusedError: it refuses the credential.
        MissingError: there is no such bucket.

    Raises:
        InvalidError: the endpoint is not of the form that is allowed.
        MissingError: the CA bundle or a key is not there.
    """

    def __init__(
        self,
        what: str,
        place: S3Place,
        prefix: str,
        credential: CdnCredential,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._requests = S3Requests(
            what, place, credential, bundle=bundle, retry=retry, seconds=seconds
        )
        self._bucket = place.bucket
        self._prefix = prefix

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._requests.name

    def put(self, key: str, content: Buffer) -> None:
        """Store an object, whatever was there before."""
        self._put(key, content)

    def create(self, key: str, content: Buffer) -> bool:
        """Store an object unless there is one of this key; False if there is.

        After an answer that was lost it may be the very object that was sent.
        """
        try:
            self._put(key, content, IfNoneMatch="*")
        except PreconditionError:
            return False
        return True

    def put_pieces(self, key: str, pieces: Iterable[bytes]) -> None:
        """Store an object of any length, of which a part at a time is in memory."""
        parts = _parts(pieces)
        first, second = next(parts, bytearray()), next(parts, None)
        if second is None:
            self.put(key, first)
        else:
            self._upload(key, itertools.chain((first, second), parts))

    def copy(self, source: str, target: str) -> None:
        """Make a copy, in the store.

        Raises:
            NoObjectError: there is no object `source`.
        """
        answer = self._requests.call(
            lambda: self._requests.client.copy_object(
                Bucket=self._bucket,
                Key=self._prefix + target,
                CopySource={"Bucket": self._bucket, "Key": self._prefix + source},
            ),
            what=source,
        )
        # A store may find that it fails after it has said that it does not.
        self._requests.told(answer.get("CopyObjectResult", {}), "ETag")

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are none the less gone."""
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = keys[start : start + _DELETED_AT_ONCE]
            answer = self._requests.call(lambda some=some: self._delete(some))  # type: ignore[misc]
            for error in answer.get("Errors", ()):
                raise UnavailableError(
                    f"{self.name} does not delete {str(error.get('Key'))[:1024]!r} "
                    f"({str(error.get('Code'))[:40]!r}); its credential must be allowed to"
                )

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """All keys that begin with `prefix` and come after `after`, in order, a page at a time."""
        start: Any = {"StartAfter": self._prefix + after} if after else {}
        while True:
            answer = self._page(prefix, start)
            for entry in answer.get("Contents", ()):
                yield self._requests.told(entry, "Key").removeprefix(self._prefix)
            if not answer.get("IsTruncated"):
                return
            following = self._requests.told(answer, "NextContinuationToken")
            if following == start.get("ContinuationToken"):
                raise UnavailableError(f"{self.name} lists the same page again and again")
            start = {"ContinuationToken": following}

    def check(self, prefix: str) -> None:
        """Ask for what begins with `prefix`: raises what keeps the credential from reading."""
        self._page(prefix, {"MaxKeys": 1})

    def read(self, key: str, most: int) -> bytes:
        """The content of an object that is not long.

        Args:
            key: the object's.
            most: the most bytes that it may have.

        Raises:
            NoObjectError: there is none.
            UnavailableError: it has more.
        """

        def get() -> bytes:
            answer = self._requests.client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return answer["Body"].read()

        # The bound is that of an answer which says why there is nothing, too.
        content = self._requests.call(get, answer_bytes=max(most, ANSWER_BYTES), what=key)
        if len(content) > most:
            raise UnavailableError(f"{self.name}: {key} has more than {most} bytes")
        return content

    def read_whole(self, key: str, size: int) -> bytearray:
        """The content of an object whose size is known, without a copy of it.

        Raises:
            NoObjectError: there is none.
            IntegrityError: it has another size.
        """
        content = bytearray(size)
        total = self._requests.read_range(self._prefix + key, 0, memoryview(content))
        if total != size:
            raise IntegrityError(f"{key} has {total} bytes, must have {size}")
        return content

    def pieces(self, key: str) -> Iterator[bytes]:
        """The content of an object of any length, a part at a time.

        Raises:
            NoObjectError: there is none.
        """
        offset, total = 0, 1
        while offset < total:
            piece = bytearray(_PART_BYTES)
            total = self._requests.read_range(self._prefix + key, offset, memoryview(piece))
            yield bytes(memoryview(piece)[: total - offset])
            offset += _PART_BYTES

    def close(self) -> None:
        """Close all connections."""
        self._requests.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, key: str, content: Buffer, **condition: Any) -> None:
        # boto3 wraps `bytes` in a stream, and a request that is tried again needs them twice.
        body = content if isinstance(content, bytearray) else bytearray(content)
        self._requests.call(
            lambda: self._requests.client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=cast("bytes", body),
                ChecksumCRC32=_checksum(body),
                **condition,
            ),
            sent=len(body),
            what=key,
        )

    def _upload(self, key: str, parts: Iterator[bytearray]) -> None:
        """Nothing of it is there before it is complete; a store forgets stale parts by a rule."""
        client, whole = self._requests.client, self._prefix + key
        begun = self._requests.call(
            lambda: client.create_multipart_upload(
                Bucket=self._bucket, Key=whole, ChecksumAlgorithm="CRC32"
            )
        )
        upload = self._requests.told(begun, "UploadId")
        done: list[CompletedPartTypeDef] = []
        size = 0

        def send(part: bytearray, number: int) -> None:
            checksum = _checksum(part)
            answer = self._requests.call(
                lambda: client.upload_part(
                    Bucket=self._bucket,
                    Key=whole,
                    UploadId=upload,
                    PartNumber=number,
                    Body=cast("bytes", part),
                    ChecksumCRC32=checksum,
                ),
                sent=len(part),
            )
            etag = self._requests.told(answer, "ETag")
            done.append({"PartNumber": number, "ETag": etag, "ChecksumCRC32": checksum})

        for number, part in enumerate(parts, 1):
            send(part, number)
            size += len(part)
        self._requests.call(
            lambda: client.complete_multipart_upload(
                Bucket=self._bucket, Key=whole, UploadId=upload, MultipartUpload={"Parts": done}
            ),
            sent=size,
        )

    def _delete(self, keys: Sequence[str]) -> Mapping[str, Any]:
        return self._requests.client.delete_objects(
            Bucket=self._bucket,
            Delete={"Objects": [{"Key": self._prefix + key} for key in keys], "Quiet": True},
        )

    def _page(self, prefix: str, start: Any) -> Mapping[str, Any]:
        return self._requests.call(
            lambda: self._requests.client.list_objects_v2(
                Bucket=self._bucket, Prefix=self._prefix + prefix, **start
            ),
            answer_bytes=_PAGE_BYTES,
        )


def _parts(pieces: Iterable[bytes]) -> Iterator[bytearray]:
    """The same bytes in parts of the length that S3 wants, the last one shorter."""
    part = bytearray()
    for piece in pieces:
        part += piece
        while len(part) >= _PART_BYTES:
            yield part[:_PART_BYTES]
            part = part[_PART_BYTES:]
    if part:
        yield part


def _checksum(body: Buffer) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
