"""Requests to one bucket under one credential: bounded, tried again, and explained where they fail.

`cdn` and `bucket` say which requests there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

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

T = TypeVar("T")

ANSWER_BYTES: Final = 64 * 1024
_SLOWEST_BYTES_PER_SECOND: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where objects are.

    Attributes:
        endpoint: https.
        region: goes into the signature.
        bucket: must exist.
    """

    endpoint: str
    region: str
    bucket: str


class UploadForgottenError(UnavailableError):
    """The store does not know an upload in parts any more, or not with the parts that it had."""


class PreconditionError(InvalidError):
    """The object is there and should not be, or is another one than was asked for."""


class NoObjectError(MissingError):
    """There is no object of this key."""


class RequestRefusedError(UnavailableError):
    """The store refuses this request: what it asks for, or who asks."""


class UnsupportedError(InvalidError):
    """The store does not offer what was asked for."""


class StorageFullError(UnavailableError):
    """A store or a volume takes no more until somebody makes room."""


class S3Requests:
    """One bucket under one credential. Safe to use from many threads.

    Args:
        what: what the store is in messages, such as `CDN`.
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
        what: str,
        place: S3Place,
        credential: CdnCredential,
        *,
        bundle: CaBundle | None,
        retry: Retry | None,
        seconds: float,
    ) -> None:
        self.bucket = place.bucket
        self.seconds = seconds
        self._source = credential.source
        self._purpose = credential.purpose
        self._retry = retry or Retry()
        self._http = HttpClient(what, place.endpoint, bundle=bundle)
        self.client: S3Client = s3_client(
            self._http, region=place.region, credential=credential.pair()
        )

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._http.name

    def call(
        self,
        action: Callable[[], T],
        *,
        sent: int = 0,
        into: memoryview | None = None,
        answer_bytes: int = ANSWER_BYTES,
        what: str = "",
    ) -> T:
        """What a request with `client` gives, tried again where its failure may pass.

        Args:
            action: makes the request.
            sent: how many bytes go with it, which take their time.
            into: takes the body of a range.
            answer_bytes: the longest body of any other answer.
            what: the object that it is about, for messages.

        Raises:
            UnavailableError: the store cannot be reached, fails, or is none.
            RefusedError: it refuses the credential.
            RequestRefusedError: it refuses the request.
            UnsupportedError: it knows no such request.
            MissingError: there is no such bucket.
            NoObjectError: there is no such object.
            StorageFullError: it has no room.
            PreconditionError: a condition of the request does not hold.
        """
        carried = sent + (len(into) if into else 0)
        bounds = Bounds(answer_bytes, self.seconds + carried / _SLOWEST_BYTES_PER_SECOND, into)

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

    def read_range(self, key: str, offset: int, out: memoryview, *, etag: str | None = None) -> int:
        """The size of the whole object, once `out` has the bytes of a range of it.

        Args:
            key: the object's key.
            offset: where the range begins.
            out: as long as the range; where the object ends within it, the rest stays as it is.
            etag: the object must have it.

        Raises:
            PreconditionError: the object has another ETag.
            IntegrityError: the range begins after the object's end.
            MissingError, UnavailableError, RefusedError: as `call`.
        """
        length = len(out)
        condition: Any = {} if etag is None else {"IfMatch": etag}

        def get() -> tuple[int, str, str]:
            answer = self.client.get_object(
                Bucket=self.bucket,
                Key=key,
                Range=f"bytes={offset}-{offset + length - 1}",
                **condition,
            )
            told = answer.get("ContentRange", ""), answer.get("ETag", "")
            return len(answer["Body"].read()), *told

        received, content_range, found = self.call(get, into=out, what=key)
        if etag is not None and found != etag:
            raise PreconditionError(f"{self.name}: {key} has another ETag than it was listed with")
        match = re.fullmatch(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", content_range)
        if match is None:
            raise UnavailableError(f"{self.name} answers a range of {key} without saying which")
        first, last, total = (int(group) for group in match.groups())
        if first != offset or last != min(offset + length, total) - 1:
            raise UnavailableError(f"{self.name} answers another range of {key} than was asked for")
        if received != last - first + 1:
            raise TransientError(f"{self.name} broke off a range of {key}")
        return total

    def told(self, answer: Mapping[str, Any], field: str) -> str:
        """A field that every S3 answers with, but that nothing has checked.

        Raises:
            UnavailableError: it is not there, or is no line of text.
        """
        value = answer.get(field)
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 1024:
            raise UnavailableError(
                f"{self.name} answers without {field}; "
                "is this the endpoint of an S3-compatible store?"
            )
        return value

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _explained(self, error: ClientError, what: str) -> SealyardError:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = re.sub(r"[^A-Za-z]", "", str(error.response.get("Error", {}).get("Code", "")))[:40]
        kind, advice = _meaning(status, code)
        values = {
            "what": what,
            "bucket": self.bucket,
            "credential": f"the {self._purpose} credential in {self._source}",
        }
        said = advice.format(**values)
        return kind(f"{self.name}: {said} ({code or 'no code'}, status {status})")


_FULL = (StorageFullError, "bucket {bucket} takes no more; make room")
_CODES: Final[dict[str, tuple[type[SealyardError], str]]] = {
    "RequestTimeTooSkewed": (UnavailableError, "its clock and this machine's are too far apart"),
    "NoSuchBucket": (MissingError, "there is no bucket {bucket}; make it"),
    "NoSuchUpload": (UploadForgottenError, "it has forgotten the upload"),
    "InvalidPart": (UploadForgottenError, "it has forgotten a part of the upload"),
    "BadDigest": (TransientError, "bytes were changed on their way"),
    "SlowDown": (TransientError, "it asks to slow down"),
    "RequestTimeout": (TransientError, "it waited too long for bytes"),
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
}
_REFUSED = (
    RefusedError,
    "it refuses {credential} for bucket {bucket}; correct the keys or what they may do",
)
_STATUSES: Final[dict[int, tuple[type[SealyardError], str]]] = {
    401: _REFUSED,
    403: _REFUSED,
    404: (NoObjectError, "there is no object {what}"),
    408: (TransientError, "it waited too long for bytes"),
    409: (TransientError, "another request is in the way"),
    412: (PreconditionError, "a condition of the request does not hold"),
    416: (IntegrityError, "the object {what} is shorter than it must be"),
    429: (TransientError, "it asks to slow down"),
    501: (UnsupportedError, "it does not offer what was asked for"),
    507: _FULL,
}


def _meaning(status: int, code: str) -> tuple[type[SealyardError], str]:
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return TransientError, "it fails"
    kind = RequestRefusedError if status >= 400 else UnavailableError
    return kind, "it refuses the request"
