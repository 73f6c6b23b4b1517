"""What a real router has filed is what a run is trained on, also after it has filed more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.tasks import RouteSnapshot
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_snapshot import SnapshotDataset, make_dataset
from support.annotations import a_box
from support.dataset_store import dataset_store
from support.filing import a_message, an_image
from support.rabbitmq import Broker
from support.router import Yard, a_yard
from support.training_jobs import train_task

pytestmark = [pytest.mark.stores, pytest.mark.timeout(600)]

IDS = [f"tray-{number}" for number in range(30)]


@pytest.fixture(params=["bucket", "folder"])
def yard(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> Iterator[Yard]:
    if request.param == "folder":
        with a_yard(tmp_path, broker, None) as made:
            yield made
        return
    with dataset_store(tmp_path) as store, a_yard(tmp_path, broker, store) as made:
        yield made


def body(number: int, image: int | None = None, **fields: Any) -> bytes:
    # Far enough apart that no two are the same JPEG.
    content = an_image(9 * (number if image is None else image), side=16)
    said = {"id": IDS[number], "role": "Validator", "boxes": [a_box("coin")], "revision": 1}
    return a_message(content, **(said | fields))


def made_at(yard: Yard, offset: int, folder: Path) -> SnapshotDataset:
    """As a run does that is pinned there."""
    snapshot = RouteSnapshot(route="trays", offset=offset, validation_percent=20)
    task = train_task(task_version=6, snapshot=snapshot, dataset_path=None)
    mounts = Mounts(dataset=yard.volume)
    if yard.store is not None:
        task = task.model_copy(update={"dataset": yard.store.remote(yard.prefix)})
        mounts = yard.store.mounts(folder / "mounts")
    return make_dataset(task, snapshot, mounts, folder / "dataset")


def test_a_run_is_trained_on_what_was_filed_then(yard: Yard, tmp_path: Path) -> None:
    yard.start()
    yard.publish([body(number) for number in range(30)])
    yard.wait_filed(len(IDS))
    offset = yard.end()
    first = made_at(yard, offset, tmp_path / "first")
    assert [one.id for one in first.used] == sorted(IDS)
    assert {one.role for one in first.used} == {"Validator"}
    changes = [
        *(body(number, revision=2, operation="deleted") for number in range(5)),
        *(body(number, revision=2, role="Operator") for number in range(5, 10)),
        *(body(number, 100 + number, revision=2) for number in range(10, 15)),
        *(body(number, revision=2, boxes=[a_box("note")]) for number in range(15, 20)),
    ]
    yard.publish(changes)
    yard.wait_filed(len(IDS) + len(changes))
    then = made_at(yard, offset, tmp_path / "then")
    assert then.used == first.used
    assert inspect(read_dataset(then.root)).digest == inspect(read_dataset(first.root)).digest
    now = made_at(yard, yard.end(), tmp_path / "now")
    assert [one.id for one in now.used] == sorted(IDS[10:])
    assert {one.revision for one in now.used} == {1, 2}
    judged = {one.id for one in first.used if one.split == "val"}
    assert judged.isdisjoint(one.id for one in now.used if one.split == "train")
