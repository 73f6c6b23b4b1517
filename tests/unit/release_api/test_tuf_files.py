from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from sealyard.api.index import CHANNEL_MAX_BYTES, channel_target, manifest_target
from sealyard.api.release_api import MANIFEST_MAX_BYTES, Reason
from sealyard_release_api.releases import Change
from sealyard_release_api.tuf.files import (
    MetadataName,
    MetadataRole,
    TargetName,
    check_chain,
    check_digest,
    judge_lasting,
    judge_timestamp,
    read_version,
)
from sealyard_release_api.wire import Refusal

A, B = "a" * 64, "b" * 64
THIRD = MetadataName(MetadataRole.TARGETS, 3)


def signed(kind: object = "targets", version: object = 3) -> dict[str, Any]:
    return {
        "signatures": [{"keyid": "a", "sig": "b"}],
        "signed": {"_type": kind, "version": version},
    }


@pytest.mark.parametrize(
    ("name", "role", "version"),
    [
        ("timestamp.json", MetadataRole.TIMESTAMP, None),
        ("1.root.json", MetadataRole.ROOT, 1),
        ("12.snapshot.json", MetadataRole.SNAPSHOT, 12),
        ("999999999.targets.json", MetadataRole.TARGETS, 999_999_999),
    ],
)
def test_names(name: str, role: MetadataRole, version: int | None) -> None:
    assert MetadataName.parse(name) == MetadataName(role, version)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "root.json",
        "targets.json",
        "1.timestamp.json",
        "0.root.json",
        "01.root.json",
        "-1.root.json",
        "1000000000.root.json",
        "1.mirrors.json",
        "1.root.json.bak",
        "1.root.json\n",
        "../1.root.json",
        "..",
        "1.root.json/../../users",
        "１.root.json",  # noqa: RUF001 - a digit of another script
        "x" * 10_000,
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Refusal) as error:
        MetadataName.parse(name)
    assert error.value.reason is Reason.INVALID_NAME
    assert len(error.value.message) < 300


@pytest.mark.parametrize(
    ("target", "max_bytes"),
    [
        (manifest_target("coins", "1.0.0-rc.1"), MANIFEST_MAX_BYTES),
        (channel_target("coins", "stable"), CHANNEL_MAX_BYTES),
        (channel_target("coins", "manifest"), CHANNEL_MAX_BYTES),
    ],
)
def test_targets_are_where_the_index_has_them(target: str, max_bytes: int) -> None:
    model, folder, name = target.split("/")
    path = f"{model}/{folder}/{A}.{name}"
    assert TargetName.parse(model, folder, f"{A}.{name}") == TargetName(path, A, max_bytes)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("1.0.0", "manifest.json"),
        ("1.0.0", f"{A}.stable.json"),
        ("1.0.0", f"{A[1:]}.manifest.json"),
        ("1.0.0", f"{A.upper()}.manifest.json"),
        ("1.0.0+build", f"{A}.manifest.json"),
        ("channel", f"{A}.stable.json"),
        ("channels", f"{A}.-.json"),
        ("channels", f"{A}.{'x' * 64}.json"),
        ("channels", f"{A}.a.b.json"),
        ("..", f"{A}.manifest.json"),
        ("channels", f"{A}/../x.json"),
        ("channels", f"{A}.stable.json\0"),
    ],
)
def test_targets_that_are_none(folder: str, name: str) -> None:
    with pytest.raises(Refusal) as error:
        TargetName.parse("coins", folder, name)
    assert error.value.reason is Reason.INVALID_NAME


