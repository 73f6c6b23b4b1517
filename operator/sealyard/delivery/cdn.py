"""The CDN's client: one request each. `upload` and `readers` make objects of any size of them."""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self, cast

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from sealyard.api.model import Model
from sealyard.delivery.http import Bounds
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import ANSWER_BYTES, PreconditionError, S3Place, S3Requests
from sealyard.delivery.s3_transport import bounded
from sealyard.delivery.secrets import CdnCredential
from sealyard.delivery.tls import CaBundle
from sealyard.errors import IntegrityError, SealyardError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


class UploadedPart(Model):
    """A part of an upload that the store has."""

    number: Annotated[int, Field(ge=1)]
    etag: str
    crc32: Annotated[int, Field(ge=0, lt=1 << 32)]


class Cdn:
    """One bucket under one credential. Safe to use from many threads.

    Args:
        place: where.
        credential: has both keys, which are read once.
        bundle: the CAs to trust; the system's roots without one.
        retry: how failures that may pass are tried again.
        seconds: the longest that a request without a body to speak of may take.

    Raises:
        InvalidError: the endpoint is not of the form that is allowed.
        MissingError: the CA bundle or a key is not there.
    """

    def __init__(
        self,
        place: S3Place,
        credential: CdnCredential,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._requests = S3Requests(
            "CDN", place, credential, bundle=bundle, retry=retry, seconds=seconds
        )
        self._bucket = place.bucket

    @classmethod
    def over(cls, requests: S3Requests) -> Self:
        """The same over requests that serve others, too: whoever made them closes them."""
        found = cls.__new__(cls)
        found._requests, found._bucket = requests, requests.bucket  # noqa: SLF001 - its own
        return found

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._requests.name

    def put(self, key: str, body: bytearray) -> None:
        """Store an object that is new, in one request.

        One of this key that is there already counts as this one: keys are made for one content
        only, and verify proves it.

        Raises:
            UnavailableError: the store cannot be reached, or fails.
            RefusedError: it refuses the credential.
        """
        with contextlib.suppress(PreconditionError):
            self._requests.call(
                lambda: self._requests.client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=_bytes_like(body),
                    IfNoneMatch="*",
                    ChecksumCRC32=_checksum(zlib.crc32(body)),
                ),
                sent=len(body),
            )

    def begin_upload(self, key: str) -> str:
        """The id of a new upload in parts.

        Raises:
            UnavailableError, RefusedError: as `put`.
        """
        begun = self._requests.call(
            lambda: self._requests.client.create_multipart_upload(
                Bucket=self._bucket, Key=key, ChecksumAlgorithm="CRC32"
            )
        )
        return self._requests.told(begun, "UploadId")

    def put_part(
        self, key: str, upload_id: str, number: int, body: bytearray, *, crc32: int
    ) -> UploadedPart:
        """Send one part; the store compares its checksum.

        Raises:
            UploadForgottenError: the store does not know the upload.
            UnavailableError, RefusedError: as `put`.
        """
        answer = self._requests.call(
            lambda: self._requests.client.upload_part(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=_bytes_like(body),
                ChecksumCRC32=_checksum(crc32),
            ),
            sent=len(body),
        )
        return UploadedPart(number=number, etag=self._requests.told(answer, "ETag"), crc32=crc32)

    def complete_upload(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], *, size: int
    ) -> None:
        """Make an object of all parts, unless it is there already, which counts as done.

        Raises:
            UploadForgottenError: the store does not know the upload, or not with these parts.
            UnavailableError, RefusedError: as `put`.
        """
        wanted: list[CompletedPartTypeDef] = [
            {
                "PartNumber": part.number,
                "ETag": part.etag,
                "ChecksumCRC32": _checksum(part.crc32),
            }
            for part in parts
        ]
        try:
            self._requests.call(
                lambda: self._requests.client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": wanted},
                    IfNoneMatch="*",
                ),
                # The store may put all parts together before it answers.
                sent=size,
            )
        except PreconditionError:
            self.abort_upload(key, upload_id)

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Give up an upload in parts, as far as the store can be reached."""
        try:
            with bounded(Bounds(ANSWER_BYTES, min(self._requests.seconds, 5.0))):
                self._requests.client.abort_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id
                )
        except (SealyardError, ClientError, BotoCoreError):
            # It is cleaning up. A store forgets stale uploads by a rule of its own.
            return

    def read_into(self, key: str, offset: int, out: memoryview, *, size: int) -> None:
        """Fill `out` with the bytes of an object from `offset` on.

        Args:
            key: the object's key.
            offset: where the range begins; all of it must lie in `size`.
            out: as long as the range.
            size: of the whole object.

        Raises:
            MissingError: there is no such object.
            IntegrityError: the object has another size.
            UnavailableError: the store cannot be reached, fails, or answers something else.
            RefusedError: it refuses the credential.
        """
        total = self._requests.read_range(key, offset, out)
        if total != size:
            raise IntegrityError(f"{self.name}: {key} has {total} bytes, must have {size}")

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


def _bytes_like(body: bytearray) -> bytes:
    """The same object by the type that boto3's stubs know; boto3 would wrap bytes in a stream."""
    return cast("bytes", body)


def _checksum(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()
