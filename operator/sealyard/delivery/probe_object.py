"""The one object of a probe, under one credential: what the store lets that credential do to it.

Nothing else is ever written, and nothing but this object is deleted where a store lets that happen.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.s3_transport import bounded, s3_client
from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

NAME: Final = ".sealyard-probe"
CONTENT: Final = b"Sealyard's probe rewrites this object. It holds nothing.\n"
_CHECKSUM: Final = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
_ANSWER_BYTES: Final = 64 * 1024


class Kind(Enum):
    """How a store answers."""

    DONE = "done"
    REFUSED = "refused"
    ABSENT = "absent"
    """There is no such object, or no such bucket."""
    PRESENT = "present"
    """The object is there, and was to be written only if it was not."""


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to a request.

    Attributes:
        kind: what it comes to.
        code: the store's own word for a refusal and its status, fit for a message.
        body: what was got.
    """

    kind: Kind
    code: str = ""
    body: bytes = b""

    @property
    def is_done(self) -> bool:
        """Whether the store did what it was asked for."""
        return self.kind is Kind.DONE


class ProbeObject:
    """`{prefix}/.sealyard-probe`, as one credential reaches it.

    Every request raises `UnavailableError` where the store cannot be reached or does not answer as
    S3, and `InvalidError` or `MissingError` where the credential cannot be read.

    Args:
        http: the store, bounded and verified.
        place: where it is.
        prefix: of the keys of all objects, without a slash at its end.
        credential: the files with both keys, read at the first request.
        retry: how failures that may pass are tried again.
        seconds: the longest that one request may take.
    """

    def __init__(
        self,
        http: HttpClient,
        place: S3Place,
        prefix: str,
        credential: SecretFiles,
        *,
        retry: Retry,
        seconds: float,
    ) -> None:
        self._http = http
        self._place = place
        self._prefix = prefix
        self._credential = credential
        self._retry = retry
        self._bounds = Bounds(_ANSWER_BYTES, seconds)

    @property
    def source(self) -> str:
        """What the credential is called in messages."""
        return self._credential.source

    @property
    def bucket(self) -> str:
        """Where the object is."""
        return self._place.bucket

    def put(self, *, only_if_absent: bool = False) -> Said:
        """Write it, or write it only where it is not there yet."""
        condition: Any = {"IfNoneMatch": "*"} if only_if_absent else {}
        # botocore would make a file of bytes.
        body: Any = bytearray(CONTENT)
        return self._ask(
            lambda: self._client.put_object(
                **self._where, Body=body, ChecksumCRC32=_CHECKSUM, **condition
            )
        )

    def get(self) -> Said:
        """Read it."""
        body = b""

        def read() -> None:
            nonlocal body
            body = self._client.get_object(**self._where)["Body"].read()

        said = self._ask(read)
        return Said(said.kind, said.code, body)

    def list(self) -> Said:
        """List what lies below the prefix, as far as its first key."""
        return self._ask(
            lambda: self._client.list_objects_v2(
                Bucket=self._place.bucket, Prefix=f"{self._prefix}/", MaxKeys=1
            )
        )

    def delete(self) -> Said:
        """Delete it."""
        return self._ask(lambda: self._client.delete_object(**self._where))

    @property
    def _where(self) -> Any:
        return {"Bucket": self._place.bucket, "Key": f"{self._prefix}/{NAME}"}

    @cached_property
    def _client(self) -> S3Client:
        return s3_client(self._http, region=self._place.region, credential=self._credential.pair())

    def _ask(self, request: Callable[[], object]) -> Said:
        def attempt() -> Said:
            try:
                with bounded(self._bounds):
                    request()
            except ClientError as error:
                return self._read(error)
            except BotoCoreError as error:
                raise UnavailableError(
                    f"{self._http.name} answers what is no S3 ({type(error).__name__}); "
                    "is this the endpoint of an S3-compatible store?"
                ) from None
            return Said(Kind.DONE)

        return self._retry.call(attempt)

    def _read(self, error: ClientError) -> Said:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = re.sub(r"[^A-Za-z]", "", str(error.response.get("Error", {}).get("Code", "")))[:40]
        told = f"{code or 'no code'}, status {status}"
        if code == "RequestTimeTooSkewed":
            raise UnavailableError(
                f"{self._http.name}: its clock and this machine's are too far apart ({told})"
            )
        if (status >= 500 and status != 501) or status in {408, 409, 429}:
            raise TransientError(f"{self._http.name} fails ({told})")
        if status not in _KINDS:
            raise UnavailableError(f"{self._http.name} refuses the request ({told})")
        return Said(_KINDS[status], told)


_KINDS: Final = {
    401: Kind.REFUSED,
    403: Kind.REFUSED,
    404: Kind.ABSENT,
    # A store that has no such method, or none for anybody, lets nobody use it.
    405: Kind.REFUSED,
    412: Kind.PRESENT,
    501: Kind.REFUSED,
}
