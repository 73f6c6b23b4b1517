"""An object on its way to the CDN: several parts at once, and none that is there already.

An upload that was interrupted is not given up. Its state (`UploadState`) tells the next attempt
which parts the store has; those whose bytes are still the same are not sent again.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Annotated, Final, Self

from pydantic import Field

from sealyard.api.model import Model
from sealyard.delivery.cdn import Cdn, UploadedPart
from sealyard.delivery.parts import Buffer, Part, Parts
from sealyard.errors import IntegrityError, InvalidError

PART_BYTES: Final = 8 << 20
PARTS_IN_FLIGHT: Final = 4
_PARTS_BEING_FILLED: Final = 2
_PARTS_MAX: Final = 10_000
_KEPT_EVERY_SECONDS: Final = 1.0


class UploadState(Model):
    """How far an upload is, for the attempt that goes on with it."""

    key: str
    upload_id: str
    part_bytes: Annotated[int, Field(ge=1)]
    parts: tuple[UploadedPart, ...] = ()


class Upload:
    """One object's upload. Bytes are written at any offset, from several threads.

    The object appears whole, with `finish`, or not at all. One of this key that is there already
    counts as this one: keys are made for one content only, and verify proves it. Left with an error
    of the content, the upload is given up; with any other one it stays, to be gone on with.

    `adopted_bytes` tells how many bytes the store had from the earlier attempt.

    Args:
        cdn: with a credential that may write.
        key: the object's key.
        size: how many bytes there are in all; at least one.
        state: of an earlier attempt at the very same bytes; one of another key is passed over.
        keep: stores a state, from time to time. What it raises ends the upload.
        progress: told how many bytes the store has, and how many there are.

    Raises:
        UnavailableError: the store cannot be reached, or fails.
        RefusedError: it refuses the credential.
    """

    def __init__(
        self,
        cdn: Cdn,
        key: str,
        size: int,
        *,
        state: UploadState | None = None,
        keep: Callable[[UploadState], object] = lambda _state: None,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._cdn = cdn
        self._key = key
        self._size = size
        self._keep = keep
        self._progress = progress
        self._lock = threading.Lock()
        self.adopted_bytes = 0
        self._there = 0
        self._kept_at = float("-inf")
        self._state: UploadState | None = None
        part_bytes = _part_bytes(size)
        if state is not None and (state.key, state.part_bytes) != (key, part_bytes):
            state = None
        if size > part_bytes:
            self._state = state or UploadState(
                key=key, upload_id=cdn.begin_upload(key), part_bytes=part_bytes
            )
        self._adopted = {part.number: part for part in state.parts} if state else {}
        self._done: dict[int, UploadedPart] = {}
        self._pool = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="upload")
        self._parts = Parts(
            size,
            part_bytes,
            at_once=PARTS_IN_FLIGHT + _PARTS_BEING_FILLED,
            hand_on=lambda part: self._pool.submit(self._send, part),
        )
        if self._state is not None:
            self._keep(self._state)

    def write(self, offset: int, data: Buffer) -> None:
        """Put bytes in their place, each of them once, about in order; waits for the network.

        Raises:
            UnavailableError: the store cannot be reached, or fails.
            UploadForgottenError: it does not know the upload any more; begin anew without a state.
            RefusedError: it refuses the credential.
            IntegrityError: there are more bytes than were announced.
        """
        self._parts.write(offset, data)

    def finish(self) -> None:
        """Send what is left, and let the object appear.

        Raises:
            IntegrityError: there are fewer bytes than were announced.
            UnavailableError, UploadForgottenError, RefusedError: as `write`.
        """
        self._parts.close()
        self._pool.shutdown(wait=True)
        self._parts.check()
        if self._state is not None:
            done = [self._done[number] for number in sorted(self._done)]
            self._cdn.complete_upload(self._key, self._state.upload_id, done, size=self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._parts.fail(error)
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._state is not None and isinstance(error, IntegrityError | InvalidError):
            self._cdn.abort_upload(self._key, self._state.upload_id)

    def _send(self, part: Part) -> None:
        try:
            self._parts.check()
            if self._state is None:
                self._cdn.put(self._key, part.body)
            else:
                self._send_part(self._state, part)
        except BaseException as error:  # noqa: BLE001 - the writers raise it
            self._parts.fail(error)
        finally:
            self._parts.give_back(part)

    def _send_part(self, state: UploadState, part: Part) -> None:
        crc32 = zlib.crc32(part.content)
        there = self._adopted.get(part.number)
        adopted = there is not None and there.crc32 == crc32
        if there is None or not adopted:
            there = self._cdn.put_part(
                self._key, state.upload_id, part.number, part.body, crc32=crc32
            )
        with self._lock:
            if adopted:
                self.adopted_bytes += len(part.content)
            self._done[part.number] = there
            self._there += len(part.content)
            self._progress(self._there, self._size)
            now = time.monotonic()
            if now - self._kept_at >= _KEPT_EVERY_SECONDS:
                self._kept_at = now
                # Also those of the earlier attempt whose turn has not come yet.
                known = self._adopted | self._done
                parts = tuple(known[number] for number in sorted(known))
                self._keep(state.model_copy(update={"parts": parts}))


def _part_bytes(size: int) -> int:
    """8 MiB, or as many as it takes to make do with 10,000 parts."""
    needed = -(-size // _PARTS_MAX)
    return max(PART_BYTES, -(-needed // (1 << 20)) << 20)
