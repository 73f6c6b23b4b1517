"""From exports to an opened model, through the real stores and the real courier."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from sealyard.api.model_release import Platform, SealingFormatName
from sealyard.api.tasks import Owner, TidyTask
from support.stores import Stores

pytestmark = pytest.mark.stores
FORMATS = pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
MEBIBYTE = 1 << 20


@FORMATS
def test_a_release_of_several_variants_is_published_verified_pulled_and_tidied(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName
) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("tiny", os.urandom(8000))
    job.add("whole-segments", os.urandom(2 * MEBIBYTE))
    job.add("in-parts", os.urandom(33 * MEBIBYTE + 1))

    published = job.publish().result
    manifest_sha256 = published["manifestSha256"]
    assert [v["name"] for v in published["variants"]] == ["in-parts", "tiny", "whole-segments"]
    for variant in published["variants"]:
        total = variant["smallBytes"] + variant["bigBytes"]
        assert variant["smallBytes"] <= min(3072, total // 5)

    verified = job.verify(manifest_sha256).result
    assert verified == {
        "manifestSha256": manifest_sha256,
        "variants": ["in-parts", "tiny", "whole-segments"],
    }

    keyring = str(job.secrets / "keyring" / "keyring.json")
    for variant in job.variants:
        output = tmp_path / variant.spec.name
        arguments = ("--variant", variant.spec.name, "--output", str(output), "--json")
        pulled = job.pull("--keyring", keyring, *arguments)
        assert pulled.code == 0, pulled.output
        document = json.loads(pulled.output)
        assert document["trust"] == "unsigned"
        assert document["manifestSha256"] == manifest_sha256
        assert output.read_bytes() == job.content(variant)
        assert stat.S_IMODE(output.stat().st_mode) == 0o600

    owner = Owner(namespace="coins", name=job.model, uid="uid")
    tidied = job.run(TidyTask(owner=owner, attempt=1, release_path=job.release_path)).result
    assert tidied["files"] == 3
    assert job.record.exists()


@FORMATS
def test_publishing_again_gives_the_same_answer(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName
) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("onnx-fp32", os.urandom(50_000))
    first = job.publish().result

    assert job.publish().result == first
    job.record.unlink()
    assert job.publish().result == first
    for variant in job.variants:
        (job.workspace / variant.path).unlink()
    assert job.publish().result == first


def test_an_engine_goes_to_the_machines_that_it_was_built_for(
    stores: Stores, tmp_path: Path
) -> None:
    job = stores.release(tmp_path)
    engine = Platform(
        arch="x86_64",
        compute_capability="8.6",
        runtime="tensorrt-rtx",
        runtime_version="1.7.1.116",
    )
    job.add("engine", os.urandom(50_000), engine)
    job.add("onnx-fp32", os.urandom(50_000))
    published = job.publish().result
    assert job.verify(published["manifestSha256"]).code == 0

    anywhere = [variant.model_copy(update={"platform": None}) for variant in job.variants]
    other = job.verify(published["manifestSha256"], variants=anywhere)
    assert other.code == 65
    assert "offers it to other machines than it was exported for" in other.answer.message
    job.record.unlink()
    assert job.publish().result == published
    assert job.publish(variants=anywhere).code == 64


def test_a_version_is_published_once(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    before = job.publish().result
    job.variants.clear()
    job.add("onnx-fp32", os.urandom(50_000))

    again = job.publish()

    assert again.code == 64
    assert "published already with other content" in again.message
    assert hashlib.sha256(json_bytes(stores.manifest(job))).hexdigest() == before["manifestSha256"]


def test_a_manifest_holds_nothing_that_may_change(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    job.publish()

    predicate = stores.manifest(job)["predicate"]

    assert predicate["source"] == {
        "datasetDigest": "d" * 64,
        "metrics": {"map50": 0.98, "map50_95": 0.81},
        "trainingRun": {"name": "coins", "uid": "11111111-2222-3333-4444-555555555555"},
    }
    (variant,) = predicate["variants"]
    assert variant["big"]["key"].startswith("sealyard/objects/")
    assert variant["imageSize"] == 128


def test_the_record_holds_no_secret_and_is_for_its_writer_alone(
    stores: Stores, tmp_path: Path
) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    job.publish()
    assert stat.S_IMODE(job.record.stat().st_mode) == 0o600
    stores.assert_no_secret_in(job.record.read_text())


@FORMATS
@pytest.mark.parametrize("damage", ["changed", "shortened"])
def test_a_plaintext_that_is_not_the_export_is_not_published(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName, damage: str
) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("onnx-fp32", os.urandom(50_000))
    path = job.workspace / job.variants[0].path
    content = path.read_bytes()
    path.write_bytes(b"x" + content[1:] if damage == "changed" else content[:-1])

    ended = job.publish()

    assert ended.code == 65
    assert job.variants[0].path in ended.message
    assert not stores.has_manifest(job)

    # And the right bytes are not held against it.
    path.write_bytes(content)
    assert job.verify(job.publish().result["manifestSha256"]).code == 0


def test_a_plaintext_that_is_gone_is_missing(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    (job.workspace / job.variants[0].path).unlink()

    ended = job.publish()

    assert ended.code == 66
    assert job.variants[0].path in ended.message


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("api-publisher/api-publisher-email", "release-api-publisher"),
        ("api-publisher/api-publisher-password", "release-api-publisher"),
        ("cdn-write/cdn-write-secret-access-key", "cdn-write"),
        ("keyring/keyring.json", "keyring"),
    ],
)
def test_a_missing_key_is_named_with_its_secret(
    stores: Stores, tmp_path: Path, key: str, secret: str
) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    value = (job.secrets / key).read_bytes()
    (job.secrets / key).unlink()

    ended = job.publish()

    assert ended.code == 66
    assert f"Secret {secret} has no key {key.split('/')[1]}" in ended.message
    assert not stores.has_manifest(job)
    (job.secrets / key).write_bytes(value)
    assert job.publish().code == 0


def test_wrong_credentials_are_refused_and_named(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    for key, secret in (
        ("api-publisher/api-publisher-password", "Secret release-api-publisher"),
        ("cdn-write/cdn-write-secret-access-key", "Secret cdn-write"),
    ):
        value = (job.secrets / key).read_bytes()
        (job.secrets / key).write_bytes(b"wrong" * 8)
        ended = job.publish()
        assert ended.code == 77
        assert secret in ended.message
        assert not stores.has_manifest(job)
        (job.secrets / key).write_bytes(value)
    assert job.publish().code == 0


def test_the_other_purposes_credentials_do_not_serve(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    right = job.publish().result["manifestSha256"]
    swap(job.secrets / "api-verifier", job.secrets / "api-publisher")
    ended = job.verify(right)
    assert ended.code == 77
    assert "Forbidden" in ended.message
    swap(job.secrets / "cdn-read", job.secrets / "cdn-write")
    swap(job.secrets / "api-verifier", job.secrets / "api-publisher")
    assert job.verify(right).code == 77


@FORMATS
@pytest.mark.parametrize("damage", ["first byte", "last byte", "shorter", "longer"])
def test_a_big_part_that_was_changed_is_noticed(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName, damage: str
) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("onnx-fp32", os.urandom(50_000))
    right = job.publish().result["manifestSha256"]
    (variant,) = stores.manifest(job)["predicate"]["variants"]
    key = variant["big"]["key"]
    big = stores.boto3(stores.read).get_object(Bucket="models", Key=key)["Body"].read()
    changed = {
        "first byte": bytes([big[0] ^ 1]) + big[1:],
        "last byte": big[:-1] + bytes([big[-1] ^ 1]),
        "shorter": big[:-1],
        "longer": big + b"x",
    }
    stores.boto3(stores.write).put_object(Bucket="models", Key=key, Body=changed[damage])

    verified = job.verify(right)
    assert verified.code == 65
    assert job.model in verified.message

    output = tmp_path / "model.onnx"
    keyring = str(job.secrets / "keyring" / "keyring.json")
    pulled = job.pull("--keyring", keyring, "--output", str(output))
    assert pulled.code == 65
    assert list(tmp_path.glob("*model.onnx*")) == []


def test_verify_trusts_only_the_manifest_of_its_task(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    right = job.publish().result["manifestSha256"]

    assert job.verify("0" * 64).code == 65
    other = job.variants[0].model_copy(update={"sha256": "0" * 64})
    assert job.verify(right, variants=[other]).code == 65


def test_verify_of_what_is_not_published_is_missing(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    assert job.verify("0" * 64).code == 66


def test_a_prefix_that_no_manifest_can_hold_is_refused_before_anything_is_sent(
    stores: Stores, tmp_path: Path
) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    cdn = job.publish_task().cdn.model_copy(update={"prefix": "a//b"})
    ended = job.publish(cdn=cdn)
    assert ended.code == 64
    assert "cdn.prefix" in ended.message


def swap(one: Path, other: Path) -> None:
    """Each gets the other's values, under its own keys."""
    ours, theirs = sorted(one.iterdir()), sorted(other.iterdir())
    values = [path.read_bytes() for path in ours], [path.read_bytes() for path in theirs]
    for path, value in zip([*ours, *theirs], [*values[1], *values[0]], strict=True):
        path.write_bytes(value)


def json_bytes(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
