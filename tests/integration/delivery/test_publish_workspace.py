"""A publication whose workspace is in a store: a pod that is killed leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.jobs.mirror import FILES, Mirror
from support.dataset_store import BUCKET, DatasetStore, dataset_store
from support.programs import Job
from support.stores import Stores, until
from support.workspace_stores import PREFIX, Workspaces

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("workspaces")) as server:
        yield server


def export(job: Job, workspaces: Workspaces, name: str, content: bytes) -> None:
    """A variant as the exporter leaves it: in a folder of its own in the store."""
    job.add(name, content)
    key = f"{job.release_path}/exports/{name}"
    variant = job.variants.pop()
    job.variants.append(variant.model_copy(update={"path": f"{key}/model.onnx"}))
    (job.workspace / key).mkdir()
    (job.workspace / variant.path).rename(job.workspace / key / "model.onnx")
    with workspaces.open() as store:
        mirror = Mirror(store, key, job.workspace / key, "exporter")
        mirror.take()
        mirror.push(lambda: ["model.onnx"])


def uploaded(job: Job, workspaces: Workspaces) -> list[dict[str, Any]]:
    """The parts of the upload in the record that the store has."""
    record = workspaces.index(job.release_path)["files"].get("publish.json")
    if record is None:
        return []
    key = f"{PREFIX}{job.release_path}/{FILES}{record['object']}"
    try:
        answer = workspaces.server.client.get_object(Bucket=BUCKET, Key=key)
    except workspaces.server.client.exceptions.NoSuchKey:
        return []  # replaced since
    variants = json.loads(answer["Body"].read())["variants"].values()
    return [part for one in variants for part in (one.get("upload") or {}).get("parts", ())]


def test_a_courier_killed_in_mid_upload_goes_on_from_the_store(
    stores: Stores, server: DatasetStore, tmp_path: Path
) -> None:
    job = stores.release(tmp_path)
    workspaces = Workspaces.on(server, tmp_path)
    export(job, workspaces, "big", os.urandom(1 << 20) * 96)
    task = job.publish_task(task_version=7, workspace=workspaces.remote())
    shutil.rmtree(job.workspace)
    running = job.start(task)
    until(lambda: bool(uploaded(job, workspaces)), "a part to be told of in the store")
    running.process.kill()
    running.wait()
    assert not stores.has_manifest(job)
    sent = len(uploaded(job, workspaces))

    shutil.rmtree(job.workspace)
    ended = job.run(task)

    assert ended.code == 0, ended.output
    assert f"uploaded, {sent * (8 << 20)} bytes of it by an earlier attempt" in ended.output
    assert job.verify(ended.result["manifestSha256"]).code == 0
    assert server.writer.secret_access_key not in ended.output
    shutil.rmtree(job.workspace)
    assert job.run(task).result == ended.result
    record = workspaces.index(job.release_path)["files"]
    assert set(record) == {"publish.json"}
    assert len(workspaces.objects(job.release_path)) == 1


def test_what_was_exported_is_gone(stores: Stores, server: DatasetStore, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    workspaces = Workspaces.on(server, tmp_path)
    job.add("nowhere", b"1" * 5000)
    ended = job.publish(task_version=7, workspace=workspaces.remote())
    assert ended.code == 66
    assert "nowhere.onnx is not there: " in ended.message
    assert "has lost it" in ended.message
