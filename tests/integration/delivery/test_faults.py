"""Stores and couriers that stop at the worst moment: nothing is half-published, and it goes on."""

from __future__ import annotations

import json
import logging
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.model_release import SealingFormatName
from sealyard.delivery.upload import PART_BYTES
from sealyard_local.pki import PrivateCA
from support import hostile
from support.hostile import Behaviour, Hostile
from support.programs import Job, upload_begun
from support.stores import Stores, until

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.stores
FORMATS = pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
BIG = 96 << 20
MEMORY_MEBIBYTES = 160
"""What publish and verify may need, however big a model is."""


def big_release(stores: Stores, folder: Path, sealing: SealingFormatName = "sealed-v2") -> Job:
    """One whose upload takes long enough to be hit."""
    job = stores.release(folder, sealing)
    job.add("small", os.urandom(50_000))
    job.add("big", os.urandom(1 << 20) * (BIG >> 20))
    return job


def object_keys(stores: Stores, job: Job) -> dict[str, str]:
    variants = stores.manifest(job)["predicate"]["variants"]
    return {variant["name"]: variant["big"]["key"] for variant in variants}


def recorded(job: Job) -> dict[str, dict[str, Any]]:
    variants: dict[str, dict[str, Any]] = json.loads(job.record.read_text())["variants"]
    return variants


def recorded_state(job: Job) -> dict[str, str]:
    return {name: variant["state"] for name, variant in recorded(job).items()}


@FORMATS
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_courier_killed_in_mid_upload_goes_on(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName, how: signal.Signals
) -> None:
    job = big_release(stores, tmp_path, sealing)
    running = job.start(job.publish_task())
    until(lambda: upload_begun(job), "the upload to begin")
    running.process.send_signal(how)
    assert running.wait().code == (-signal.SIGKILL if how == signal.SIGKILL else 143)
    assert not stores.has_manifest(job)
    before = recorded_state(job)

    published = job.publish().result

    # The same sealing, to its end: no data key, and no object, that nobody needs.
    assert recorded_state(job) == before
    assert job.verify(published["manifestSha256"]).code == 0
    assert job.publish().result == published


def parts_sent(job: Job) -> list[dict[str, Any]]:
    """The parts of the upload that is recorded."""
    try:
        (upload,) = (v["upload"] for v in recorded(job).values() if "upload" in v)
    except (FileNotFoundError, ValueError):
        return []
    parts: list[dict[str, Any]] = upload.get("parts", [])
    return parts


def interrupted(stores: Stores, folder: Path, sealing: SealingFormatName) -> Job:
    """A publication that was killed when the CDN had at least one part."""
    job = big_release(stores, folder, sealing)
    running = job.start(job.publish_task())
    until(lambda: bool(parts_sent(job)), "a part to be sent")
    running.process.kill()
    running.wait()
    assert parts_sent(job)
    return job


@FORMATS
def test_parts_that_are_there_are_not_sent_again(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName
) -> None:
    job = interrupted(stores, tmp_path, sealing)
    sent = len(parts_sent(job)) * PART_BYTES

    ended = job.publish()

    assert f"uploaded, {sent} bytes of it by an earlier attempt" in ended.output
    assert job.verify(ended.result["manifestSha256"]).code == 0


@pytest.mark.parametrize("lost", ["the upload", "a part"])
def test_what_the_cdn_has_forgotten_is_sent_again(
    stores: Stores, tmp_path: Path, lost: str
) -> None:
    job = interrupted(stores, tmp_path, "sealed-v2")
    record = json.loads(job.record.read_text())
    upload = record["variants"]["big"]["upload"]
    if lost == "the upload":
        stores.boto3(stores.write).abort_multipart_upload(
            Bucket="models", Key=upload["key"], UploadId=upload["uploadId"]
        )
    else:
        upload["parts"][0]["etag"] = f'"{"0" * 32}"'
        job.record.write_text(json.dumps(record))

    ended = job.publish()

    assert "uploads anew" in ended.output
    assert "uploaded, 0 bytes of it by an earlier attempt" in ended.output
    assert job.verify(ended.result["manifestSha256"]).code == 0


def test_a_cdn_that_dies_in_mid_upload(own_stores: Stores, tmp_path: Path) -> None:
    job = big_release(own_stores, tmp_path / "job")
    running = job.start(job.publish_task())
    until(lambda: upload_begun(job), "the upload to begin")
    own_stores.cdn.kill()
    ended = running.wait()
    assert ended.code == 69
    assert own_stores.cdn.endpoint.removeprefix("https://") in ended.message
    assert not own_stores.has_manifest(job)
    assert job.publish().code == 69
    assert not own_stores.has_manifest(job)

    own_stores.cdn.start()

    published = job.publish().result
    assert job.verify(published["manifestSha256"]).code == 0
    small = next(v for v in published["variants"] if v["name"] == "small")
    assert object_keys(own_stores, job)["small"].endswith(small["objectId"])


