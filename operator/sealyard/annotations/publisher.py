"""What an annotation tool publishes with.

    async with AnnotationPublisher("rabbitmq.example.org", "annotations", …) as publisher:
        await publisher.publish(annotation, picture)

Whatever `publish` has returned for, the broker has on its disk. Where it raises `UnavailableError`
nobody knows: publish the same again. An item's revision counts once however often it comes; and
under the same `publishing_id`, the broker itself takes a message once.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rstream import schema

from sealyard.annotations.amqp import wrap
from sealyard.annotations.broker import Address, Connection, Pushed
from sealyard.annotations.message import Annotation, Proof, encode
from sealyard.annotations.tokens import TokenProvider, TokenSource
from sealyard.delivery.secrets import Pair
from sealyard.delivery.tls import CaBundle
from sealyard.errors import InvalidError, UnavailableError

CONFIRM_SECONDS: Final = 30.0
_PUBLISHER: Final = 0
_FRAME_BYTES: Final = 4 + 2 + 2 + 1 + 4 + 8 + 4
"""Length, command, version, publisher, count, publishing id and length of a message."""


class AnnotationPublisher:
    """A publisher of annotations; connects when it publishes first, and again after a loss.

    Args:
        host: the broker's name, which its certificate is for.
        stream: the stream's name.
        username: of a user who may write to the stream.
        password: of this user.
        name: what the broker knows the publisher by, to take each of its publishing ids once. One
            process at a time may have it.
        port: of the broker's streams over TLS.
        virtual_host: whose stream.
        ca_file: PEM of the CA that the broker's certificate is of; the system's where None.
        token: gives tokens of whoever annotates; None where the broker's user is the identity.
    """

    def __init__(
        self,
        host: str,
        stream: str,
        *,
        username: str,
        password: str,
        name: str,
        port: int = 5551,
        virtual_host: str = "/",
        ca_file: Path | None = None,
        token: TokenProvider | None = None,
    ) -> None:
        bundle = CaBundle(ca_file, f"the CA file {ca_file}") if ca_file is not None else None
        self._address = Address(host, port, virtual_host, bundle)
        self._stream = stream
        self._login = Pair(username, password)
        self._name = name
        self._tokens = TokenSource(token) if token is not None else None
        self._connection: Connection | None = None
        self._is_lost = False
        self._last_id = 0
        self._sending = asyncio.Lock()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}

    async def __aenter__(self) -> Self:
        async with self._sending:
            await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def new_id(self) -> int:
        """A publishing id above all before it, also those of an earlier process: for a journal of
        one's own, in which it is written before the message is published."""
        # The broker would tell its highest to those only who may read the stream, tokens included.
        self._last_id = max(self._last_id + 1, time.time_ns() // 1000)
        return self._last_id

    async def publish(
        self, annotation: Annotation, picture: bytes = b"", *, publishing_id: int | None = None
    ) -> int:
        """Publish, and wait until the broker has it.

        Args:
            annotation: without proof, where there is a provider of tokens.
            picture: its bytes, where it is new and `annotation.picture.uri` names no address.
            publishing_id: of a message whose fate is not known: it is not taken again if it is
                there. Such ones come first, in their order, for the broker takes no id below its
                highest. A new one where None.

        Returns:
            The publishing id.

        Raises:
            InvalidError: the bytes are not those of `annotation.picture`, or the message is larger
                than the broker takes.
            UnavailableError: the broker is away, or did not confirm in time.
            RefusedError: it refuses the login, or this user may not write to the stream.
            MissingError: there is no such stream, virtual host or CA file.
        """
        if self._tokens is not None:
            proof = Proof(jwt=await self._tokens.current())
            annotation = annotation.model_copy(update={"proof": proof})
        body = wrap(encode(annotation, picture))
        async with self._sending:
            connection = await self._connect()
            _check_size(_FRAME_BYTES + len(body), connection.frame_max)
            number = publishing_id if publishing_id is not None else self.new_id()
            if number in self._unconfirmed:
                raise InvalidError(f"publishing_id: {number} is on its way already")
            confirmed = self._unconfirmed[number] = asyncio.get_running_loop().create_future()
            try:
                message = schema.Message(number, None, body)
                await connection.send(schema.Publish(_PUBLISHER, [message]))
            except BaseException:
                del self._unconfirmed[number]
                raise
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await confirmed
        except TimeoutError:
            raise UnavailableError(
                f"{self._address}: message {number} was not confirmed within {CONFIRM_SECONDS:g} s"
            ) from None
        finally:
            self._unconfirmed.pop(number, None)
        return number

    async def close(self) -> None:
        """Close the connection; takes a few seconds at most."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> Connection:
        if self._connection is not None and not self._is_lost:
            return self._connection
        await self.close()
        self._is_lost = False
        connection = await Connection.open(
            self._address, self._login, on_push=self._take, on_loss=self._lose
        )
        try:
            await connection.request(
                lambda number: schema.DeclarePublisher(
                    number, _PUBLISHER, self._name, self._stream
                ),
                schema.DeclarePublisherResponse,
                about=f"stream {self._stream}",
            )
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return connection

    def _take(self, pushed: Pushed) -> None:
        if isinstance(pushed, schema.PublishConfirm):
            for number in pushed.publishing_ids:
                self._settle(number, None)
        elif isinstance(pushed, schema.PublishError):
            for fault in pushed.errors:
                said = f"{self._address}: message {fault.publishing_id} was not taken"
                self._settle(
                    fault.publishing_id, UnavailableError(f"{said} (code {fault.response_code})")
                )

    def _lose(self, error: UnavailableError) -> None:
        self._is_lost = True
        for number in list(self._unconfirmed):
            self._settle(number, error)

    def _settle(self, number: int, error: UnavailableError | None) -> None:
        waiting = self._unconfirmed.get(number)
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)
            waiting.exception()  # nobody may wait for it any more, and asyncio would log that


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise InvalidError(
            f"the message has {size} bytes, the broker takes {limit} (stream.frame_max): put the "
            "picture into the route's store for pictures, and name its s3:// address in picture.uri"
        )
