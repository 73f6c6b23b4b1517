"""Clients of a real RabbitMQ's streams: what a tool publishes, as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rstream import schema

from sealyard.annotations.amqp import wrap
from sealyard.annotations.broker import Address, Connection, Pushed
from sealyard.delivery.secrets import Pair
from sealyard.delivery.tls import CaBundle
from sealyard.errors import UnavailableError
from sealyard_router.continuity import Place
from sealyard_router.delivery import Delivery
from sealyard_router.stream import RabbitmqSource
from support.rabbitmq import READER, WRITER, Broker

SECONDS = 60
T = TypeVar("T")


def address_of(broker: Broker, **changes: Any) -> Address:
    fields = {
        "host": broker.host,
        "port": broker.stream_port,
        "bundle": CaBundle(broker.ca_path, "ConfigMap broker-ca, key ca.crt,"),
    }
    return Address(**(fields | changes))


def login_of(broker: Broker, user: str = READER) -> Pair:
    return Pair(user, broker.passwords[user])


def source_of(broker: Broker, stream: str, user: str = READER, **changes: Any) -> RabbitmqSource:
    return RabbitmqSource(
        address_of(broker), stream, lambda: login_of(broker, user), heartbeat_seconds=2, **changes
    )


async def publish(
    broker: Broker,
    stream: str,
    bodies: Sequence[bytes],
    *,
    user: str = WRITER,
    raw: bool = False,
    batch: int = 1,
) -> None:
    """Publish by the stream protocol, and wait until all are confirmed.

    Args:
        broker: where.
        stream: its name.
        bodies: what.
        user: as whom.
        raw: without a message of AMQP 1.0 around it.
        batch: how many go into one frame.
    """
    confirmed: set[int] = set()
    done = asyncio.Event()

    def take(pushed: Pushed) -> None:
        assert isinstance(pushed, schema.PublishConfirm), pushed
        confirmed.update(pushed.publishing_ids)
        if len(confirmed) == len(bodies):
            done.set()

    connection = await Connection.open(
        address_of(broker), login_of(broker, user), on_push=take, on_loss=lambda _: None
    )
    try:
        await connection.request(
            lambda number: schema.DeclarePublisher(number, 0, "", stream),
            schema.DeclarePublisherResponse,
            about=f"stream {stream}",
        )
        messages = [
            schema.Message(number, None, body if raw else wrap(body))
            for number, body in enumerate(bodies, 1)
        ]
        for begin in range(0, len(messages), batch):
            await connection.send(schema.Publish(0, messages[begin : begin + batch]))
        await asyncio.wait_for(done.wait(), SECONDS)
    finally:
        await connection.close()


@asynccontextmanager
async def opened(source: RabbitmqSource, place: Place | int = 0) -> AsyncIterator[RabbitmqSource]:
    await source.open(Place(place) if isinstance(place, int) else place)
    try:
        yield source
    finally:
        await source.close()


async def take(source: RabbitmqSource, count: int) -> list[Delivery]:
    """So many deliveries, or more if they came together."""
    found: list[Delivery] = []
    async with asyncio.timeout(SECONDS):
        async for batch in source.deliveries():
            assert batch
            found += batch
            if len(found) >= count:
                break
    return found


async def eventually(action: Callable[[], Awaitable[T]]) -> T:
    """Try until a broker that has just started has its streams, too."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await action()
            except UnavailableError:
                await asyncio.sleep(0.1)
