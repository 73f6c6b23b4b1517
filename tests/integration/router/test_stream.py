"""The stream's client against a real RabbitMQ, which speaks TLS only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pika
import pytest
from rstream import CompressionType, Producer, schema

from sealyard.annotations.broker import CLOSE_SECONDS, Connection
from sealyard.delivery.secrets import Pair
from sealyard.delivery.tls import CaBundle
from sealyard.errors import (
    IntegrityError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard_local.pki import PrivateCA
from sealyard_router import stream as stream_client
from sealyard_router.continuity import Place
from sealyard_router.stream import CREDITS, RabbitmqSource
from support.rabbitmq import ADMIN, READER, WRITER, Broker, running_broker
from support.streams import (
    SECONDS,
    address_of,
    eventually,
    login_of,
    opened,
    publish,
    source_of,
    take,
)

BODIES = [f"message {number}".encode() for number in range(100)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Its certificate is for localhost, and it advertises a name that nobody knows."""
    ca = PrivateCA.create()
    with running_broker(
        tmp_path_factory.mktemp("broker"),
        ca=ca,
        tls=ca.issue(dns_names=["localhost"]),
        settings={"stream.advertised_host": "advertised.invalid"},
    ) as running:
        yield running


@pytest.fixture
def stream(broker: Broker, request: pytest.FixtureRequest) -> str:
    """An empty one, named after the test."""
    name = request.node.name.removeprefix("test_")
    broker.create_stream(name)
    return name


async def test_every_message_comes_in_order_of_offset(broker: Broker, stream: str) -> None:
    before = time.time()
    await publish(broker, stream, BODIES, batch=10)
    async with opened(source_of(broker, stream)) as source:
        deliveries = await take(source, len(BODIES))
    assert [one.body for one in deliveries] == BODIES
    assert [one.offset for one in deliveries] == list(range(len(BODIES)))
    assert {one.user_id for one in deliveries} == {None}
    # To the millisecond; the broker's clock is ours here.
    assert all(before - 1 < one.time_ms / 1000 < time.time() + 1 for one in deliveries)


async def test_it_begins_in_the_midst_of_a_chunk(broker: Broker, stream: str) -> None:
    await publish(broker, stream, BODIES, batch=50)
    async with opened(source_of(broker, stream), 37) as source:
        assert (await take(source, 63))[0].offset == 37


async def test_it_waits_at_the_end_for_what_is_published_next(broker: Broker, stream: str) -> None:
    await publish(broker, stream, BODIES[:3])
    async with opened(source_of(broker, stream), 3) as source:
        waiting = asyncio.create_task(take(source, 1))
        await publish(broker, stream, BODIES[3:4])
        assert [one.body for one in await waiting] == BODIES[3:4]


async def test_first_and_last_offset(broker: Broker, stream: str) -> None:
    async with opened(source_of(broker, stream)) as source:
        assert await source.first_offset() is None
        await publish(broker, stream, BODIES, batch=10)
        assert (await source.first_offset(), await source.last_offset()) == (0, 99)
        await take(source, 100)
        assert await source.last_offset() == 99


async def test_what_retention_has_deleted_is_not_the_first(broker: Broker) -> None:
    broker.create_stream("cut", max_bytes=300_000, segment_bytes=100_000)
    for _ in range(10):
        await publish(broker, "cut", [b"x" * 10_000] * 10, batch=10)
    async with opened(source_of(broker, "cut"), 1) as source:
        first = await source.first_offset()
        assert first is not None
        assert first > 1
        assert (await take(source, 1))[0].offset == first


async def test_a_stream_that_was_made_anew_is_not_read(broker: Broker) -> None:
    broker.create_stream("anew")
    await publish(broker, "anew", BODIES[:10])
    source = source_of(broker, "anew")
    async with opened(source):
        filed = Place(10, (await take(source, 10))[-1].time_ms)
    async with opened(source, filed):
        pass  # at its end: nothing is wrong
    broker.delete_stream("anew")
    broker.create_stream("anew")
    with pytest.raises(UnavailableError, match="it shows nothing, and was filed up to offset 9"):
        await source.open(filed)
    for some, said in ((5, "what it has at offset 4 is not"), (20, "what it has at offset 9 is")):
        await publish(broker, "anew", BODIES[:some])
        with pytest.raises(IntegrityError, match=said):
            await source.open(filed)


