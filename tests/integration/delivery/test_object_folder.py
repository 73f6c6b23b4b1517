"""A folder of objects in a real S3 server."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sealyard.api.secrets import Purpose
from sealyard.delivery.object_folder import ObjectFolder
from sealyard.delivery.s3_requests import NoObjectError, S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import IntegrityError, MissingError, RefusedError, UnavailableError
from support.dataset_store import BUCKET, DatasetStore, dataset_store

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as running:
        yield running


def a_folder(
    store: DatasetStore, root: Path, *, prefix: str, bucket: str = BUCKET, writes: bool = True
) -> ObjectFolder:
    credential = store.owner if writes else store.reader
    place = root / Purpose.ANNOTATIONS.value
    place.mkdir(parents=True)
    (place / "annotations-access-key-id").write_text(credential.access_key_id)
    (place / "annotations-secret-access-key").write_text(credential.secret_access_key)
    return ObjectFolder(
        "store",
        S3Place(store.endpoint, "us-east-1", bucket),
        prefix,
        SecretFiles.mounted(Purpose.ANNOTATIONS, root, "annotations"),
        bundle=CaBundle(store.ca_file, "ConfigMap stores-ca, key ca.crt,"),
    )


@pytest.fixture
def folder(
    store: DatasetStore, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[ObjectFolder]:
    with a_folder(store, tmp_path, prefix=f"{request.node.name}/") as opened:
        yield opened


def test_what_is_put_is_read(folder: ObjectFolder) -> None:
    folder.put("a/1", b"one")
    folder.put("a/1", bytearray(b"two"))
    assert folder.read("a/1", 3) == b"two"
    assert folder.read_whole("a/1", 3) == b"two"
    with pytest.raises(UnavailableError):
        folder.read("a/1", 2)
    with pytest.raises(IntegrityError, match="a/1 has 3 bytes, must have 4"):
        folder.read_whole("a/1", 4)


def test_of_many_who_create_one_succeeds(folder: ObjectFolder) -> None:
    contents = [str(number).encode() for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda content: folder.create("a", content), contents))
    assert created.count(True) == 1
    assert folder.read("a", 10) == contents[created.index(True)]


def test_keys_come_in_order_and_after_one(folder: ObjectFolder) -> None:
    for key in ("b/2", "b/10", "b/1", "c/1"):
        folder.put(key, b"")
    assert list(folder.keys("b/")) == ["b/1", "b/10", "b/2"]
    assert list(folder.keys("b/", "b/1")) == ["b/10", "b/2"]
    assert list(folder.keys("b/", "b/2")) == []


def test_copies_outlive_what_they_are_of(folder: ObjectFolder) -> None:
    folder.put("a", b"bytes")
    folder.copy("a", "b")
    folder.delete(["a", "never there"])
    assert list(folder.keys("")) == ["b"]
    assert folder.read("b", 10) == b"bytes"
    with pytest.raises(NoObjectError, match="there is no object a"):
        folder.copy("a", "c")
    with pytest.raises(NoObjectError, match="there is no object a"):
        folder.read("a", 10)


@pytest.mark.parametrize("size", [0, 1, (8 << 20) - 1, 8 << 20, (20 << 20) + 3])
def test_what_is_long_goes_and_comes_in_parts(folder: ObjectFolder, size: int) -> None:
    content = os.urandom(size)
    folder.put_pieces("long", (content[at : at + 3_000_000] for at in range(0, size, 3_000_000)))
    if size:
        assert b"".join(folder.pieces("long")) == content
    else:
        assert folder.read("long", 1) == b""


def test_who_may_not_write_is_told_so(store: DatasetStore, tmp_path: Path) -> None:
    with a_folder(store, tmp_path, prefix="x/", writes=False) as reader:
        for refused in (
            lambda: reader.put("a", b""),
            lambda: reader.create("a", b""),
            lambda: reader.delete(["a"]),
        ):
            with pytest.raises((RefusedError, UnavailableError)):
                refused()


def test_a_credential_that_is_good_is_told_from_one_that_is_not(
    folder: ObjectFolder, store: DatasetStore, tmp_path: Path
) -> None:
    folder.put("a/1", b"one")
    folder.check("a/")
    folder.check("of nothing/")
    wrong = dataclasses.replace(store, owner=dataclasses.replace(store.owner, access_key_id="no"))
    with (
        a_folder(wrong, tmp_path / "wrong", prefix="x/") as refused,
        pytest.raises(RefusedError),
    ):
        refused.check("")


def test_a_bucket_that_is_not_there_is_no_object_that_is_not_there(
    store: DatasetStore, tmp_path: Path
) -> None:
    with (
        a_folder(store, tmp_path, prefix="x/", bucket="none-of-ours") as nowhere,
        pytest.raises(MissingError, match="there is no bucket none-of-ours") as error,
    ):
        nowhere.put("a", b"")
    assert not isinstance(error.value, NoObjectError)
