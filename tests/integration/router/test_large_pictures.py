"""Pictures of many megabytes inside messages, through a real RabbitMQ into a real S3 server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.annotations.message import encode
from sealyard.annotations.publisher import AnnotationPublisher
from sealyard.core.jobs import router_deployment
from support.annotation_store import assert_each_filed_once, records_of
from support.annotations import a_picture, an_annotation
from support.builders import WITH_PROGRESS
from support.dataset_store import DatasetStore, dataset_store
from support.filing import a_message, an_image
from support.rabbitmq import ADMIN, WRITER, Broker, running_broker
from support.router import CLASSES, RouterProcess, Yard, a_yard
from support.routes import a_route

pytestmark = [pytest.mark.stores, pytest.mark.timeout(600)]

MIB = 1 << 20
FRAME_BYTES = 64 * MIB


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """It takes large frames; by default one may have 1 MiB."""
    settings = {"stream.frame_max": str(FRAME_BYTES)}
    with running_broker(tmp_path_factory.mktemp("broker"), settings=settings) as running:
        yield running


@pytest.fixture
def yard(broker: Broker, store: DatasetStore, tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, store) as made:
        yield made


def big(number: int, mebibytes: int) -> bytes:
    """A picture with something behind it, as cameras leave there."""
    return an_image(number) + os.urandom(mebibytes * MIB)


def peak_mebibytes(router: RouterProcess) -> float:
    """The most memory it has had."""
    status = Path(f"/proc/{router.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def pods_mebibytes(yard: Yard) -> int:
    """What the operator gives to such a router."""
    route = a_route().with_spec("maxPictureBytes", yard.task().max_picture_bytes).build()
    manifest = router_deployment(route, WITH_PROGRESS, replicas=1)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    return int(container["resources"]["limits"]["memory"].removesuffix("Mi"))


def publish_by_the_stream(yard: Yard, pictures: dict[str, bytes]) -> list[bytes]:
    async def published() -> list[bytes]:
        bodies = []
        async with AnnotationPublisher(
            yard.broker.host,
            yard.stream,
            username=WRITER,
            password=yard.broker.passwords[WRITER],
            name="studio",
            port=yard.broker.stream_port,
            ca_file=yard.broker.ca_path,
        ) as publisher:
            for name, content in pictures.items():
                said = an_annotation(id=name, picture=a_picture(content))
                bodies.append(encode(said, content))
                await publisher.publish(said, content)
        return bodies

    return asyncio.run(published())


def publish_through_the_exchange(yard: Yard, pictures: dict[str, bytes]) -> list[bytes]:
    bodies = [a_message(content, id=name) for name, content in pictures.items()]
    with yard.broker.channel(ADMIN) as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", yard.stream, body)
    return bodies


def test_large_pictures_are_filed_within_the_pods_memory(yard: Yard) -> None:
    sizes = [50, 12, 12, 50]
    pictures = {f"tray-{number}": big(number, size) for number, size in enumerate(sizes)}
    bodies = publish_by_the_stream(yard, pictures)
    others = {f"others-{number}": big(number, size) for number, size in enumerate(sizes)}
    bodies += publish_through_the_exchange(yard, others)
    router = yard.start()
    yard.wait_filed(len(bodies))
    assert peak_mebibytes(router) < pods_mebibytes(yard)
    assert_each_filed_once(yard.files(), dict(enumerate(bodies)), CLASSES)


def test_what_is_too_large_is_refused_within_the_pods_memory(yard: Yard) -> None:
    yard.changes["max_picture_bytes"] = MIB
    bodies = publish_through_the_exchange(yard, {"large": big(1, 120), "small": an_image()})
    router = yard.start()
    yard.wait_filed(len(bodies))
    assert peak_mebibytes(router) < pods_mebibytes(yard)
    files = yard.files()
    refused, filed = records_of(files)
    assert refused["reason"].startswith("could not be read: it has 1258")
    assert b'"large"' in files["rejected/000000000000.message"]
    assert len(files["rejected/000000000000.message"]) < MIB
    assert filed["verdict"] == "seed"
