"""`sealyard pull` and `sealyard open` against the real stores."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sealyard.api.model_release import SealingFormatName
from support.programs import Job
from support.stores import Stores

pytestmark = pytest.mark.stores
FORMATS = pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])


@pytest.fixture
def job(stores: Stores, tmp_path: Path) -> Job:
    job = stores.release(tmp_path)
    job.add("onnx-fp32", os.urandom(3_000_000))
    assert job.publish().code == 0
    return job


def keyring(job: Job) -> tuple[str, str]:
    return ("--keyring", str(job.secrets / "keyring" / "keyring.json"))


def test_the_only_variant_needs_no_name(job: Job, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    output.write_bytes(b"an older one")
    pulled = job.pull(*keyring(job), "--output", str(output))
    assert pulled.code == 0
    assert output.read_bytes() == job.content(job.variants[0])
    assert "trust            unsigned" in pulled.output


def test_a_plaintext_comes_with_a_warning(job: Job, tmp_path: Path) -> None:
    job_output = job.command("pull", "--help").output
    assert "cannot be withdrawn" in job_output
    ended = job.pull(*keyring(job), "--output", str(tmp_path / "m"), "--json")
    assert json.loads(ended.output)["output"] == str(tmp_path / "m")
    assert "is a plaintext" in ended.warnings


@FORMATS
def test_sealed_parts_are_kept_and_open_without_a_network(
    stores: Stores, tmp_path: Path, sealing: SealingFormatName
) -> None:
    job = stores.release(tmp_path, sealing)
    for name in ("one", "other"):
        job.add(name, os.urandom(1_500_000))
    assert job.publish().code == 0
    kept = tmp_path / "kept"
    keys = keyring(job)
    for name in ("one", "other"):
        assert job.pull(*keys, "--variant", name, "--sealed-dir", str(kept)).code == 0
    assert sorted(path.name for path in kept.iterdir()) == [
        "manifest.json",
        "one.big",
        "one.small",
        "other.big",
        "other.small",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}

    output = tmp_path / "opened"
    if sealing == "aes-256-cbc-v1":
        fleet_key = tmp_path / "fleet.key"
        fleet_key.write_text(stores.keyring.active_v1.material.hex() + "\n")
        keys = ("--fleet-key-file", str(fleet_key))
    opened = job.command("open", str(kept), *keys, "--variant", "other", "-o", str(output))
    assert opened.code == 0, opened.output
    assert output.read_bytes() == job.content(job.variants[1])
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    inspected = job.command("inspect", str(kept))
    assert json.loads(inspected.output)["predicate"]["model"] == job.model

    big = kept / "other.big"
    content = big.read_bytes()
    big.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    output.unlink()
    assert job.command("open", str(kept), *keys, "--variant", "other", "-o", str(output)).code == 65
    assert not output.exists()


def test_several_variants_want_a_choice(stores: Stores, tmp_path: Path) -> None:
    job = stores.release(tmp_path)
    for name in ("one", "other"):
        job.add(name, os.urandom(50_000))
    assert job.publish().code == 0
    for arguments, said in (
        ((), "has the variants one, other; choose with --variant"),
        (("--variant", "third"), "it has one, other"),
    ):
        ended = job.pull(*keyring(job), "--output", str(tmp_path / "m"), *arguments)
        assert ended.code == 64
        assert said in ended.output


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--bucket", "nowhere"], 77, "bucket nowhere"),
        (["--prefix", "elsewhere"], 65, "not below elsewhere/objects"),
        (["--api", "http://127.0.0.1:1"], 64, "https://"),
        (["--api", "https://127.0.0.1:1"], 69, "cannot be reached"),
        (["--cdn", "https://127.0.0.1:1"], 69, "cannot be reached"),
        (["--api-ca", "/nowhere"], 66, "CA bundle /nowhere"),
        (["--secrets-dir", "/nowhere"], 66, "folder /nowhere has no key cdn-read-access-key-id"),
        (["--keyring", "/nowhere"], 66, "/nowhere"),
        (["--output", "/nowhere/model.onnx"], 66, "/nowhere/model.onnx: cannot be written"),
        (["--fleet-key-file", "/dev/null"], 64, "exactly one"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    *, job: Job, tmp_path: Path, change: list[str], code: int, said: str
) -> None:
    output = tmp_path / "model.onnx"
    ended = job.pull(*keyring(job), "--output", str(output), *change)
    assert ended.code == code, ended.output
    assert said in ended.output
    assert len(ended.said) == 1
    assert ended.output.startswith("sealyard: ")
    assert not output.exists()


def test_an_unknown_release_is_missing(job: Job, tmp_path: Path) -> None:
    job.version = "9.9.9"
    ended = job.pull(*keyring(job), "--output", str(tmp_path / "m"))
    assert ended.code == 66
    assert f"the manifest of {job.model} 9.9.9: there is none" in ended.output


def test_another_keyring_does_not_open_it(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(job.command("keyring", "new", "--raw").output)
    output = tmp_path / "model.onnx"
    ended = job.pull("--keyring", str(other), "--output", str(output))
    assert ended.code == 66
    assert "none of its v2 keys opens" in ended.output
    assert list(tmp_path.glob("*model.onnx*")) == []