async def test_a_broker_that_is_slow_has_no_empty_stream(
    broker: Broker, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(broker, stream, BODIES, batch=50)
    async with opened(source_of(broker, stream)) as source:
        filed = Place(60, (await take(source, 60))[59].time_ms)
    # It has shown nothing yet when the time is over.
    monkeypatch.setattr(stream_client, "PROBE_SECONDS", 0.0)
    async with opened(source, filed):
        assert (await source.first_offset(), await source.last_offset()) == (0, 99)
        assert (await take(source, 40))[0].offset == 60


COMPRESSIONS = [CompressionType.No, CompressionType.Gzip]


async def test_what_was_packed_by_another_client_is_read(broker: Broker, stream: str) -> None:
    async with Producer(
        broker.host,
        broker.stream_port,
        ssl_context=broker.context(),
        username=WRITER,
        password=broker.passwords[WRITER],
        load_balancer_mode=True,
    ) as producer:
        for compression in COMPRESSIONS:
            await producer.send_sub_entry(stream, BODIES[:50], compression)
    await publish(broker, stream, BODIES[:1])
    async with opened(source_of(broker, stream)) as source:
        found = await take(source, 101)
    assert [one.body for one in found] == [*BODIES[:50], *BODIES[:50], BODIES[0]]
    assert [one.offset for one in found] == list(range(101))


async def test_what_is_compressed_by_other_means_is_named(broker: Broker, stream: str) -> None:
    connection = await Connection.open(
        address_of(broker), login_of(broker, WRITER), on_push=lambda _: None, on_loss=lambda _: None
    )
    await connection.request(
        lambda number: schema.DeclarePublisher(number, 0, "", stream),
        schema.DeclarePublisherResponse,
        about=stream,
    )
    packed = b"of Zstandard"
    kind = 0x80 | CompressionType.Zstd.value << 4
    await connection.send(schema.PublishSubBatching(0, 1, 1, kind, 3, 999, len(packed), packed))
    await connection.close()
    async with opened(source_of(broker, stream)) as source:
        assert await source.last_offset() == 2
        [one] = await take(source, 1)
    said = "3 messages are in an entry compressed with Zstandard; use gzip, or no compression"
    assert (one.offset, one.body, one.fault) == (2, b"", said)


async def test_who_published_through_an_exchange_is_known(broker: Broker, stream: str) -> None:
    with broker.channel() as channel:
        for properties in (pika.BasicProperties(user_id=ADMIN, headers={"a": 1}), None):
            channel.basic_publish("", stream, b"picture\x00", properties)
    async with opened(source_of(broker, stream)) as source:
        found = await take(source, 2)
    assert [(one.body, one.user_id) for one in found] == [
        (b"picture\x00", ADMIN),
        (b"picture\x00", None),
    ]


async def test_what_is_no_message_of_amqp_is_given_as_it_is(broker: Broker, stream: str) -> None:
    bodies = [b"{}", b"", b"\x00", b"\x00\x53\x75", b"\xff" * 100]
    await publish(broker, stream, bodies, raw=True)
    async with opened(source_of(broker, stream)) as source:
        assert [one.body for one in await take(source, len(bodies))] == bodies


async def test_a_slow_reader_has_few_chunks_in_memory(broker: Broker, stream: str) -> None:
    for _ in range(20):
        await publish(broker, stream, [b"x" * 100_000] * 2)
    async with opened(source_of(broker, stream)) as source:
        batches = source.deliveries()
        assert len(await anext(batches)) < 40 / CREDITS
        # Longer than it takes to send everything that has been published.
        await asyncio.sleep(0.5)
        assert source._came.qsize() <= CREDITS
        rest = [one async for batch in _until(batches, 39) for one in batch]
        assert rest[-1].offset == 39


async def _until(batches: AsyncIterator[list], offset: int) -> AsyncIterator[list]:
    async for batch in batches:
        yield batch
        if batch[-1].offset == offset:
            return


ADDRESSES = {
    "another port": (
        lambda _: {"port": 1},
        UnavailableError,
        "broker localhost:1: no connection (Connection refused)",
    ),
    "an unknown name": (
        lambda _: {"host": "broker.invalid"},
        UnavailableError,
        "no connection (Name or service not known)",
    ),
    "another name": (
        lambda _: {"host": "127.0.0.1"},
        UnavailableError,
        "its certificate is for another name",
    ),
    "another CA": (
        lambda folder: {"bundle": _other_ca(folder)},
        UnavailableError,
        "its certificate is not signed by a CA in ConfigMap other-ca",
    ),
    "no CA": (
        lambda folder: {"bundle": CaBundle(folder / "none", "ConfigMap none, key ca.crt,")},
        MissingError,
        "ConfigMap none, key ca.crt, is missing",
    ),
    "another virtual host": (
        lambda _: {"virtual_host": "trays"},
        MissingError,
        "virtual host trays: there is none of this name, or the user may not enter it",
    ),
}


def _other_ca(folder: Path) -> CaBundle:
    (folder / "ca.crt").write_bytes(PrivateCA.create().ca_pem)
    return CaBundle(folder / "ca.crt", "ConfigMap other-ca, key ca.crt,")


@pytest.mark.parametrize("case", ADDRESSES)
async def test_a_broker_that_is_not_reached(broker: Broker, case: str, tmp_path: Path) -> None:
    changes, kind, said = ADDRESSES[case]
    address = address_of(broker, **changes(tmp_path))
    source = RabbitmqSource(address, "any", lambda: login_of(broker))
    await _fails(source, kind, said)


LOGINS: dict[str, tuple[Pair | str, str, type[SealyardError], str]] = {
    "a wrong password": (
        Pair(READER, "wrong"),
        "any",
        RefusedError,
        "logging in: it refuses this name and password",
    ),
    "an unknown user": (
        Pair("nobody", "wrong"),
        "any",
        RefusedError,
        "logging in: it refuses this name and password",
    ),
    "no permission to read": (
        "stranger",
        "readable",
        RefusedError,
        "stream readable: the user has no permission for it",
    ),
    "no such stream": (
        READER,
        "nowhere",
        MissingError,
        "stream nowhere: there is none of this name",
    ),
}


@pytest.mark.parametrize("case", LOGINS)
async def test_a_login_that_opens_nothing(broker: Broker, case: str) -> None:
    login, stream, kind, said = LOGINS[case]
    broker.create_stream("readable")
    pair = login if isinstance(login, Pair) else login_of(broker, login)
    source = RabbitmqSource(address_of(broker), stream, lambda: pair)
    error = await _fails(source, kind, said)
    assert pair.secret not in error


async def _fails(source: RabbitmqSource, kind: type[SealyardError], said: str) -> str:
    with pytest.raises(kind) as caught:
        await source.open(Place())
    assert said in str(caught.value)
    with pytest.raises(UnavailableError, match="the connection is closed"):
        await source.first_offset()
    await source.close()
    return str(caught.value)


async def test_a_stream_that_is_deleted(broker: Broker, stream: str) -> None:
    async with opened(source_of(broker, stream)) as source:
        waiting = asyncio.create_task(take(source, 1))
        await asyncio.sleep(0)
        broker.delete_stream(stream)
        with pytest.raises(UnavailableError, match=f"stream {stream} was deleted, or has moved"):
            await waiting
    with pytest.raises(MissingError):
        await source.open(Place())


async def test_a_broker_that_is_killed_and_comes_back(broker: Broker, stream: str) -> None:
    await publish(broker, stream, BODIES)
    source = source_of(broker, stream)
    async with opened(source):
        assert len(await take(source, 50)) >= 50
        waiting = asyncio.create_task(take(source, 1000))
        broker.kill()
        with pytest.raises(UnavailableError, match="broker localhost:"):
            await waiting
    with pytest.raises(UnavailableError):
        await source.open(Place())
    broker.start()
    await eventually(lambda: source.open(Place(50)))
    assert [one.body for one in await take(source, 50)] == BODIES[50:]
    await source.close()


async def test_a_broker_that_says_nothing_any_more(broker: Broker, stream: str) -> None:
    async with opened(source_of(broker, stream)) as source:
        broker.freeze()
        try:
            with pytest.raises(UnavailableError, match="nothing was heard of it for 4 s"):
                await take(source, 1)
        finally:
            broker.thaw()


async def test_closing_waits_for_nobody(broker: Broker, stream: str) -> None:
    source = source_of(broker, stream)
    await source.open(Place())
    broker.freeze()
    try:
        async with asyncio.timeout(CLOSE_SECONDS * 2 + SECONDS / 2):
            await source.close()
    finally:
        broker.thaw()
    await source.close()