def test_the_version_is_the_one_that_is_signed() -> None:
    assert read_version(json.dumps(signed()).encode(), THIRD) == 3
    timestamp = MetadataName(MetadataRole.TIMESTAMP, None)
    assert read_version(json.dumps(signed("timestamp", 7)).encode(), timestamp) == 7


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "should be an object"),
        (b"{}", "signatures: Field required"),
        (json.dumps({**signed(), "signatures": []}).encode(), "at least 1 item"),
        (json.dumps({**signed(), "signatures": [{}] * 65}).encode(), "at most 64 items"),
        (json.dumps(signed("snapshot")).encode(), "signed._type: 'snapshot' must be 'targets'"),
        (json.dumps(signed(version=4)).encode(), "signed.version: 4, the name says 3"),
        (json.dumps(signed(version=0)).encode(), "signed.version: "),
        (json.dumps(signed(version="3")).encode(), "signed.version: "),
        (json.dumps(signed(version=3.0)).encode(), "signed.version: "),
        (json.dumps(signed(version=10**9)).encode(), "signed.version: "),
        (json.dumps(signed(version=10**400)).encode(), "signed.version: "),
    ],
)
def test_metadata_that_is_not_what_its_name_says(body: bytes, says: str) -> None:
    with pytest.raises(Refusal) as error:
        read_version(body, THIRD)
    assert error.value.reason is Reason.INVALID_METADATA
    assert says in error.value.message


@pytest.mark.parametrize(
    ("version", "sha256", "stored", "change"),
    [
        (1, A, None, Change.CREATE),
        (2, B, (1, A), Change.REPLACE),
        (1, A, (1, A), Change.UNCHANGED),
    ],
)
def test_the_timestamp_moves_by_one(
    version: int, sha256: str, stored: tuple[int, str] | None, change: Change
) -> None:
    assert judge_timestamp(version, sha256, stored) is change


@pytest.mark.parametrize(
    ("version", "stored", "says"),
    [
        (2, None, "signed.version: 2, must be 1"),
        (5, (5, A), "signed.version: 5, must be 6"),
        (4, (5, A), "signed.version: 4, must be 6"),
        (7, (5, A), "signed.version: 7, must be 6"),
    ],
)
def test_the_timestamp_does_not_jump(
    version: int, stored: tuple[int, str] | None, says: str
) -> None:
    with pytest.raises(Refusal) as error:
        judge_timestamp(version, B, stored)
    assert (error.value.reason, error.value.message) == (Reason.TUF_VERSION, says)


def test_what_lasts_is_put_once() -> None:
    assert judge_lasting(A, None) is Change.CREATE
    assert judge_lasting(A, A) is Change.UNCHANGED
    with pytest.raises(Refusal) as error:
        judge_lasting(B, A)
    assert error.value.reason is Reason.TUF_EXISTS


@pytest.mark.parametrize(
    ("role", "version", "newest"),
    [
        (MetadataRole.ROOT, 1, None),
        (MetadataRole.ROOT, 3, 2),
        (MetadataRole.TARGETS, 7, 1),
        (MetadataRole.TIMESTAMP, 1, 3),
    ],
)
def test_what_has_its_root(role: MetadataRole, version: int, newest: int | None) -> None:
    check_chain(role, version, newest)


@pytest.mark.parametrize(
    ("role", "version", "newest", "first"),
    [
        (MetadataRole.ROOT, 2, None, 1),
        (MetadataRole.ROOT, 3, 1, 2),
        (MetadataRole.SNAPSHOT, 1, None, 1),
        (MetadataRole.TIMESTAMP, 1, None, 1),
    ],
)
def test_what_lacks_its_root(
    role: MetadataRole, version: int, newest: int | None, first: int
) -> None:
    with pytest.raises(Refusal, match=rf"put {first}\.root\.json first") as error:
        check_chain(role, version, newest)
    assert error.value.reason is Reason.TUF_VERSION


def test_a_target_is_what_its_name_says() -> None:
    name = TargetName.parse("coins", "1.0.0", f"{hashlib.sha256(b'x').hexdigest()}.manifest.json")
    check_digest(b"x", name)
    with pytest.raises(Refusal) as error:
        check_digest(b"y", name)
    assert error.value.reason is Reason.INVALID_METADATA
