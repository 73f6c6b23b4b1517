"""A dataset in a real S3 store: fetched once, whole, and the same as on a claim."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from sealyard.api.answers import ExportResult, TrainResult
from sealyard.api.model_release import VariantSpec
from sealyard.api.tasks import ExportTask, Owner, RemoteFolder, TrainTask
from sealyard.delivery.folder_download import FolderDownload
from sealyard.errors import SealyardError, UnavailableError
from sealyard.jobs.mounts import Mounts
from sealyard_local.pki import PrivateCA
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_fetch import fetch_dataset, open_bucket
from support.counting import CountingProxy
from support.dataset_store import SECRET_NAME, DatasetStore, dataset_store
from support.job_programs import BIN, PROGRAM_SECONDS, TIMEOUT_SECONDS, Pod, wait_until
from support.laptop import a_run
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [
    *(pytest.mark.training, pytest.mark.stores),
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

COINS = "teams/vision/coins/"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, coins: Path) -> Iterator[DatasetStore]:
    """With the coins, and with what may lie beside a dataset."""
    with dataset_store(tmp_path_factory.mktemp("store")) as store:
        store.put_folder(coins / "coins", COINS)
        yield store


@pytest.fixture
def remote(store: DatasetStore) -> RemoteFolder:
    return store.remote(COINS)


@pytest.fixture
def mounts(store: DatasetStore, tmp_path: Path) -> Mounts:
    return store.mounts(tmp_path / "mounts")


@pytest.fixture
def pod(store: DatasetStore, make_pod: MakePod, tmp_path: Path) -> Callable[[], Pod]:
    """The next pod of a run, without a dataset's volume."""
    mounted = store.mounts(tmp_path / "pods")
    return lambda: make_pod(dataset=None, secrets=mounted.secrets, ca=mounted.ca)


def task(remote: RemoteFolder, **changes: Any) -> TrainTask:
    return train_task(
        task_version=5,
        dataset=remote,
        dataset_path=None,
        hyperparameters=with_epochs(1),
        **changes,
    )


