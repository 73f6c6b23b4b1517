"""From what people annotate to a model that knows whom it learnt from."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sealyard.annotations.message import Annotation, Box, Operation, Picture
from sealyard.annotations.publisher import AnnotationPublisher
from sealyard_local.cluster import Cluster
from support.coins import write_coins
from support.identities import AUDIENCE, ED25519, ISSUER, jwk, jwk_set, token
from support.operator import wait_for
from support.rabbitmq import READER, WRITER, Broker, broker
from support.whole import Whole

__all__ = ["broker"]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.stores,
    pytest.mark.training,
    pytest.mark.timeout(2400),
]

NAME = "annotated"
VALIDATOR, WORKER = "vera@example.org", "otto@example.org"
TRAIN, VAL, UNSEEN = 60, 20, 5


def test_what_validators_say_is_trained_on_and_nothing_else(
    whole: Whole, cluster: Cluster, broker: Broker, tmp_path: Path
) -> None:
    broker.create_stream(NAME)
    tiles = list(_tiles(write_coins(tmp_path, train=TRAIN, val=VAL)))
    whole.kubectl("create", "configmap", "queue-ca", f"--from-file={broker.ca_path}")
    login = {"queue-username": READER, "queue-password": broker.passwords[READER]}
    keys = {"identity-keys.json": jwk_set(jwk(ED25519, kid="ed")).decode()}
    whole.kubectl.apply(
        _secret("queue", login), _secret("annotators", keys), _claim("annotations"), _route(broker)
    )
    # Made by somebody whose word is not enough, and validated; but for the last of them.
    asyncio.run(_publish(broker, tiles, WORKER, "Operator", "created"))
    seen = tiles[:-UNSEEN]
    asyncio.run(_publish(broker, seen, VALIDATOR, "Validator", "validated"))

    def filed() -> dict[str, int] | None:
        figures: dict[str, int] = whole.status("annotationroute", NAME).get("filing", {})
        return figures if figures.get("validated") == len(seen) else None

    figures = wait_for(filed, 240, "what was validated to be filed")
    assert (figures["seed"], figures["rejected"], figures["unproven"]) == (UNSEEN, 0, 0)
    columns = whole.kubectl("get", "annotationroutes").split()
    assert columns[columns.index(NAME) + 1] == "True"

    whole.kubectl.apply(_claim(NAME), _run(), _release())
    release = whole.wait_until_ready("modelrelease", f"{NAME}-1.0.0")
    run = whole.status("trainingrun", NAME)
    assert run["dataset"]["images"] == len(seen)
    assert run["snapshot"]["offset"] == figures["offset"]
    assert release["lineage"]["datasetDigest"] == run["dataset"]["digest"]

    said = _sealyard(
        cluster,
        *("lineage", f"{NAME}-1.0.0", "--json", "--annotations"),
        *("--namespace", whole.kubectl.namespace),
    )
    traced = json.loads(said)["annotations"]
    assert {one["id"] for one in traced} == {path.stem for path, _ in seen}
    assert {one["annotator"] for one in traced} == {VALIDATOR}


def _tiles(dataset: Path) -> Iterator[tuple[Path, list[Box]]]:
    """The pictures of a dataset, with their boxes."""
    for picture in sorted(dataset.glob("images/*/*.png")):
        label = dataset / "labels" / picture.parent.name / f"{picture.stem}.txt"
        numbers = (map(float, line.split()[1:]) for line in label.read_text().splitlines())
        names = ("x", "y", "width", "height")
        yield (
            picture,
            [Box(class_name="coin", **dict(zip(names, box, strict=True))) for box in numbers],
        )


async def _publish(
    broker: Broker,
    tiles: Sequence[tuple[Path, list[Box]]],
    annotator: str,
    role: str,
    operation: Operation,
) -> None:
    """As an annotation tool does, one after the other."""

    async def proof() -> str:
        now = int(datetime.now(UTC).timestamp())
        times = {"iat": now - 5, "nbf": now - 5, "exp": now + 600}
        who = {"iss": ISSUER, "aud": AUDIENCE, "sub": annotator, "role": role}
        return token({**who, **times})

    async with AnnotationPublisher(
        broker.host,
        NAME,
        port=broker.stream_port,
        username=WRITER,
        password=broker.passwords[WRITER],
        name=f"tool-of-{role}",
        ca_file=broker.ca_path,
        token=proof,
    ) as publisher:
        for path, boxes in tiles:
            content = path.read_bytes()
            is_new = operation == "created"
            annotation = Annotation(
                id=path.stem,
                revision=1 if is_new else 2,
                operation=operation,
                picture=Picture.of(content, "image/png"),
                boxes=boxes,
                annotator=annotator,
                role=role,
                annotated_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            )
            await publisher.publish(annotation, content if is_new else b"")


def _sealyard(cluster: Cluster, *arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("sealyard"), *arguments],
        env=cluster.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": data,
    }


def _claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def _sealyard_object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def _route(broker: Broker) -> dict[str, Any]:
    stream = {
        "host": broker.host,
        "port": broker.stream_port,
        "stream": NAME,
        "credentialsSecretRef": {"name": "queue"},
        "caBundleRef": {"name": "queue-ca"},
    }
    return _sealyard_object(
        "AnnotationRoute",
        NAME,
        {
            "source": {"rabbitmqStream": stream},
            "identity": {"jwt": {"keySetSecretRef": {"name": "annotators"}, "issuer": ISSUER}},
            "storage": {"persistentVolumeClaim": {"claimName": "annotations"}},
            "classes": ["coin"],
        },
    )


def _run() -> dict[str, Any]:
    return _sealyard_object(
        "TrainingRun",
        NAME,
        {
            "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
            "dataset": {"annotationRouteRef": {"name": NAME}},
            "hyperparameters": {"epochs": 3, "imageSize": 64, "extra": {"mosaic": 0.0}},
            "compute": {"cpu": "500m", "memory": "3Gi"},
            "workspace": {"persistentVolumeClaim": {"claimName": NAME}},
        },
    )


def _release() -> dict[str, Any]:
    return _sealyard_object(
        "ModelRelease",
        f"{NAME}-1.0.0",
        {
            "model": NAME,
            "version": "1.0.0",
            "source": {"trainingRunRef": {"name": NAME}},
            "variants": [{"name": "onnx", "format": "onnx", "precision": "fp32"}],
            "targetRef": {"name": "stores"},
        },
    )
