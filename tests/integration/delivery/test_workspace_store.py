"""A folder kept in a real S3 server: what is there is whole, whoever dies or comes late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealyard.errors import IntegrityError, MissingError, RefusedError, UnavailableError
from sealyard.jobs.lock import Superseded
from sealyard.jobs.mirror import Mirror, delete_folder
from support.dataset_store import BUCKET, DatasetStore, dataset_store
from support.workspace_stores import PREFIX, Workspaces

pytestmark = [pytest.mark.stores, pytest.mark.timeout(300)]

KEY = "default/coins-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture
def workspaces(server: DatasetStore, tmp_path: Path) -> Workspaces:
    return Workspaces.on(server, tmp_path / "mounts")


@pytest.fixture
def mirror(workspaces: Workspaces, tmp_path: Path) -> Iterator[Callable[..., Mirror]]:
    """The copy of a pod that has taken the folder, or has not."""
    opened = []

    def make(holder: str, key: str, *, taken: bool = True) -> Mirror:
        folder = tmp_path / holder
        folder.mkdir(exist_ok=True)
        store = workspaces.open()
        opened.append(store)
        found = Mirror(store, key, folder, holder)
        if taken:
            found.take()
        return found

    yield make
    for store in opened:
        store.close()


def push(mirror: Mirror, folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        # As everything of ours is written: beside its place, and renamed.
        (folder / f".{name}").write_bytes(content)
        (folder / f".{name}").replace(folder / name)
    mirror.push(lambda: [path.name for path in folder.iterdir() if path.name != "LOCK"])


def test_what_one_pod_uploads_the_next_one_has(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-next"
    files = {
        "empty": b"",
        "small": b"epoch 1",
        "large": os.urandom((20 << 20) + 7),
        "record": b"{}",
    }
    first = mirror("first", key)
    push(first, tmp_path / "first", **files)
    before = workspaces.objects(key)
    push(first, tmp_path / "first", small=b"epoch 2")
    after = workspaces.objects(key)
    changed = before.keys() ^ after.keys()
    assert len(changed) == 2
    assert {name.partition(".")[0] for name in changed} == {"small"}
    second = mirror("second", key)
    second.fetch(second.files)
    for name, content in (files | {"small": b"epoch 2"}).items():
        assert (tmp_path / "second" / name).read_bytes() == content
    with pytest.raises(Superseded, match="superseded by pod second; this one stops"):
        push(first, tmp_path / "first", small=b"late")
    assert workspaces.index(key)["holder"] == "second"
    mirror("third", key)
    assert set(workspaces.objects(key)) == {
        one["object"] for one in workspaces.index(key)["files"].values() if one["sizeBytes"]
    }, "what the late pod has uploaded is swept"


def test_a_pod_that_comes_late_between_a_look_and_its_index(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-late"
    first = mirror("first", key)
    push(first, tmp_path / "first", record=b"1")

    def taken_meanwhile() -> None:
        if workspaces.index(key)["holder"] == "first":
            mirror("second", key)

    (tmp_path / "first/record").write_bytes(b"longer")
    with pytest.raises(Superseded, match="by pod second"):
        first.push(lambda: ["record"], still_wanted=taken_meanwhile)
    found = mirror("reader", key, taken=False)
    found.read()
    found.fetch(["record"])
    assert (tmp_path / "reader/record").read_bytes() == b"1"


UPLOAD = """
import sys
from pathlib import Path
from support.workspace_stores import Workspaces
from sealyard.jobs.mirror import Mirror
from sealyard.delivery.workspace_store import open_workspace
from sealyard.jobs.mounts import Mounts
from sealyard.api.tasks import RemoteFolder

remote, mounts, folder, key = sys.argv[1:]
mounts = Mounts(secrets=Path(mounts, "secrets"), ca=Path(mounts, "ca"))
with open_workspace(RemoteFolder.model_validate_json(remote), mounts) as store:
    mirror = Mirror(store, key, Path(folder), "torn")
    mirror.take()
    Path(folder, "record").write_text("newer")
    calls = 0
    def still_wanted():
        global calls
        calls += 1
        if calls == 4:
            print("in the middle", flush=True)
    mirror.push(lambda: ["large", "record"], still_wanted=still_wanted)
