"""The CDN's client: big parts of any size, up in one stream, down by ranges."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from sealyard.delivery.chunks import Buffer, Buffers, filled
from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.s3_transport import bounded, s3_client
from sealyard.delivery.secrets import SecretFiles
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

PART_BYTES: Final = 16 << 20
PARTS_IN_FLIGHT: Final = 4
_PARTS_MAX: Final = 10_000
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


class Cdn:
    """One bucket under one credential. Safe to use from many threads.

    Args:
        place: where.
        credential: the files with both keys, read once.
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
        credential: SecretFiles,
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

    def put(
        self,
        key: str,
        chunks: Iterable[Buffer],
        size: int,
        *,
        on_upload: Callable[[str], None] = lambda _upload_id: None,
    ) -> None:
        """Store an object that is new, as it comes, in bounded memory.

        It appears whole or not at all. An object of this key that is there already counts as this
        one: keys are made for one content only, and verify proves it.

        Args:
            key: the object's key.
            chunks: its bytes in order. If it raises, nothing is stored.
            size: how many bytes there are in all.
            on_upload: told the id of an upload in parts before its first part is sent.

        Raises:
            UnavailableError: the store cannot be reached, or fails.
            RefusedError: it refuses the credential.
            IntegrityError: there are more or fewer bytes.
        """
        part_bytes = _part_bytes(size)
        buffers = Buffers(part_bytes)
        parts = filled(chunks, size=size, buffers=buffers)
        if size <= part_bytes:
            # To the end, so that whatever `chunks` checks there is checked before the store has it.
            (only,) = list(parts) or [bytearray()]
            self._put_whole(key, only)
            return
        begun = self._call(
            lambda: self._client.create_multipart_upload(
                Bucket=self._place.bucket, Key=key, ChecksumAlgorithm="CRC32"
            )
        )
        upload_id = self._told(begun, "UploadId")
        try:
            on_upload(upload_id)
            self._finish(key, upload_id, self._send_parts(key, upload_id, parts, buffers))
        except BaseException:
            self.abort(key, upload_id)
            raise

    def abort(self, key: str, upload_id: str) -> None:
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

    def _put_whole(self, key: str, body: bytearray) -> None:
        try:
            self._call(
                lambda: self._client.put_object(
                    Bucket=self._place.bucket,
                    Key=key,
                    Body=_bytes_like(body),
                    IfNoneMatch="*",
                    ChecksumCRC32=_crc32(body),
                ),
                sent=len(body),
            )
        except _AlreadyThereError:
            return

    def _send_parts(
        self, key: str, upload_id: str, parts: Iterable[bytearray], buffers: Buffers
    ) -> list[CompletedPartTypeDef]:
        def send(number: int, part: bytearray) -> CompletedPartTypeDef:
            try:
                return self._send_part(key, upload_id, number, part)
            finally:
                buffers.give_back(part)

        done: list[CompletedPartTypeDef] = []
        pending: list[Future[CompletedPartTypeDef]] = []
        with ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="upload") as pool:
            try:
                for number, part in enumerate(parts, start=1):
                    pending.append(pool.submit(send, number, part))
                    if len(pending) == PARTS_IN_FLIGHT:
                        done.append(pending.pop(0).result())
                done.extend(future.result() for future in pending)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def _send_part(
        self, key: str, upload_id: str, number: int, part: bytearray
    ) -> CompletedPartTypeDef:
        checksum = _crc32(part)
        answer = self._call(
            lambda: self._client.upload_part(
                Bucket=self._place.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=_bytes_like(part),
                ChecksumCRC32=checksum,
            ),
            sent=len(part),
        )
        etag = self._told(answer, "ETag")
        return {"PartNumber": number, "ETag": etag, "ChecksumCRC32": checksum}

    def _finish(self, key: str, upload_id: str, parts: list[CompletedPartTypeDef]) -> None:
        try:
            self._call(
                lambda: self._client.complete_multipart_upload(
                    Bucket=self._place.bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                    IfNoneMatch="*",
                ),
                # The store may put all parts together before it answers.
                sent=len(parts) * PART_BYTES,
            )
        except _AlreadyThereError:
            self.abort(key, upload_id)

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
    "NoSuchUpload": (TransientError, "it has forgotten the upload"),
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
    """The same object by the type that boto3's stubs know; a copy would cost 16 MiB."""
    return cast("bytes", body)


def _part_bytes(size: int) -> int:
    """16 MiB, or as many as it takes to make do with 10,000 parts."""
    needed = -(-size // _PARTS_MAX)
    return max(PART_BYTES, -(-needed // (1 << 20)) << 20)


def _crc32(body: bytearray) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
