"""`sealyard verify` against the real stores."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sealyard.api.model_release import SealingFormatName
from support.programs import BUCKET, Job
from support.stores import Stores

pytestmark = pytest.mark.stores


def published(stores: Stores, folder: Path, sealing: SealingFormatName = "sealed-v2") -> Job:
    job = stores.release(folder, sealing)
    job.add("one", os.urandom(2_500_000))
    job.add("other", os.urandom(10_000))
    assert job.publish().code == 0
    return job


def damage(stores: Stores, job: Job, variant: str) -> None:
    (key,) = (
        found["big"]["key"]
        for found in stores.manifest(job)["predicate"]["variants"]
        if found["name"] == variant
    )
    big = stores.boto3(stores.read).get_object(Bucket=BUCKET, Key=key)["Body"].read()
    changed = bytes([big[0] ^ 1]) + big[1:]
    stores.boto3(stores.write).put_object(Bucket=BUCKET, Key=key, Body=changed)


@pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
def test_what_opens_is_proven(stores: Stores, tmp_path: Path, sealing: SealingFormatName) -> None:
    job = published(stores, tmp_path, sealing)
    files = sorted(path for path in tmp_path.rglob("*"))
    ended = job.prove("--json")
    assert (ended.code, ended.warned) == (0, [])
    proofs = json.loads(ended.output)["variants"]
    assert [
        (p["variant"], p["opens"], p["sha256"], p["sizeBytes"], p["trust"]) for p in proofs
    ] == [(v.spec.name, True, v.sha256, v.size_bytes, "unsigned") for v in job.variants]
    assert set(tmp_path.rglob("*")) - set(files) == {job.flat_secrets, *job.flat_secrets.iterdir()}


def test_one_variant_alone(stores: Stores, tmp_path: Path) -> None:
    job = published(stores, tmp_path)
    ended = job.prove("--variant", "other")
    assert ended.code == 0
    assert "variant          other" in ended.output
    assert "opens            yes" in ended.output
    assert "variant          one" not in ended.output


def test_what_does_not_open_is_said_and_the_others_are_proven(
    stores: Stores, tmp_path: Path
) -> None:
    job = published(stores, tmp_path)
    damage(stores, job, "one")
    said = "big part: segment 0 is not the one that was signed"

    ended = job.prove()
    assert ended.code == 65
    assert ended.output.endswith(f"sealyard: {job.model} 1.0.0 one: {said}\n")
    assert ended.output.count("opens            yes") == 1

    ended = job.prove("--json")
    assert ended.code == 65
    document, end = json.JSONDecoder().raw_decode(ended.output)
    assert ended.output[end:].endswith(f"{said}\n")
    one, other = document["variants"]
    assert (one["opens"], other["opens"]) == (False, True)
    assert said in one["refusal"]
    assert "refusal" not in other
    assert job.prove("--variant", "other").code == 0


def test_the_manifest_can_be_pinned(stores: Stores, tmp_path: Path) -> None:
    job = published(stores, tmp_path)
    right = json.loads(job.prove("--json").output)["variants"][0]["manifestSha256"]
    assert job.prove("--manifest-sha256", right).code == 0
    wrong = job.prove("--manifest-sha256", "0" * 64)
    assert wrong.code == 65
    assert f"manifest: SHA-256 is {right}, expected {'0' * 64}" in wrong.output


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--variant", "third"], 64, "has no 'third'; it has one, other"),
        (["--manifest-sha256", "abc"], 64, "manifest SHA-256: 'abc' must be 64 of 0-9 and a-f"),
        (["--bucket", "nowhere"], 77, "bucket nowhere"),
        (["--api", "https://127.0.0.1:1"], 69, "cannot be reached"),
        (["--secrets-dir", "/nowhere"], 66, "folder /nowhere has no key"),
        (["--fleet-key-file", "/dev/null"], 64, "exactly one of --keyring and --fleet-key-file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    *, stores: Stores, tmp_path: Path, change: list[str], code: int, said: str
) -> None:
    ended = published(stores, tmp_path).prove(*change)
    assert ended.code == code, ended.output
    assert said in ended.output
    assert len(ended.said) == 1
    assert ended.output.startswith("sealyard: ")


def test_another_keyring_proves_nothing(stores: Stores, tmp_path: Path) -> None:
    job = published(stores, tmp_path)
    other = tmp_path / "other.json"
    other.write_text(job.command("keyring", "new", "--raw").output)
    ended = job.prove("--keyring", str(other))
    assert ended.code == 66
    assert ended.output.count("opens            no") == 2
    assert ended.output.count("none of its v2 keys opens") == 4  # in the result and as errors
