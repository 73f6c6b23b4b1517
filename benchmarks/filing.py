"""Annotations from a real RabbitMQ into a real S3 server, both over TLS on this machine.

The other side reads the same stream with rstream and writes the same two files for each message,
with the same client and as many threads: no journal, no index, no question whose it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import rstream

from benchmarks.table import CheckError, OpenPeak, OpenRace, Peak, Race, Side
from sealyard.annotations.labels import label_lines
from sealyard.annotations.message import Box
from sealyard.api.secrets import Purpose
from sealyard.delivery.object_folder import ObjectFolder
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard_router.arrivals import Limits
from sealyard_router.assembly import assembled
from sealyard_router.pipeline import Pipeline
from sealyard_router.uploads import UPLOADS
from support.annotations import a_box
from support.dataset_store import BUCKET, dataset_store
from support.filing import a_message, an_image
from support.rabbitmq import READER, running_broker
from support.router import CLASSES, Yard, a_yard

PICTURE_BYTES: Final = 100_000
_LARGE_BYTES: Final = 10_000_000
_BOXES: Final = 12
"""A kilobyte of JSON."""
_SECONDS: Final = 600.0


@contextmanager
def a_route(folder: Path) -> Iterator[Yard]:
    """Both servers, and a route with a new stream."""
    with (
        running_broker(folder / "broker") as broker,
        dataset_store(folder / "store") as store,
        a_yard(folder / "yard", broker, store) as yard,
    ):
        yield yard


def a_picture_of(number: int, size: int) -> bytes:
    """A picture of about so many bytes, as no other."""
    return bytes(an_image(number)) + os.urandom(size)


@contextmanager
def _stream(folder: Path, size_bytes: int, picture_bytes: int) -> Iterator[tuple[Yard, int]]:
    """A route whose stream has so many bytes of pictures, and how many messages that is."""
    count = max(1, size_bytes // picture_bytes)
    boxes = [a_box(x=0.25 + number / 100, width=0.125) for number in range(_BOXES)]
    with a_route(folder) as yard:
        yard.broker.create_exchange("annotations", stream=yard.stream)
        # Not by the stream's own protocol, whose frames are smaller than a large picture.
        with yard.broker.channel() as channel:
            channel.confirm_delivery()
            for number in range(count):
                picture = a_picture_of(number, picture_bytes)
                body = a_message(picture, id=f"tray-{number}", role="Validator", boxes=boxes)
                channel.basic_publish("annotations", "", body)
        yield yard, count


@contextmanager
def _rstream(folder: Path, size_bytes: int) -> Iterator[Race]:
    with _stream(folder, size_bytes, PICTURE_BYTES) as (yard, count):

        def empty() -> None:
            """Begin with an empty store: it does not free at once what was deleted."""
            yard.store.server.stop()
            shutil.rmtree(yard.store.folder / "data")
            yard.store.server.start()

        def check() -> None:
            paginator = yard.store.client.get_paginator("list_objects_v2")
            found = sum(
                entry["Key"].split("/")[-2] in {"images", "labels"}
                for page in paginator.paginate(Bucket=BUCKET, Prefix=yard.prefix)
                for entry in page.get("Contents", ())
            )
            if found != 2 * count:
                raise CheckError(f"there are {found} files, must be {2 * count}")

        yield Race(
            what="file annotations (1 KB and 100 KB)",
            against="rstream, and the same files without routing",
            least=0.8,
            size_bytes=count * PICTURE_BYTES,
            ours=Side(before=empty, run=lambda: asyncio.run(_file(yard, count)), check=check),
            theirs=Side(before=empty, run=lambda: asyncio.run(_consume(yard, count)), check=check),
        )


async def _file(yard: Yard, count: int) -> None:
    """What a router does, without its start."""
    task = yard.task()
    with assembled(task, _mounts(yard)) as parts:
        pipeline = Pipeline(
            parts.source,
            parts.filer,
            troubles=parts.troubles,
            metrics=parts.metrics,
            limits=Limits(),
            most=task.max_picture_bytes,
        )
        running = asyncio.create_task(pipeline.run())
        async with asyncio.timeout(_SECONDS):
            while parts.filer.ledger.end < count:
                if running.done():
                    running.result()
                await asyncio.sleep(0.01)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _consume(yard: Yard, count: int) -> None:
    """Read and write, and nothing else."""
    loop = asyncio.get_running_loop()
    store = _store(yard)
    written: list[asyncio.Future[None]] = []
    enough = asyncio.Event()
    in_flight = asyncio.Semaphore(4 * UPLOADS)

    def write(number: int, body: bytes) -> None:
        line, _, picture = body.partition(b"\n")
        document = json.loads(line)
        boxes = [Box.model_validate(box) for box in document["boxes"]]
        stem = f"{document['id']}-{number:012d}"
        store.put(f"validated/images/{stem}.jpg", picture)
        store.put(f"validated/labels/{stem}.txt", label_lines(boxes, CLASSES).encode())

    async def take(message: Any, _context: Any) -> None:
        await in_flight.acquire()
        future = loop.run_in_executor(pool, write, len(written), bytes(message.body))
        future.add_done_callback(lambda _: in_flight.release())
        written.append(future)
        if len(written) == count:
            enough.set()

    with ThreadPoolExecutor(UPLOADS) as pool:
        consumer = rstream.Consumer(
            yard.broker.host,
            port=yard.broker.stream_port,
            ssl_context=yard.broker.context(),
            username=READER,
            password=yard.broker.passwords[READER],
        )
        await consumer.start()
        await consumer.subscribe(
            yard.stream,
            take,
            decoder=rstream.amqp_decoder,
            offset_specification=rstream.ConsumerOffsetSpecification(rstream.OffsetType.FIRST),
        )
        async with asyncio.timeout(_SECONDS):
            await enough.wait()
            await asyncio.gather(*written)
        await consumer.close()
    store.close()


def _mounts(yard: Yard) -> Any:
    folder = yard.folder / f"mounts-{os.urandom(4).hex()}"
    return yard.mounts(folder)


def _store(yard: Yard) -> ObjectFolder:
    mounts, remote = _mounts(yard), yard.task().storage
    return ObjectFolder(
        "store",
        S3Place(remote.endpoint, remote.region, remote.bucket),
        remote.prefix,
        SecretFiles.mounted(Purpose.ANNOTATIONS, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / Purpose.ANNOTATIONS.value, remote.ca_bundle_name),
    )


@contextmanager
def _peak(folder: Path, size_bytes: int, picture_bytes: int, most: float) -> Iterator[Peak]:
    with _stream(folder, size_bytes, picture_bytes) as (yard, count):

        def mebibytes() -> float:
            yard.changes["storage"] = yard.remote(f"{yard.prefix}{os.urandom(4).hex()}/")
            router = yard.start()
            try:
                yard.wait_metric(router, "sealyard_router_offset", count)
                status = Path(f"/proc/{router.process.pid}/status").read_text()
            finally:
                router.kill()
            kibibytes = next(
                int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")
            )
            return kibibytes / 1024

        yield Peak(
            what=f"sealyard-router, pictures of {picture_bytes // 1000:,} KB",
            most=most,
            size_bytes=count * picture_bytes,
            mebibytes=mebibytes,
        )


@contextmanager
def _peak_small(folder: Path, size_bytes: int) -> Iterator[Peak]:
    with _peak(folder, size_bytes, PICTURE_BYTES, 384) as peak:
        yield peak


@contextmanager
def _peak_large(folder: Path, size_bytes: int) -> Iterator[Peak]:
    with _peak(folder, size_bytes, _LARGE_BYTES, 448) as peak:
        yield peak


RACES: Final[Mapping[str, OpenRace]] = {"filing-rstream": _rstream}
PEAKS: Final[Mapping[str, OpenPeak]] = {
    "filing-memory-small": _peak_small,
    "filing-memory-large": _peak_large,
}
