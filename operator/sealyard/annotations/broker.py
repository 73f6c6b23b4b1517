"""A connection to RabbitMQ's streams: one broker, over TLS, and an error of ours for each of its.

The frames are those of rstream; its own clients are not used, because they look for the broker
under the name that it advertises, which is seldom the one that its certificate is for, ask for more
as soon as something comes, and keep a connection on which nothing is heard any more.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final, NoReturn, TypeVar

from rstream import schema
from rstream.encoding import decode_frame, encode_frame

from sealyard.annotations.chunk import Chunk, read_chunk
from sealyard.delivery.secrets import Pair
from sealyard.delivery.tls import CaBundle, client_context, explain
from sealyard.errors import (
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)

CONNECT_SECONDS: Final = 20.0
REQUEST_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 10
"""Twice as long without a word, and the connection is given up."""
_DELIVER: Final = 8
_OK: Final = 1
_FRAME_MAX: Final = 1 << 20
_PIECE_BYTES: Final = 256 << 10
MESSAGE_BYTES: Final = 64 << 20
"""The most that a message may have which comes whole, unless another bound is named."""

Pushed = Chunk | schema.PublishConfirm | schema.PublishError
Answer = TypeVar("Answer", bound=schema.Frame)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is reached.

    Attributes:
        host: its name, which its certificate must be for.
        port: of its streams over TLS.
        virtual_host: whose streams.
        bundle: what its certificate must be signed by; the system's roots where it is None.
    """

    host: str
    port: int
    virtual_host: str = "/"
    bundle: CaBundle | None = None

    def __str__(self) -> str:
        return f"broker {self.host}:{self.port}"


