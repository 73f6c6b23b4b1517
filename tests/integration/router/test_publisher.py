"""What a tool publishes with, against a real RabbitMQ; and what the broker's users may not do."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Any

import pika
import pytest
from rstream import AMQPMessage, Properties

from sealyard.annotations.message import Annotation, encode, parse
from sealyard.annotations.publisher import AnnotationPublisher
from sealyard.errors import InvalidError, MissingError, RefusedError, UnavailableError
from sealyard_release_api.roles import Role
from sealyard_release_api.tokens import KeySet
from sealyard_router.delivery import Delivery
from sealyard_router.identity import BrokerUsers, Proven, Tokens, Unproven, judge
from sealyard_router.identity_keys import parse_key_set
from support.annotations import PICTURE, a_picture, an_annotation
from support.identities import claims, token
from support.rabbitmq import ADMIN, READER, SENDER, WRITER, Broker
from support.release_api import PASSWORD, release_api_server, user
from support.streams import eventually, opened, publish, source_of, take

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = REPOSITORY / "examples/annotations/publish.py"
PAGE = REPOSITORY / "docs/annotations.md"
RULE = BrokerUsers({SENDER: "Validator"})


@pytest.fixture
def stream(broker: Broker, request: pytest.FixtureRequest) -> str:
    """An empty one, named after the test."""
    name: str = request.node.name.removeprefix("test_")
    broker.create_stream(name)
    return name


def publisher_of(
    broker: Broker, stream: str, user: str = WRITER, **changes: Any
) -> AnnotationPublisher:
    fields: dict[str, Any] = {
        "username": user,
        "password": broker.passwords[user],
        "name": "studio",
        "port": broker.stream_port,
        "ca_file": broker.ca_path,
    }
    return AnnotationPublisher(broker.host, stream, **(fields | changes))


async def published(broker: Broker, stream: str, count: int) -> list[Annotation]:
    """So many are in the stream, and no more."""
    async with opened(source_of(broker, stream)) as source:
        found = await take(source, count)
        assert await source.last_offset() == count - 1
    return [parse(one.body)[0] for one in found]


async def test_annotations_with_a_token_each(broker: Broker, stream: str) -> None:
    proof = token(claims(iat=time.time(), exp=time.time() + 900))

    async def provider() -> str:
        return proof

    async with publisher_of(broker, stream, token=provider) as publisher:
        await publisher.publish(an_annotation(), PICTURE)
        rest = [publisher.publish(an_annotation(revision=number)) for number in range(2, 20)]
        assert len(set(await asyncio.gather(*rest))) == 18
    async with opened(source_of(broker, stream)) as source:
        first, *others = await take(source, 19)
    assert parse(first.body) == (an_annotation(proof={"jwt": proof}), PICTURE)
    assert {parse(one.body)[0].revision for one in others} == set(range(2, 20))


async def test_the_code_of_the_page(broker: Broker, stream: str) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    reached = f'port={broker.stream_port}, ca_file=Path("{broker.ca_path}")'
    for said, here in {
        "rabbitmq.example.org": broker.host,
        '"annotations"': f'"{stream}"',
        ' name="tool"': f' name="tool", {reached}',
    }.items():
        assert said in code
        code = code.replace(said, here)
    names: dict[str, Any] = {"Path": Path}
    exec(code, names)  # noqa: S102 - our own page
    await names["validate"](PICTURE, broker.passwords[WRITER], None)
    (said,) = await published(broker, stream, 1)
    assert (said.id, said.operation) == ("tray-7", "validated")


async def test_the_broker_takes_an_id_once(broker: Broker, stream: str) -> None:
    async with publisher_of(broker, stream) as publisher:
        await publisher.publish(an_annotation())
        number = publisher.new_id()
        await publisher.publish(an_annotation(revision=2), publishing_id=number)
    # Another process, which does not know whether the second was taken.
    async with publisher_of(broker, stream) as publisher:
        await publisher.publish(an_annotation(revision=2), publishing_id=number)
        await publisher.publish(an_annotation(revision=3))
    assert [said.revision for said in await published(broker, stream, 3)] == [1, 2, 3]


async def test_a_broker_that_comes_back_is_published_to(broker: Broker, stream: str) -> None:
    async with publisher_of(broker, stream) as publisher:
        await publisher.publish(an_annotation())
        number = publisher.new_id()
        broker.kill()
        with pytest.raises(UnavailableError, match="broker localhost:"):
            await publisher.publish(an_annotation(revision=2), publishing_id=number)
        broker.start()
        await eventually(lambda: publisher.publish(an_annotation(revision=2), publishing_id=number))
    assert [said.revision for said in await published(broker, stream, 2)] == [1, 2]


async def test_a_large_picture_goes_to_the_store(broker: Broker, stream: str) -> None:
    content = bytes(1 << 20)
    said = an_annotation(picture=a_picture(content))
    async with publisher_of(broker, stream) as publisher:
        with pytest.raises(InvalidError, match=r"stream\.frame_max.*s3:// address in picture\.uri"):
            await publisher.publish(said, content)
        # The connection is as it was.
        await publisher.publish(said)


async def test_who_may_not_write_publishes_nothing(broker: Broker, stream: str) -> None:
    for name in (READER, SENDER):
        with pytest.raises(RefusedError, match=f"stream {stream}: the user has no permission"):
            async with publisher_of(broker, stream, name):
                pass
    with pytest.raises(RefusedError, match="it refuses this name and password"):
        async with publisher_of(broker, stream, password="wrong"):
            pass
    with pytest.raises(MissingError, match="stream nowhere: there is none of this name"):
        async with publisher_of(broker, "nowhere"):
            pass


async def delivered(broker: Broker, stream: str) -> Delivery:
    async with opened(source_of(broker, stream)) as source:
        return (await take(source, 1))[0]


async def test_the_broker_checks_who_sends_through_an_exchange(broker: Broker, stream: str) -> None:
    broker.create_exchange(f"exchange-{stream}", stream=stream)
    body = encode(an_annotation(), PICTURE)
    with broker.channel(SENDER) as channel:
        channel.confirm_delivery()
        forged = pika.BasicProperties(user_id=ADMIN)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="user_id property set to"):
            channel.basic_publish(f"exchange-{stream}", "", body, forged)
    with broker.channel(SENDER) as channel:
        channel.confirm_delivery()
        mine = pika.BasicProperties(user_id=SENDER)
        channel.basic_publish(f"exchange-{stream}", "", body, mine)
    delivery = await delivered(broker, stream)
    assert judge(parse(delivery.body)[0], delivery, RULE) == Proven("Validator")


async def test_who_may_write_to_the_stream_itself_can_name_anybody(
    broker: Broker, stream: str
) -> None:
    """Why `brokerUser` wants users who may write to the exchange only: the threat model's line."""
    body = encode(an_annotation())
    message = AMQPMessage(body=body, properties=Properties(user_id=SENDER.encode()))
    await publish(broker, stream, [bytes(message)], raw=True)
    delivery = await delivered(broker, stream)
    assert judge(parse(delivery.body)[0], delivery, RULE) == Proven("Validator")
    # A publisher of ours names nobody.
    async with publisher_of(broker, stream) as publisher:
        await publisher.publish(an_annotation(revision=2))
    async with opened(source_of(broker, stream), 1) as source:
        (plain,) = await take(source, 1)
    assert isinstance(judge(parse(plain.body)[0], plain, RULE), Unproven)


