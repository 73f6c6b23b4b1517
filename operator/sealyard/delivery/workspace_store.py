"""A workspace in an S3-compatible store: what `jobs.mirror` needs of one, over our own client."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteFolder
from sealyard.delivery.bucket import Bucket
from sealyard.delivery.buffers import Buffers
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import (
    NoObjectError,
    PreconditionError,
    S3Place,
    S3Requests,
)
from sealyard.delivery.secrets import CdnCredential, SecretFiles
from sealyard.delivery.threads import in_threads
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.upload import PART_BYTES, Upload
from sealyard.errors import IntegrityError, RefusedError, UnavailableError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.object_store import Document

WHAT: Final = "workspace store"
SECONDS: Final = 30.0
EMPTY_SHA256: Final = hashlib.sha256().hexdigest()
_RANGE_BYTES: Final = 8 << 20
_RANGES_IN_FLIGHT: Final = 4


class WorkspaceStore:
    """One folder of a bucket under one credential, which may list, get, put and delete there.

    Args:
        place: where the bucket is.
        prefix: what all keys begin with: empty, or with a slash at its end.
        credential: has both keys; they are read anew once they were refused.
        bundle: the CAs to trust; the system's roots without one.
        retry: how failures that may pass are tried again.
    """

    def __init__(
        self,
        place: S3Place,
        prefix: str,
        credential: CdnCredential,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.name: Final = f"{WHAT} {place.endpoint.removeprefix('https://')}"
        self._prefix = prefix
        self._bucket = place.bucket
        self._connect = partial(
            S3Requests, WHAT, place, credential, bundle=bundle, retry=retry, seconds=SECONDS
        )
        self._connected: S3Requests | None = None

    def read(self, key: str, most: int) -> Document | None:
        """As `ObjectStore`."""
        name = self._prefix + key
        with self._requests() as requests:

            def get() -> Document:
                answer = requests.client.get_object(Bucket=self._bucket, Key=name)
                return Document(bytes(answer["Body"].read()), requests.told(answer, "ETag"))

            try:
                return requests.call(get, answer_bytes=most, what=name)
            except NoObjectError:
                return None

    def replace(self, key: str, content: bytes, etag: str | None) -> Document | None:
        """As `ObjectStore`."""
        name = self._prefix + key
        condition: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._requests() as requests:

            def put() -> Document:
                answer = requests.client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    # boto3 would wrap bytes in a stream.
                    Body=cast("bytes", bytearray(content)),
                    ChecksumCRC32=b64encode(zlib.crc32(content).to_bytes(4, "big")).decode(),
                    **condition,
                )
                return Document(content, requests.told(answer, "ETag"))

            try:
                return requests.call(put, sent=len(content), what=name)
            except (PreconditionError, NoObjectError):
                return None

    def upload(
        self, key: str, file: BufferedReader, size: int, still_wanted: Callable[[], None]
    ) -> str:
        """As `ObjectStore`."""
        name = self._prefix + key
        if size == 0:
            return EMPTY_SHA256  # no object: there are stores that refuse a body without bytes
        with self._requests() as requests:
            sha256 = _send(Cdn.over(requests), name, file, size, still_wanted)
            listed = next(iter(Bucket.over(requests).objects(name)), None)
            if listed is None or (listed.key, listed.size) != (name, size):
                raise UnavailableError(f"{self.name} does not list {name} as it was uploaded")
        return sha256

    def download(self, key: str, size: int, target: Path) -> str:
        """As `ObjectStore`."""
        name = self._prefix + key
        buffers = Buffers(_RANGE_BYTES)
        with self._requests() as requests, target.open("wb") as file:

            def fetch(number: int) -> tuple[memoryview, memoryview]:
                buffer, offset = buffers.take(), number * _RANGE_BYTES
                piece = buffer[: size - offset]
                total = requests.read_range(name, offset, piece)
                if total != size:
                    raise IntegrityError(f"{self.name}: {name} has {total} bytes, must have {size}")
                return buffer, piece

            digest = hashlib.sha256()
            for buffer, piece in in_threads(
                fetch,
                -(-size // _RANGE_BYTES),
                workers=_RANGES_IN_FLIGHT,
                ahead=_RANGES_IN_FLIGHT,
            ):
                digest.update(piece)
                file.write(piece)
                buffers.give_back(buffer)
        return digest.hexdigest()

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """As `ObjectStore`."""
        with self._requests() as requests:
            for listed in Bucket.over(requests).objects(self._prefix + folder):
                yield listed.key.removeprefix(self._prefix), listed.size

    def delete(self, key: str) -> None:
        """As `ObjectStore`."""
        name = self._prefix + key
        with self._requests() as requests:
            client = requests.client
            requests.call(lambda: client.delete_object(Bucket=self._bucket, Key=name))

    def close(self) -> None:
        """Close all connections."""
        if self._connected:
            self._connected.close()
            self._connected = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _requests(self) -> Iterator[S3Requests]:
        """With the keys that there are; with those of now after a refusal, for a training may
        outlive its keys.

        Raises:
            InvalidError: the endpoint is not of the form that is allowed.
            MissingError: the CA bundle or a key is not there.
        """
        if self._connected is None:
            self._connected = self._connect()
        try:
            yield self._connected
        except RefusedError:
            self.close()
            raise


def _send(
    uploads: Cdn, name: str, file: BufferedReader, size: int, still_wanted: Callable[[], None]
) -> str:
    """Upload and hash at once: what is in the store has the digest that the index will say."""
    digest, begun = hashlib.sha256(), set[str]()
    try:
        with Upload(uploads, name, size, keep=lambda state: begun.add(state.upload_id)) as upload:
            offset = 0
            # A file that is written at its end has more by now; none of ours is ever cut off.
            while block := file.read(min(PART_BYTES, size - offset)):
                still_wanted()
                digest.update(block)
                upload.write(offset, block)
                offset += len(block)
            upload.finish()
    except BaseException:
        for upload_id in begun:
            uploads.abort_upload(name, upload_id)
        raise
    return digest.hexdigest()


def open_workspace(remote: RemoteFolder, mounts: Mounts) -> WorkspaceStore:
    """The store of a workspace, with the credential that is mounted.

    Raises:
        MissingError: a key or the CA bundle is not there.
    """
    return WorkspaceStore(
        S3Place(remote.endpoint, remote.region, remote.bucket),
        remote.prefix,
        SecretFiles.mounted(Purpose.WORKSPACE, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / "workspace", remote.ca_bundle_name),
    )
