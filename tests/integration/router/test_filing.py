"""Filing against a real RabbitMQ, into a real S3 server and a real folder: each message once.

`SEALYARD_FILING_MESSAGES` says how many are filed while everything is killed now and then.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.annotation_store import assert_each_filed_once, strays
from support.dataset_store import DatasetStore, dataset_store
from support.rabbitmq import Broker
from support.router import CLASSES, Yard, a_stream, a_yard, states, states_of
from support.stores import until

pytestmark = [pytest.mark.stores, pytest.mark.timeout(3000)]

MESSAGES = int(os.environ.get("SEALYARD_FILING_MESSAGES", "120"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(params=["bucket", "folder"])
def yard(
    request: pytest.FixtureRequest, broker: Broker, store: DatasetStore, tmp_path: Path
) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, store if request.param == "bucket" else None) as made:
        yield made


@pytest.fixture
def bucket(broker: Broker, store: DatasetStore, tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, store) as made:
        yield made


@pytest.fixture
def folder(broker: Broker, tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, None) as made:
        yield made


def assert_all_filed_once(yard: Yard, bodies: list[bytes]) -> None:
    """What was left by who died is gone, too, once its successor has filed the same messages."""
    sent = dict(enumerate(bodies))
    until(lambda: not strays(yard.files(), CLASSES), "the sweep", seconds=600)
    files = yard.files()
    assert_each_filed_once(files, sent, CLASSES)
    filed = {name: place for name, place in states(bodies).items() if place != "deleted"}
    assert states_of(files) == filed


def test_whatever_is_killed_each_message_is_filed_once(yard: Yard) -> None:
    chance = random.Random(7)  # noqa: S311 - the same each time
    bodies = a_stream(MESSAGES)
    size = max(20, MESSAGES // 40)
    slices = [bodies[start : start + size] for start in range(0, len(bodies), size)]
    of_broker = set(chance.sample(range(len(slices)), max(1, len(slices) // 12)))
    router = yard.start()
    for number, some in enumerate(slices):
        yard.publish(some)
        # Not to wait for something: what is killed is to be in the middle of something.
        time.sleep(chance.uniform(0, size / 60))
        if number in of_broker:
            yard.broker.kill()
            yard.broker.start()
        elif yard.store is not None and chance.random() < 0.3:
            yard.store.server.kill()
            yard.store.server.start()
        else:
            router.kill()
            router = yard.start()
    yard.wait_filed(len(bodies), seconds=1200)
    assert_all_filed_once(yard, bodies)
    assert router.terminate() == 143


def test_two_routers_at_once_file_each_message_once(yard: Yard) -> None:
    bodies = a_stream(MESSAGES, seed=2)
    routers = [yard.start(), yard.start()]
    for start in range(0, len(bodies), 20):
        yard.publish(bodies[start : start + 20])
    yard.wait_filed(len(bodies))
    for router in routers:
        until(lambda: router.metric("sealyard_router_offset") == len(bodies), "both")  # noqa: B023
    assert_all_filed_once(yard, bodies)
    for router in routers:
        assert router.terminate() == 143