def test_an_api_that_dies_before_the_manifest(own_stores: Stores, tmp_path: Path) -> None:
    job = big_release(own_stores, tmp_path / "job")
    running = job.start(job.publish_task())
    until(lambda: upload_begun(job), "the upload to begin")
    own_stores.api.kill()
    ended = running.wait()
    assert ended.code == 69
    assert f"127.0.0.1:{own_stores.api.port}" in ended.message
    own_stores.api.start()
    assert not own_stores.has_manifest(job)

    # Both parts are there already: the objects stay the ones they are.
    before = recorded(job)
    published = job.publish().result
    assert object_keys(own_stores, job) == {
        name: variant["uploaded"]["variant"]["big"]["key"] for name, variant in before.items()
    }
    assert job.verify(published["manifestSha256"]).code == 0


def test_a_plaintext_that_changes_between_attempts_gets_a_new_data_key(
    stores: Stores, tmp_path: Path
) -> None:
    job = big_release(stores, tmp_path)
    running = job.start(job.publish_task())
    until(lambda: upload_begun(job), "the upload to begin")
    running.process.kill()
    running.wait()
    before = recorded_state(job)
    small, _ = job.variants
    job.variants.clear()
    job.variants.append(small)
    job.add("big", os.urandom(1 << 20))

    published = job.publish().result

    after = recorded_state(job)
    assert after["big"] != before["big"]
    assert after["small"] == before["small"]
    assert job.verify(published["manifestSha256"]).code == 0


def test_a_record_that_cannot_be_read_is_no_obstacle(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(50_000))
    job.record.parent.mkdir(exist_ok=True)
    job.record.write_text('{"variants": {"onnx-fp32": ')
    assert job.verify(job.publish().result["manifestSha256"]).code == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hostile.answer(200, b"rubbish"), id="rubbish"),
        pytest.param(hostile.TEN_MEGABYTES, id="10-MB"),
        pytest.param(hostile.TRUNCATED, id="truncated"),
        pytest.param(hostile.answer(302, b"", {"Location": "https://127.0.0.1:1/"}), id="redirect"),
    ],
)
@pytest.mark.parametrize("which", ["api", "cdn"])
def test_a_store_that_is_none_publishes_nothing(
    stores: Stores, tmp_path: Path, behaviour: Behaviour, which: str
) -> None:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(20 << 20))
    with Hostile(stores.ca.issue(ips=["127.0.0.1"]), behaviour) as server:
        task = job.publish_task()
        changed = (
            {"api": task.api.model_copy(update={"url": server.url})}
            if which == "api"
            else {"cdn": task.cdn.model_copy(update={"endpoint": server.url})}
        )
        ended = job.publish(**changed)
        assert ended.code == 69
        assert server.url.removeprefix("https://") in ended.message
    assert not stores.has_manifest(job)
    assert job.publish().code == 0


@pytest.mark.parametrize("which", ["api", "cdn"])
@pytest.mark.parametrize("fault", ["wrong name", "unknown CA", "expired"])
def test_a_certificate_that_does_not_verify_stops_every_task(
    stores: Stores, tmp_path: Path, which: str, fault: str
) -> None:
    pair = {
        "wrong name": lambda: stores.ca.issue(dns_names=["cdn.example.org"]),
        "unknown CA": lambda: PrivateCA.create().issue(ips=["127.0.0.1"]),
        "expired": lambda: stores.ca.issue(
            ips=["127.0.0.1"], not_after=datetime.now(UTC) - timedelta(days=1)
        ),
    }[fault]()
    said = {"wrong name": "another name", "unknown CA": "ConfigMap stores-ca", "expired": "expired"}
    published, other = stores.release(tmp_path / "one"), stores.release(tmp_path / "other")
    for job in (published, other):
        job.add("onnx-fp32", os.urandom(50_000))
    manifest = published.publish().result["manifestSha256"]
    with Hostile(pair, hostile.never) as server:
        publishing, verifying = other.publish_task(), published.verify_task(manifest)
        changed = (
            {"api": publishing.api.model_copy(update={"url": server.url})}
            if which == "api"
            else {"cdn": publishing.cdn.model_copy(update={"endpoint": server.url})}
        )
        for ended in (
            other.publish(**changed),
            published.run(verifying.model_copy(update=changed)),
        ):
            assert ended.code == 69
            assert said[fault] in ended.message
        assert server.requests == []
    assert not stores.has_manifest(other)


def test_memory_stays_bounded(stores: Stores, tmp_path: Path) -> None:
    mebibytes = 300
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(1 << 20) * mebibytes)
    published = job.publish()
    verified = job.verify(published.result["manifestSha256"])
    for name, ended in (("publish", published), ("verify", verified)):
        assert ended.code == 0
        logger.info("%s of %d MiB: peak %d MiB", name, mebibytes, ended.peak_mebibytes)
        assert ended.peak_mebibytes <= MEMORY_MEBIBYTES
