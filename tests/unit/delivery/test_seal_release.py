"""A release that is sealed into a folder says of each variant what a published one would."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sealyard.api.model_release import Platform, VariantSpec
from sealyard.api.release_target import SplitSpec
from sealyard.api.tasks import (
    ExportedVariant,
    Owner,
    PublishTask,
    RemoteApi,
    RemoteCdn,
    SourceRecord,
)
from sealyard.delivery.seal import seal_release
from sealyard.sealing.manifest import Platform as ManifestPlatform
from support.sealing import KEYRING

ENGINE = Platform(
    arch="x86_64", compute_capability="8.6", runtime="tensorrt-rtx", runtime_version="1.7.1"
)


def exported(workspace: Path, name: str, platform: Platform | None) -> ExportedVariant:
    content = name.encode() * 2000
    (workspace / name).write_bytes(content)
    return ExportedVariant(
        spec=VariantSpec.from_wire(
            {"name": name, "format": "tensorrt-rtx" if platform else "onnx", "precision": "fp16"}
        ),
        image_size=64,
        path=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        platform=platform,
    )


def test_an_engine_is_for_its_machines_and_an_onnx_file_for_all(tmp_path: Path) -> None:
    task = PublishTask(
        owner=Owner(namespace="default", name="coins", uid="1"),
        attempt=1,
        model="coins",
        version="1.0.0",
        sealing_format="sealed-v2",
        split=SplitSpec(),
        variants=[exported(tmp_path, "engine", ENGINE), exported(tmp_path, "onnx", None)],
        source=SourceRecord(training_run="coins", training_run_uid="1", dataset_digest="0" * 64),
        release_path="coins",
        api=RemoteApi(url="https://api", secret_name="api"),
        cdn=RemoteCdn(
            endpoint="https://cdn", region="r", bucket="b", prefix="sealyard", secret_name="cdn"
        ),
        keyring_secret_name="keyring",
    )
    manifest = seal_release(task, tmp_path, tmp_path / "sealed", keyring=KEYRING)
    engine, onnx = manifest.predicate.variants
    assert (engine.format, engine.platform) == (
        "tensorrt-rtx",
        ManifestPlatform(**ENGINE.model_dump()),
    )
    assert (onnx.format, onnx.platform) == ("onnx", ManifestPlatform())
