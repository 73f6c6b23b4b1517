"""A bucket that others write to: what is in it, and its bytes as they were listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import PreconditionError, S3Place, S3Requests
from sealyard.delivery.secrets import CdnCredential
from sealyard.delivery.tls import CaBundle
from sealyard.errors import IntegrityError, UnavailableError

_PAGE_BYTES: Final = 8 << 20
"""Of a thousand keys of 1024 bytes, each of which may be written as three."""
_LARGEST: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing shows it."""

    key: str
    size: int
    etag: str


class Bucket:
    """One bucket under one credential that may list and read. Safe to use from many threads.

    Args:
        what: what the store is in messages.
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
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._requests = S3Requests(
            what, place, credential, bundle=bundle, retry=retry, seconds=seconds
        )

    @classmethod
    def over(cls, requests: S3Requests) -> Self:
        """The same over requests that serve others, too: whoever made them closes them."""
        found = cls.__new__(cls)
        found._requests = requests  # noqa: SLF001 - its own
        return found

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._requests.name

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Everything whose key begins with `prefix`, a page at a time.

        Raises:
            MissingError: there is no such bucket.
            UnavailableError: the store cannot be reached, or answers no listing.
            RefusedError: it refuses the credential.
        """
        token = ""
        while True:
            answer = self._page(prefix, token)
            for entry in answer.get("Contents", ()):
                yield self._listed(entry)
            if not answer.get("IsTruncated"):
                return
            following = self._requests.told(answer, "NextContinuationToken")
            if following == token:
                raise UnavailableError(f"{self.name} lists the same page again and again")
            token = following

    def read_into(self, listed: ListedObject, offset: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `offset` on, which all lie in the object.

        Raises:
            UnavailableError: the object is another one than was listed; the next listing shows
                which. Or the store cannot be reached, fails, or answers something else.
            MissingError: it is gone.
            RefusedError: the store refuses the credential.
        """
        try:
            size = self._requests.read_range(listed.key, offset, out, etag=listed.etag)
        except (PreconditionError, IntegrityError):
            size = -1
        if size != listed.size:
            raise UnavailableError(
                f"{self.name}: {listed.key} was replaced while it was fetched; "
                "the next attempt lists anew"
            )

    def read_range(self, key: str, offset: int, out: memoryview) -> int:
        """The size of an object that was not listed, once `out` has a range of it.

        Args:
            key: the object's key.
            offset: where the range begins.
            out: as long as the range; where the object ends within it, the rest stays as it is.

        Raises:
            IntegrityError: the range begins after the object's end.
            MissingError, UnavailableError, RefusedError: as `read_into`.
        """
        return self._requests.read_range(key, offset, out)

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

    def _page(self, prefix: str, token: str) -> Mapping[str, Any]:
        following: Any = {"ContinuationToken": token} if token else {}
        return self._requests.call(
            lambda: self._requests.client.list_objects_v2(
                Bucket=self._requests.bucket, Prefix=prefix, **following
            ),
            answer_bytes=_PAGE_BYTES,
        )

    def _listed(self, entry: Mapping[str, Any]) -> ListedObject:
        """Nothing has checked what a store lists; what a key may be is for whoever uses it."""
        key, size = entry.get("Key"), entry.get("Size")
        if not (isinstance(key, str) and isinstance(size, int) and 0 <= size <= _LARGEST):
            raise UnavailableError(
                f"{self.name} lists an object without a key or a size; "
                "is this the endpoint of an S3-compatible store?"
            )
        return ListedObject(key, size, self._requests.told(entry, "ETag"))
