"""The CDN's client: one request each. `upload` and `readers` make objects of any size of them."""

from __future__ import annotations

import base64
import contextlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from sealyard.api.model import Model
from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.s3_transport import bounded, s3_client
from sealyard.delivery.secrets import CdnCredential
from sealyard.delivery.tls import CaBundle
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

T = TypeVar("T")

_ANSWER_BYTES: Final = 64 * 1024
_SLOWEST_BYTES_PER_SECOND: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class CdnPlace:
    """Where objects are.

    Attributes:
        endpoint: https.
        region: goes into the signature.
        bucket: must exist.
    """

    endpoint: str
    region: str
    bucket: str


class UploadedPart(Model):
    """A part of an upload that the store has."""

    number: Annotated[int, Field(ge=1)]
    etag: str
    crc32: Annotated[int, Field(ge=0, lt=1 << 32)]


class UploadForgottenError(UnavailableError):
    """The store does not know an upload in parts any more, or not with the parts that it had."""


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
        place: CdnPlace,
        credential: CdnCredential,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._place = place
        self._source = credential.source
        self._purpose = credential.purpose
        self._retry = retry or Retry()
        self._seconds = seconds
        self._http = HttpClient("CDN", place.endpoint, bundle=bundle)
        self._client: S3Client = s3_client(
            self._http,
            region=place.region,
            credential=credential.pair(),
        )

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._http.name

    def put(self, key: str, body: bytearray) -> None:
        """Store an object that is new, in one request.

        One of this key that is there already counts as this one: keys are made for one content
        only, and verify proves it.

        Raises:
            UnavailableError: the store cannot be reached, or fails.
            RefusedError: it refuses the credential.
        """
        with contextlib.suppress(_AlreadyThereError):
            self._call(
                lambda: self._client.put_object(
                    Bucket=self._place.bucket,
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
        begun = self._call(
            lambda: self._client.create_multipart_upload(
                Bucket=self._place.bucket, Key=key, ChecksumAlgorithm="CRC32"
            )
        )
        return self._told(begun, "UploadId")

    def put_part(
        self, key: str, upload_id: str, number: int, body: bytearray, *, crc32: int
    ) -> UploadedPart:
        """Send one part; the store compares its checksum.

        Raises:
            UploadForgottenError: the store does not know the upload.
            UnavailableError, RefusedError: as `put`.
        """
        answer = self._call(
            lambda: self._client.upload_part(
                Bucket=self._place.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=_bytes_like(body),
                ChecksumCRC32=_checksum(crc32),
            ),
            sent=len(body),
        )
        return UploadedPart(number=number, etag=self._told(answer, "ETag"), crc32=crc32)

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
            self._call(
                lambda: self._client.complete_multipart_upload(
                    Bucket=self._place.bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": wanted},
                    IfNoneMatch="*",
                ),
                # The store may put all parts together before it answers.
                sent=size,
            )
        except _AlreadyThereError:
            self.abort_upload(key, upload_id)

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Give up an upload in parts, as far as the store can be reached."""
        try:
            with bounded(Bounds(_ANSWER_BYTES, min(self._seconds, 5.0))):
                self._client.abort_multipart_upload(
                    Bucket=self._place.bucket, Key=key, UploadId=upload_id
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
        total = self._get(key, offset, out)
        if total != size:
            raise IntegrityError(f"{self.name}: {key} has {total} bytes, must have {size}")

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, key: str, offset: int, out: memoryview) -> int:
        """The size of the whole object, once `out` has the bytes of the range."""
        length = len(out)

        def get() -> tuple[int, str]:
            answer = self._client.get_object(
                Bucket=self._place.bucket, Key=key, Range=f"bytes={offset}-{offset + length - 1}"
            )
            return len(answer["Body"].read()), answer.get("ContentRange", "")

        received, content_range = self._call(get, into=out, what=key)
        match = re.fullmatch(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", content_range)
        if match is None:
            raise UnavailableError(f"{self.name} answers a range of {key} without saying which")
        first, last, total = (int(group) for group in match.groups())
        if first != offset or last != min(offset + length, total) - 1:
            raise UnavailableError(f"{self.name} answers another range of {key} than was asked for")
        if received != last - first + 1:
            raise TransientError(f"{self.name} broke off a range of {key}")
        return total

    def _call(
        self,
        action: Callable[[], T],
        *,
        sent: int = 0,
        into: memoryview | None = None,
        what: str = "",
    ) -> T:
        carried = sent + (len(into) if into else 0)
        bounds = Bounds(_ANSWER_BYTES, self._seconds + carried / _SLOWEST_BYTES_PER_SECOND, into)

        def attempt() -> T:
            try:
                with bounded(bounds):
                    return action()
            except ClientError as error:
                raise self._explained(error, what) from None
            except BotoCoreError as error:
                raise UnavailableError(
                    f"{self.name} answers what is no S3 ({type(error).__name__}); "
                    "is this the endpoint of an S3-compatible store?"
                ) from None

        return self._retry.call(attempt)

    def _told(self, answer: Mapping[str, Any], field: str) -> str:
        """A field that every S3 answers with, but that nothing has checked."""
        value = answer.get(field)
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 1024:
            raise UnavailableError(
                f"{self.name} answers without {field}; "
                "is this the endpoint of an S3-compatible store?"
            )
        return value

    def _explained(self, error: ClientError, what: str) -> SealyardError:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = re.sub(r"[^A-Za-z]", "", str(error.response.get("Error", {}).get("Code", "")))[:40]
        kind, advice = _meaning(status, code)
        values = {
            "what": what,
            "bucket": self._place.bucket,
            "credential": f"the {self._purpose} credential in {self._source}",
        }
        said = advice.format(**values)
        return kind(f"{self.name}: {said} ({code or 'no code'}, status {status})")


class _AlreadyThereError(InvalidError):
    """The object is there: ours, from an attempt whose answer was lost."""


_CODES: Final[dict[str, tuple[type[SealyardError], str]]] = {
    "RequestTimeTooSkewed": (UnavailableError, "its clock and this machine's are too far apart"),
    "NoSuchBucket": (MissingError, "there is no bucket {bucket}; make it"),
    "NoSuchUpload": (UploadForgottenError, "it has forgotten the upload"),
    "InvalidPart": (UploadForgottenError, "it has forgotten a part of the upload"),
    "BadDigest": (TransientError, "bytes were changed on their way"),
    "SlowDown": (TransientError, "it asks to slow down"),
    "RequestTimeout": (TransientError, "it waited too long for bytes"),
}
_REFUSED = (
    RefusedError,
    "it refuses {credential} for bucket {bucket}; correct the keys or what they may do",
)
_STATUSES: Final[dict[int, tuple[type[SealyardError], str]]] = {
    401: _REFUSED,
    403: _REFUSED,
    404: (MissingError, "there is no object {what}"),
    408: (TransientError, "it waited too long for bytes"),
    409: (TransientError, "another request is in the way"),
    412: (_AlreadyThereError, "the object is there already"),
    416: (IntegrityError, "the object {what} is shorter than it must be"),
    429: (TransientError, "it asks to slow down"),
}


def _meaning(status: int, code: str) -> tuple[type[SealyardError], str]:
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return TransientError, "it fails"
    return UnavailableError, "it refuses the request"


def _bytes_like(body: bytearray) -> bytes:
    """The same object by the type that boto3's stubs know; boto3 would wrap bytes in a stream."""
    return cast("bytes", body)


def _checksum(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()
