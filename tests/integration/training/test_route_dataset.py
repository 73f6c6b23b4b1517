"""A dataset of what a route has filed in a real S3 store: pinned, trained on, exported, traced."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealyard.annotations.lineage import LINEAGE_FILE, parse_lineage
from sealyard.annotations.message import Box
from sealyard.api.answers import ExportResult, TrainResult
from sealyard.api.model_release import VariantSpec
from sealyard.api.tasks import ExportTask, Owner, RemoteFolder, RouteSnapshot, TrainTask
from sealyard.errors import MissingError, RefusedError
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_snapshot import make_dataset
from support.dataset_store import DatasetStore, dataset_store
from support.filed_annotations import Filed, a_picture, a_record
from support.job_programs import TIMEOUT_SECONDS, Pod
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [
    *(pytest.mark.training, pytest.mark.stores),
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

PREFIX = "shop/"


def of_coins(folder: Path) -> Filed:
    """A route on which somebody validated the coins, one by one, in entries of seven."""
    storage, records = Filed(), []
    for path in sorted((folder / "images").rglob("*.*")):
        labels = folder / "labels" / path.relative_to(folder / "images").with_suffix(".txt")
        lines = labels.read_text().splitlines() if labels.exists() else []
        picture = storage.picture(path.read_bytes())
        media_type = "image/jpeg" if path.suffix == ".jpg" else "image/png"
        records.append(
            a_record(
                len(records),
                f"{path.parent.name}-{path.stem}",
                picture=picture.model_copy(update={"media_type": media_type}),
                has_bytes=True,
                boxes=[_box(line) for line in lines],
            )
        )
    for begin in range(0, len(records), 7):
        storage.file(*records[begin : begin + 7])
    storage.checkpoint()
    return storage


def _box(line: str) -> Box:
    _, x, y, width, height = map(float, line.split())
    return Box.model_validate({"class": "coin", "x": x, "y": y, "width": width, "height": height})


@pytest.fixture(scope="module")
def filed(coins: Path) -> Filed:
    return of_coins(coins / "coins")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, filed: Filed) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as store:
        for key, content in filed.files.items():
            store.put(f"{PREFIX}{key}", content)
        yield store


@pytest.fixture
def remote(store: DatasetStore) -> RemoteFolder:
    return store.remote(PREFIX)


@pytest.fixture
def snapshot(filed: Filed) -> RouteSnapshot:
    return RouteSnapshot(route="shop", offset=filed.fold.offset, validation_percent=20)


def task(remote: RemoteFolder | None, snapshot: RouteSnapshot) -> TrainTask:
    return train_task(
        task_version=6,
        dataset=remote,
        dataset_path=None,
        snapshot=snapshot,
        hyperparameters=with_epochs(1),
    )


def test_it_is_the_same_from_a_bucket_and_from_a_claim(
    store: DatasetStore,
    remote: RemoteFolder,
    snapshot: RouteSnapshot,
    filed: Filed,
    tmp_path: Path,
) -> None:
    mounts = store.mounts(tmp_path / "mounts")
    bucket = make_dataset(task(remote, snapshot), snapshot, mounts, tmp_path / "bucket")
    filed.write(tmp_path / "claim")
    mounted = Mounts(dataset=tmp_path / "claim")
    claim = make_dataset(task(None, snapshot), snapshot, mounted, tmp_path / "of-claim")
    assert bucket.used == claim.used
    digests = {inspect(read_dataset(made.root)).digest for made in (bucket, claim)}
    assert len(digests) == 1
    # And again: all of it is there, and nothing is asked of the store but the journal.
    again = make_dataset(task(remote, snapshot), snapshot, mounts, tmp_path / "bucket")
    assert again.used == bucket.used


def test_what_the_store_refuses_and_lacks_is_named(
    store: DatasetStore, remote: RemoteFolder, snapshot: RouteSnapshot, tmp_path: Path
) -> None:
    storage = Filed()
    storage.file(
        *(
            a_record(
                number,
                f"item-{number}",
                picture=storage.picture(a_picture(number)),
                has_bytes=True,
            )
            for number in range(20)
        )
    )
    for key, content in storage.files.items():
        if "item-7" not in key:
            store.put(f"lacking/{key}", content)
    lacking = task(store.remote("lacking/"), snapshot.model_copy(update={"offset": 20}))
    assert lacking.snapshot is not None
    mounts = store.mounts(tmp_path / "mounts")
    with pytest.raises(MissingError, match="the picture of item item-7 is not in the route"):
        make_dataset(lacking, lacking.snapshot, mounts, tmp_path / "lacking")
    elsewhere = task(store.remote("nowhere/"), snapshot)
    with pytest.raises(MissingError, match="the journal ends at offset 0"):
        make_dataset(elsewhere, snapshot, mounts, tmp_path / "nowhere")
    (mounts.secrets / "dataset/dataset-secret-access-key").write_text("wrong")
    with pytest.raises(RefusedError, match="the dataset credential"):
        make_dataset(task(remote, snapshot), snapshot, mounts, tmp_path / "refused")


def test_training_and_export_from_a_route_alone(
    store: DatasetStore,
    remote: RemoteFolder,
    snapshot: RouteSnapshot,
    make_pod: MakePod,
    tmp_path: Path,
) -> None:
    mounted = store.mounts(tmp_path / "pods")
    pod: Callable[[], Pod] = lambda: make_pod(  # noqa: E731 - two of one kind
        dataset=None, secrets=mounted.secrets, ca=mounted.ca
    )
    training = pod()
    assert training.run("sealyard-trainer", task(remote, snapshot)) == 0, (
        training.log_file.read_text()
    )
    result = TrainResult.model_validate(training.answer().result)
    folder = training.workspace / RUN_PATH
    assert not (folder / "dataset").exists()
    kept = (folder / LINEAGE_FILE).read_bytes()
    digest = hashlib.sha256(kept).hexdigest()
    assert result.dataset.annotations is not None
    assert (result.dataset.annotations.sha256, result.dataset.annotations.items) == (
        digest,
        result.dataset.images,
    )
    assert digest in {one.sha256 for one in result.artifacts if one.name == LINEAGE_FILE}
    assert {one.split for one in parse_lineage(kept)} == {"train", "val"}
    best = next(one for one in result.artifacts if one.name == "best.pt")
    export = ExportTask(
        task_version=6,
        owner=Owner(namespace="default", name="coins-1", uid="release-1"),
        attempt=1,
        variant=VariantSpec(name="edge", format="onnx", precision="fp32"),
        checkpoint_path=best.path,
        checkpoint_sha256=best.sha256,
        image_size=64,
        dataset=remote,
        snapshot=snapshot,
        run_path=RUN_PATH,
        release_path="coins-1-abcdef0123",
        model="coins",
        version="1.0.0",
    )
    exporting = pod()
    assert exporting.run("sealyard-exporter", export) == 0, exporting.log_file.read_text()
    assert ExportResult.model_validate(exporting.answer().result).metrics is not None
    assert not (exporting.workspace / "coins-1-abcdef0123/exports/edge/dataset").exists()