def pictures(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_is_the_same_as_on_a_claim(
    store: DatasetStore, mounts: Mounts, coins: Path, tmp_path: Path
) -> None:
    store.put_folder(coins / "coins", "junk/")
    for key in ("images/test/a.jpg", "images/train/.DS_Store", "notes/read me.md", "old.zip"):
        store.put(f"junk/{key}", b"nobody asked for it")
    store.put("junk/images/", b"")
    root = fetch_dataset(store.remote("junk/"), mounts, tmp_path / "dataset")
    assert pictures(root) == pictures(coins / "coins")
    assert inspect(read_dataset(root)).digest == inspect(read_dataset(coins / "coins")).digest


def test_only_the_split_that_is_wanted(
    remote: RemoteFolder, mounts: Mounts, coins: Path, tmp_path: Path
) -> None:
    root = fetch_dataset(remote, mounts, tmp_path / "dataset", splits=("val",))
    found = pictures(root)
    assert found == {"data.yaml", *(one for one in pictures(coins / "coins") if "/val/" in one)}
    whole = inspect(read_dataset(coins / "coins"))
    assert inspect(read_dataset(root, ("val",))).split_digests["val"] == whole.split_digests["val"]


def test_training_and_export_from_a_store_alone(
    remote: RemoteFolder, pod: Callable[[], Pod], coins: Path
) -> None:
    training = pod()
    assert training.run("sealyard-trainer", task(remote)) == 0, training.log_file.read_text()
    result = TrainResult.model_validate(training.answer().result)
    assert result.dataset.digest == inspect(read_dataset(coins / "coins")).digest
    folder = training.workspace / RUN_PATH
    assert not (folder / "dataset").exists()
    assert "files are wanted, 1 of them are there; fetching" in training.log_file.read_text()
    heir = pod()
    other = task(remote, owner=Owner(namespace="default", name="coins", uid="run-2"))
    assert heir.run("sealyard-trainer", other) == 0
    assert "its result is adopted" in heir.log_file.read_text()
    assert not (folder / "dataset").exists()
    best = next(one for one in result.artifacts if one.name == "best.pt")
    export = ExportTask(
        task_version=5,
        owner=Owner(namespace="default", name="coins-1", uid="release-1"),
        attempt=1,
        variant=VariantSpec(name="edge", format="onnx", precision="fp32"),
        checkpoint_path=best.path,
        checkpoint_sha256=best.sha256,
        image_size=64,
        dataset=remote,
        run_path=RUN_PATH,
        release_path="coins-1-abcdef0123",
        model="coins",
        version="1.0.0",
    )
    exporting = pod()
    assert exporting.run("sealyard-exporter", export) == 0, exporting.log_file.read_text()
    judged = ExportResult.model_validate(exporting.answer().result)
    assert judged.metrics is not None
    left = pictures(exporting.workspace / "coins-1-abcdef0123/exports/edge")
    assert left == {"model.onnx", "DONE.json", "LOCK"}


def test_without_a_cluster(store: DatasetStore, mounts: Mounts, tmp_path: Path) -> None:
    """`sealyard run` gives the program what stands for the Secret and the ConfigMap."""
    store.put("faulty/data.yaml", b"train: images/train\nval: images/val\nnames: [coin]\n")
    for split in ("train", "val"):
        store.put(f"faulty/images/{split}/a.jpg", b"no picture")
    run = a_run()
    run["spec"]["dataset"] = {
        "s3": {
            "uri": "s3://datasets/faulty",
            "endpoint": store.endpoint,
            "credentialsSecretRef": {"name": SECRET_NAME},
            "caBundleRef": {"name": "stores-ca"},
        }
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    done = subprocess.run(
        [
            *(str(BIN / "sealyard"), "run", str(tmp_path / "run.yaml")),
            *("--work-dir", str(tmp_path / "work")),
            *("--secret", f"{SECRET_NAME}={mounts.secrets / 'dataset'}"),
            *("--config-map", f"stores-ca={mounts.ca / 'dataset'}"),
        ],
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        check=False,
    )
    assert done.returncode == 64, done.stderr
    assert "dataset: images/train/a.jpg: not a picture" in done.stderr
    assert store.reader.secret_access_key not in done.stderr + done.stdout


def test_a_fetch_that_was_killed_goes_on(
    store: DatasetStore, pod: Callable[[], Pod], tmp_path: Path
) -> None:
    """The dataset has a fault, so that the second pod ends once it has everything."""
    size, count = 256 << 10, 64
    store.put("big/data.yaml", b"train: images/train\nval: images/val\nnames: [coin]\n")
    for number in range(count):
        split = "val" if number % 8 == 0 else "train"
        store.put(f"big/images/{split}/{number:02}.jpg", os.urandom(size))
    held_after = count * size // 2
    with CountingProxy(
        store.endpoint, store.ca_file, store.certificate(), hold_after=held_after
    ) as proxy:
        remote = store.remote("big/", endpoint=proxy.url)
        first = pod()
        process = first.start("sealyard-trainer", task(remote))
        try:
            wait_until(proxy.holds.is_set, process, first)
            journal = first.workspace / RUN_PATH / "dataset/fetched.jsonl"
            wait_until(lambda: journal.exists() and journal.stat().st_size > 0, process, first)
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
        there = journal.read_text().count("\n")
        asked = len(proxy.asked)
        assert 1 < there < count
        # As a power cut may leave it.
        torn = next((journal.parent / "files/images/train").glob("[0-9]*.jpg"))
        os.truncate(torn, 100)
        proxy.release()
        second = pod()
        assert second.run("sealyard-trainer", task(remote, attempt=2)) == 64
        again = len(proxy.asked) - asked
    assert "not a picture" in second.answer().message
    assert again == count + 1 - (there - 1)
    assert len(pictures(journal.parent / "files")) == count + 1


def test_a_dataset_that_was_changed_between_two_attempts(
    store: DatasetStore, pod: Callable[[], Pod], coins: Path
) -> None:
    store.put_folder(coins / "coins", "changing/")
    remote = store.remote("changing/")
    first = pod()
    process = first.start("sealyard-trainer", task(remote))
    try:
        lock = first.workspace / RUN_PATH / "dataset.lock"
        wait_until(lock.exists, process, first)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    label = next((coins / "coins/labels/train").iterdir())
    store.put(f"changing/labels/train/{label.name}", b"0 0.5 0.5 0.25 0.25\n")
    second = pod()
    assert second.run("sealyard-trainer", task(remote, attempt=2)) == 65
    message = second.answer().message
    assert "the dataset changed since the first attempt" in message
    assert "have other contents" in message


def test_what_is_replaced_while_it_is_fetched_is_not_taken(
    store: DatasetStore, mounts: Mounts, tmp_path: Path
) -> None:
    store.put("replaced/a.jpg", b"1" * 100)
    with open_bucket(store.remote("replaced/"), mounts) as bucket:
        (listed,) = bucket.objects("replaced/")
        store.put("replaced/a.jpg", b"2" * 100)
        download = FolderDownload(bucket, tmp_path / "dataset", {"a.jpg": listed})
        with pytest.raises(UnavailableError, match="was replaced while it was fetched"):
            download.fetch({"a.jpg"})
    assert pictures(download.files) == set()


def test_a_listing_of_several_pages(store: DatasetStore, mounts: Mounts) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put(f"many/{number:04}.txt", b""), range(1005)))
    with open_bucket(store.remote("many/"), mounts) as bucket:
        keys = [listed.key for listed in bucket.objects("many/")]
    assert keys == [f"many/{number:04}.txt" for number in range(1005)]