"""


def test_an_upload_that_was_torn_is_never_the_newest(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-torn"
    push(mirror("first", key), tmp_path / "first", record=b"older", large=b"l")
    folder = tmp_path / "torn"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(256 << 20)
    remote = workspaces.remote().model_dump_json(by_alias=True)
    process = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, remote, workspaces.mounts, folder, key],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    found = mirror("second", key)
    found.fetch(found.files)
    assert (tmp_path / "second/record").read_bytes() == b"older"
    assert (tmp_path / "second/large").read_bytes() == b"l"
    assert len(workspaces.objects(key)) == 2


def test_what_was_changed_or_lost_in_the_store(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-changed"
    push(mirror("first", key), tmp_path / "first", one=b"one", two=b"two")
    files = workspaces.index(key)["files"]
    client, folder = workspaces.server.client, f"{PREFIX}{key}/files/"
    client.put_object(Bucket=BUCKET, Key=folder + files["one"]["object"], Body=b"eno")
    client.delete_object(Bucket=BUCKET, Key=folder + files["two"]["object"])
    second = mirror("second", key)
    with pytest.raises(IntegrityError, match=f"one in {key} in the workspace store .* and "):
        second.fetch(["one"])
    with pytest.raises(MissingError, match=r"there is no object .*two\."):
        second.fetch(["two"])
    with pytest.raises(MissingError, match=f"three is not there: {key} in the workspace store"):
        second.fetch(["three"])
    assert not list((tmp_path / "second").iterdir())
    client.put_object(Bucket=BUCKET, Key=f"{PREFIX}{key}/index.json", Body=b"{}")
    with pytest.raises(IntegrityError, match=r"index\.json is not what was written; delete"):
        mirror("third", key)


def test_a_store_that_refuses_and_then_does_not(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-refused"
    secret = workspaces.mounts / "secrets/workspace/workspace-secret-access-key"
    right = secret.read_text()
    secret.write_text("another")
    found = mirror("first", key, taken=False)
    with pytest.raises(RefusedError, match="the workspace credential in Secret workspace-writer"):
        found.take()
    secret.write_text(right)
    found.take()
    push(found, tmp_path / "first", record=b"1")
    assert set(workspaces.index(key)["files"]) == {"record"}


def test_a_store_that_is_away_and_comes_again(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-away"
    first = mirror("first", key)
    push(first, tmp_path / "first", record=b"1")
    workspaces.server.server.kill()
    try:
        with pytest.raises(UnavailableError):
            push(first, tmp_path / "first", record=b"2")
    finally:
        workspaces.server.server.start()
    push(first, tmp_path / "first")
    second = mirror("second", key)
    second.fetch(["record"])
    assert (tmp_path / "second/record").read_bytes() == b"2"


def test_a_folder_is_deleted_with_what_lies_below_it_and_nothing_beside_it(
    mirror: Callable[..., Mirror], workspaces: Workspaces, tmp_path: Path
) -> None:
    key = f"{KEY}-deleted"
    push(mirror("beside", f"{key}/exports-of-others"), tmp_path / "beside", model=b"other")
    push(mirror("one", f"{key}/exports/one"), tmp_path / "one", model=b"1234", DONE=b"{}")
    push(mirror("two", f"{key}/exports/two"), tmp_path / "two", model=b"12345")
    with workspaces.open() as store:
        assert sorted(delete_folder(store, f"{key}/exports")) == [2, 4, 5]
        assert not list(delete_folder(store, f"{key}/exports"))
    assert workspaces.index(f"{key}/exports/one") == {"holder": "", "files": {}}
    assert set(workspaces.index(f"{key}/exports-of-others")["files"]) == {"model"}