class Connection:
    """An open connection. What the broker says by itself goes to `on_push`, one after the other;
    a loss, once, to `on_loss`.

    Attributes:
        frame_max: the most bytes that a frame may have which is sent.
    """

    def __init__(
        self,
        address: Address,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        on_push: Callable[[Pushed], None],
        on_loss: Callable[[UnavailableError], None],
        heartbeat_seconds: int,
        most_bytes: int,
    ) -> None:
        self.frame_max = _FRAME_MAX
        self._address = address
        self._reader, self._writer = streams
        self._on_push = on_push
        self._on_loss = on_loss
        self._heartbeat_seconds = heartbeat_seconds
        self._most_bytes = most_bytes
        self._numbers = count(1)
        self._waiting: dict[tuple[int, int | None], asyncio.Future[schema.Frame]] = {}
        self._heard = time.monotonic()
        self._lost: UnavailableError | None = None
        self._tasks = [asyncio.create_task(self._listen())]

    @classmethod
    async def open(
        cls,
        address: Address,
        login: Pair,
        *,
        on_push: Callable[[Pushed], None],
        on_loss: Callable[[UnavailableError], None],
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
        most_bytes: int = MESSAGE_BYTES,
    ) -> Connection:
        """Connect, verify the broker, and log in.

        Args:
            address: the broker.
            login: a user of it.
            on_push: takes what it says by itself.
            on_loss: is told of a loss.
            heartbeat_seconds: twice as long without a word, and the connection is given up.
            most_bytes: of a message that comes; of a larger one only the begin is given.

        Raises:
            UnavailableError: it cannot be reached, or shows a certificate of another name or CA.
            RefusedError: it refuses the login.
            MissingError: the CA bundle or the virtual host is not there.
        """
        context = client_context(address.bundle)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                # A frame is taken whole: with less room, reading it stops and goes on many times.
                streams = await asyncio.open_connection(
                    address.host, address.port, ssl=context, limit=_FRAME_MAX
                )
        except TimeoutError:
            raise UnavailableError(
                f"{address}: no connection within {CONNECT_SECONDS:g} s"
            ) from None
        except OSError as error:
            said = explain(error, address.bundle) or f"no connection{_reason(error)}"
            raise UnavailableError(f"{address}: {said}") from None
        connection = cls(
            address,
            streams,
            on_push=on_push,
            on_loss=on_loss,
            heartbeat_seconds=heartbeat_seconds,
            most_bytes=most_bytes,
        )
        try:
            await connection._log_in(login)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def request(
        self, make: Callable[[int], schema.Frame], answer: type[Answer], *, about: str
    ) -> Answer:
        """Send a frame and wait for its answer.

        Args:
            make: the frame with this correlation id.
            answer: what comes back.
            about: what it is about, in words for the message of an error.

        Raises:
            SealyardError: the one for what the broker says, or for its silence.
        """
        number = next(self._numbers)
        waiter = self._expect(answer, number)
        try:
            await self.send(make(number))
            return self._checked(await self._soon(waiter, about), answer, about)
        finally:
            self._waiting.pop((answer.key.value, number), None)

    async def send(self, frame: schema.Frame) -> None:
        """Send a frame that has no answer, or one that comes by `on_push`.

        Raises:
            UnavailableError: the connection is lost.
        """
        self._check()
        try:
            self._writer.write(encode_frame(frame))
            await self._writer.drain()
        except OSError as error:
            self._lose(f"the connection is lost{_reason(error)}")
            self._check()

    async def close(self) -> None:
        """Say so and close; takes two seconds at most, whatever the broker does."""
        if self._lost is None:
            with suppress(SealyardError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.request(
                        lambda number: schema.Close(number, code=_OK, reason="OK"),
                        schema.CloseResponse,
                        about="closing",
                    )
        self._lost = self._lost or UnavailableError(f"{self._address}: the connection is closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.transport.abort()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.wait_closed()

    async def _log_in(self, login: Pair) -> None:
        about = "logging in"
        await self.request(
            lambda number: schema.PeerProperties(
                number,
                [schema.Property("product", "Sealyard"), schema.Property("platform", "Python")],
            ),
            schema.PeerPropertiesResponse,
            about=about,
        )
        offered = await self.request(
            schema.SaslHandshake, schema.SaslHandshakeResponse, about=about
        )
        if "PLAIN" not in offered.mechanisms:
            raise UnavailableError(f"{self._address}: it takes no password (SASL PLAIN)")
        tuned = self._expect(schema.Tune, None)
        await self.request(
            lambda number: schema.SaslAuthenticate(
                number,
                mechanism="PLAIN",
                data=b"\0" + login.name.encode() + b"\0" + login.secret.encode(),
            ),
            schema.SaslAuthenticateResponse,
            about=about,
        )
        tune = self._checked(await self._soon(tuned, about), schema.Tune, about)
        # 0 is no limit, and no heartbeat.
        self.frame_max = tune.frame_max or self.frame_max
        beat = min(self._heartbeat_seconds, tune.heartbeat or self._heartbeat_seconds)
        await self.send(schema.Tune(frame_max=tune.frame_max, heartbeat=beat))
        self._tasks.append(asyncio.create_task(self._beat(beat)))
        await self.request(
            lambda number: schema.Open(number, virtual_host=self._address.virtual_host),
            schema.OpenResponse,
            about=f"virtual host {self._address.virtual_host}",
        )

    def _expect(
        self, answer: type[schema.Frame], number: int | None
    ) -> asyncio.Future[schema.Frame]:
        waiter: asyncio.Future[schema.Frame] = asyncio.get_running_loop().create_future()
        self._waiting[answer.key.value, number] = waiter
        return waiter

    async def _soon(self, waiter: Awaitable[schema.Frame], about: str) -> schema.Frame:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await waiter
        except TimeoutError:
            raise UnavailableError(
                f"{self._address}: {about}: no answer within {REQUEST_SECONDS:g} s"
            ) from None

    def _checked(self, frame: schema.Frame, answer: type[Answer], about: str) -> Answer:
        if not isinstance(frame, answer):
            raise UnavailableError(f"{self._address}: {about}: an answer to something else")
        code = getattr(frame, "response_code", _OK)
        if code != _OK:
            _refuse(code, f"{self._address}: {about}")
        return frame

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    async def _listen(self) -> None:
        try:
            while True:
                size = int.from_bytes(await self._read(4))
                head = await self._read(4)
                if int.from_bytes(head[:2]) == _DELIVER:
                    self._on_push(await read_chunk(self._read, size - 4, self._most_bytes))
                else:
                    self._take(head + await self._read(size - 4))
        except asyncio.IncompleteReadError:
            self._lose("it has closed the connection")
        except OSError as error:
            self._lose(f"the connection is lost{_reason(error)}")
        except (ValueError, KeyError, IndexError, AssertionError) as error:
            # Of the codec: the frame is of no kind that was agreed on.
            self._lose(f"a frame that cannot be read ({error})")

    async def _read(self, size: int) -> bytes:
        """So many bytes; whoever sends much slowly is heard all the time."""
        pieces = []
        while size > 0:
            pieces.append(await self._reader.readexactly(min(size, _PIECE_BYTES)))
            size -= len(pieces[-1])
            self._heard = time.monotonic()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take(self, frame: bytes) -> None:
        said = decode_frame(frame)
        waiter = self._waiting.pop((said.key.value, said.corr_id), None)
        if waiter is not None:
            if not waiter.done():
                waiter.set_result(said)
        elif isinstance(said, schema.PublishConfirm | schema.PublishError):
            self._on_push(said)
        elif isinstance(said, schema.MetadataUpdate):
            self._lose(f"stream {said.metadata_info.stream} was deleted, or has moved")
        elif isinstance(said, schema.Close):
            self._lose(f"it closes the connection: {said.reason}")

    async def _beat(self, seconds: int) -> None:
        while self._lost is None:
            with suppress(SealyardError):
                await self.send(schema.Heartbeat())
            await asyncio.sleep(seconds / 2)
            if time.monotonic() - self._heard > 2 * seconds:
                self._lose(f"nothing was heard of it for {2 * seconds} s")

    def _lose(self, why: str) -> None:
        if self._lost is not None:
            return
        self._lost = UnavailableError(f"{self._address}: {why}")
        self._writer.transport.abort()
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(self._lost)
                waiter.exception()  # nobody may wait for it any more, and asyncio would log that
        self._waiting.clear()
        self._on_loss(self._lost)


def _reason(error: OSError) -> str:
    """In the system's words; asyncio's have an address for each that it tried."""
    if isinstance(error, socket.gaierror):
        return f" ({error.strerror})"
    first = re.search(r"\[Errno (\d+)\]", str(error))
    return f" ({os.strerror(int(first[1]))})" if first else ""


_CODES: Final[dict[int, tuple[type[SealyardError], str]]] = {
    2: (MissingError, "there is none of this name"),
    6: (UnavailableError, "it is not available now"),
    8: (RefusedError, "it refuses this name and password"),
    9: (RefusedError, "it refuses this name and password"),
    11: (RefusedError, "this user may log in from the broker's own machine only"),
    12: (MissingError, "there is none of this name, or the user may not enter it"),
    14: (InvalidError, "the frame is larger than it takes"),
    16: (RefusedError, "the user has no permission for it"),
    17: (RefusedError, "it refuses the conditions"),
}


def _refuse(code: int, about: str) -> NoReturn:
    kind, said = _CODES.get(code, (UnavailableError, f"it answers with code {code}"))
    raise kind(f"{about}: {said}")