def test_a_dataset_that_the_workspace_has_no_room_for(
    remote: RemoteFolder, mounts: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderDownload, "free_bytes", lambda _self: 5000)
    with pytest.raises(SealyardError, match=r"workspace has 0[.]0 MB free; enlarge") as caught:
        fetch_dataset(remote, mounts, tmp_path / "dataset")
    assert caught.value.exit_code == 66
    assert pictures(tmp_path / "dataset/files") == {"data.yaml"}


def test_a_dataset_that_the_copy_of_a_workspace_has_no_room_for(
    remote: RemoteFolder, mounts: Mounts, tmp_path: Path
) -> None:
    mounts.workspace.mkdir()
    (mounts.workspace / "checkpoint").write_bytes(b"0" * 60_000)
    with pytest.raises(SealyardError, match=r"spec[.]workspace[.]s3[.]cacheSize is 0[.]1 MB"):
        fetch_dataset(remote, mounts, tmp_path / "dataset", cache_bytes=70_000)
    assert pictures(tmp_path / "dataset/files") == {"data.yaml"}


def without_a_key(_store: DatasetStore, mounts: Mounts) -> None:
    (mounts.secrets / "dataset/dataset-secret-access-key").unlink()


def with_another_key(_store: DatasetStore, mounts: Mounts) -> None:
    (mounts.secrets / "dataset/dataset-secret-access-key").write_text("x" * 40)


def with_another_ca(_store: DatasetStore, mounts: Mounts) -> None:
    (mounts.ca / "dataset/ca.crt").write_bytes(PrivateCA.create().ca_pem)


def with_an_odd_key(store: DatasetStore, _mounts: Mounts) -> None:
    store.put(f"odd/{'x' * 201}", b"1")


def as_it_is(_store: DatasetStore, _mounts: Mounts) -> None:
    pass


class Why(NamedTuple):
    change: Callable[[DatasetStore, Mounts], None]
    where: dict[str, str]
    exit_code: int
    said: str


@pytest.mark.parametrize(
    "why",
    [
        Why(without_a_key, {}, 66, f"Secret {SECRET_NAME} has no key dataset-secret-access-key"),
        Why(with_another_key, {}, 77, f"refuses the dataset credential in Secret {SECRET_NAME}"),
        Why(with_another_ca, {}, 69, "certificate is not signed by a CA in ConfigMap stores-ca"),
        Why(as_it_is, {"endpoint": "https://127.0.0.1:1"}, 69, "cannot be reached"),
        Why(as_it_is, {"bucket": "none"}, 66, "there is no bucket none; make it"),
        Why(as_it_is, {"prefix": "none/"}, 66, "there is no data.yaml in s3://datasets/none/"),
        Why(with_an_odd_key, {"prefix": "odd/"}, 64, "a part of its key has more than 200 bytes"),
    ],
    ids=lambda why: f"{why.exit_code}-{why.said[:24]}",
)
def test_why_it_cannot_be_fetched(
    store: DatasetStore,
    mounts: Mounts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    why: Why,
) -> None:
    caplog.set_level(logging.INFO)
    why.change(store, mounts)
    remote = store.remote(COINS).model_copy(update=why.where)
    with pytest.raises(SealyardError) as caught:
        fetch_dataset(remote, mounts, tmp_path / "dataset")
    assert caught.value.exit_code == why.exit_code
    assert why.said in str(caught.value)
    assert store.reader.secret_access_key not in caplog.text + str(caught.value)
    assert not (tmp_path / "dataset").exists()
