"""`sealyard seal` without a network, then `sealyard publish` without a key, to the real stores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sealyard.api.model_release import SealingFormatName
from sealyard.delivery.seal import Subject, seal_file
from sealyard.sealing.context import ReleaseContext
from support.programs import BUCKET, PREFIX, SEALYARD, Job
from support.stores import Stores, until

pytestmark = pytest.mark.stores
FORMATS = pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
VARIANT = "onnx-fp32"
BIG = 96 << 20


def sealed(job: Job, content: bytes, *, name: str = "sealed") -> Path:
    """A folder with one variant of the job's release, and no secret."""
    plain, folder = job.folder / f"{name}.onnx", job.folder / name
    plain.write_bytes(content)
    seal_file(
        plain,
        folder,
        Subject(
            context=ReleaseContext(job.model, job.version, VARIANT),
            format="onnx",
            precision="fp32",
            image_size=64,
        ),
        keyring=job.stores.keyring,
        sealing_format=job.sealing,
        prefix=PREFIX,
    )
    return folder


def sealed_by_command(job: Job, content: bytes) -> Path:
    plain, folder = job.folder / "m.onnx", job.folder / "sealed"
    plain.write_bytes(content)
    ended = job.command(
        *("seal", str(plain), job.model, job.version, "--variant", VARIANT, "--prefix", PREFIX),
        *("--format", job.sealing, "--image-size", "64", "--sealed-dir", str(folder)),
        *("--keyring", str(job.secrets / "keyring" / "keyring.json")),
    )
    assert ended.code == 0, ended.output
    return folder


def without_keys(job: Job) -> None:
    """Leave only what publishing needs."""
    for purpose in ("keyring", "api-verifier", "cdn-read"):
        shutil.move(job.secrets / purpose, job.folder / "elsewhere" / purpose)


def with_keys(job: Job) -> None:
    for folder in (job.folder / "elsewhere").iterdir():
        shutil.move(folder, job.secrets / folder.name)


def big_key(folder: Path) -> str:
    (variant,) = json.loads((folder / "manifest.json").read_bytes())["predicate"]["variants"]
    key: str = variant["big"]["key"]
    return key


def on_the_cdn(stores: Stores, key: str) -> bool:
    client = stores.boto3(stores.read)
    try:
        client.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-0")
    except client.exceptions.NoSuchKey:
        return False
    return True


@FORMATS
@pytest.mark.parametrize("size", [10_000, 20 << 20])
def test_what_one_machine_sealed_another_publishes_without_a_key(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName, size: int
) -> None:
    job, content = stores.release(tmp_path, sealing), os.urandom(size)
    folder = sealed_by_command(job, content)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    without_keys(job)

    ended = job.upload(folder, "--json")
    assert (ended.code, ended.warned) == (0, []), ended.output
    said = json.loads(ended.output)
    assert (said["variants"], said["publishedBefore"]) == ([VARIANT], False)

    with_keys(job)
    proven = job.prove("--manifest-sha256", said["manifestSha256"])
    assert proven.code == 0, proven.output
    pulled = job.pull(
        *("--keyring", str(job.secrets / "keyring" / "keyring.json")),
        *("--output", str(tmp_path / "opened")),
    )
    assert pulled.code == 0, pulled.output
    assert (tmp_path / "opened").read_bytes() == content
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files

    again = job.upload(folder)
    assert again.code == 0
    assert "publishedBefore  yes" in again.output


def test_other_content_under_the_same_version_is_refused(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    first, other = (sealed(job, os.urandom(10_000), name=name) for name in ("first", "other"))
    assert job.upload(first).code == 0
    before = stores.manifest(job)

    ended = job.upload(other)

    assert ended.code == 64
    assert "is published already with other content on release API" in ended.output
    assert len(ended.said) == 1
    assert stores.manifest(job) == before
    assert not on_the_cdn(stores, big_key(other))


@FORMATS
def test_nothing_is_sent_of_what_does_not_agree(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName
) -> None:
    job = stores.release(tmp_path, sealing)
    folder = sealed(job, os.urandom(1_500_000))
    big = folder / f"{VARIANT}.big"
    content = big.read_bytes()
    big.write_bytes(bytes([content[0] ^ 1]) + content[1:])

    # Not even a login: a store that is not there would be another error.
    ended = job.upload(folder, "--api", "https://127.0.0.1:1")

    assert ended.code == 65
    (said,) = ended.said
    assert said.startswith(f"sealyard: {job.model} 1.0.0 {VARIANT}: big part: ")
    assert not on_the_cdn(stores, big_key(folder))


@pytest.mark.parametrize("meanwhile", ["nothing", "the store forgets", "the state is lost"])
def test_a_publication_that_was_killed_goes_on(
    stores: Stores, tmp_path: Path, meanwhile: str
) -> None:
    job = stores.release(tmp_path)
    folder = sealed(job, os.urandom(1 << 20) * (BIG >> 20))
    state = folder / "publishing.json"
    with subprocess.Popen(
        [SEALYARD, "publish", str(folder), *job.places],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(state.exists, "the upload to begin")
        process.kill()
    assert not stores.has_manifest(job)
    stores.assert_no_secret_in(state.read_text())
    upload = json.loads(state.read_bytes())["upload"]
    assert upload["key"] == big_key(folder)
    if meanwhile == "the store forgets":
        stores.boto3(stores.write).abort_multipart_upload(
            Bucket=BUCKET, Key=upload["key"], UploadId=upload["uploadId"]
        )
    elif meanwhile == "the state is lost":
        state.write_text("{")

    ended = job.upload(folder)

    assert ended.code == 0, ended.output
    assert not state.exists()
    assert job.prove().code == 0


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--bucket", "nowhere"], 77, "bucket nowhere"),
        (["--api", "http://127.0.0.1:1"], 64, "https://"),
        (["--api", "https://127.0.0.1:1"], 69, "cannot be reached"),
        (["--api-ca", "/nowhere"], 66, "CA bundle /nowhere"),
        (["--secrets-dir", "/nowhere"], 66, "folder /nowhere has no key cdn-write-access-key-id"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    *, stores: Stores, tmp_path: Path, change: list[str], code: int, said: str
) -> None:
    job = stores.release(tmp_path)
    ended = job.upload(sealed(job, os.urandom(10_000)), *change)
    assert ended.code == code, ended.output
    assert said in ended.output
    assert len(ended.said) == 1
    assert ended.output.startswith("sealyard: ")
    assert not stores.has_manifest(job)