async def test_the_example_publishes_what_a_route_believes(
    broker: Broker, stream: str, tmp_path: Path
) -> None:
    picture = tmp_path / "tray-7.jpg"
    picture.write_bytes(PICTURE)
    (tmp_path / "queue-password").write_text(broker.passwords[WRITER])
    (tmp_path / "password").write_text(PASSWORD)
    annotator = "vera@example.org"
    users = [user(annotator, Role.VALIDATOR, models=())]
    with release_api_server(tmp_path, users=users, ca=broker.ca) as api:
        command = [
            *(sys.executable, EXAMPLE, picture, "--box", "coin", "0.5", "0.5", "0.25", "0.25"),
            *("--host", broker.host, "--port", broker.stream_port, "--stream", stream),
            *("--user", WRITER, "--password-file", tmp_path / "queue-password"),
            *("--ca", broker.ca_path, "--api", api.url, "--annotator", annotator),
            *("--login-file", tmp_path / "password", "--operation", "validated"),
        ]
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        keys = KeySet.parse((Path(api.secrets_dir) / "jwt-keys.json").read_bytes())
    assert output.decode() == "tray-7 revision 1 is published\n"
    delivery = await delivered(broker, stream)
    said, attached = parse(delivery.body)
    assert (said.operation, attached) == ("validated", PICTURE)
    rule = Tokens(parse_key_set(keys.public_set().encode()), "sealyard-annotations", keys.issuer)
    assert judge(said, delivery, rule) == Proven("Validator")
