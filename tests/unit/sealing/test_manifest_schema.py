"""docs/manifest.schema.json is current, and refuses what the reader refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from jsonschema import Draft202012Validator

from sealyard.errors import IntegrityError
from sealyard.sealing.formats import ReleaseContext
from sealyard.sealing.manifest import Manifest, Platform, Source, TrainingRunSource
from sealyard.sealing.manifest_schema import encoded, schema
from support.sealing import V1, V2, content, manifest_of, seal
from support.vectors import artifact_of
from vectors.generate import HERE

FILE = Path(__file__).parents[3] / "docs/manifest.schema.json"
FILES = sorted(HERE.glob("*.vector"))
VALIDATOR = Draft202012Validator(schema())

ONE = seal(V2, content(10))
OLD = seal(V1, content(10), context=ReleaseContext("coins", "1.0.0", "legacy"))
RIGHT = json.loads(manifest_of(ONE, OLD).encode())


def test_the_file_is_the_one_that_is_generated() -> None:
    assert FILE.read_text(encoding="utf-8") == encoded(), "run make generate"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_manifest_of_every_vector_is_valid(file: Path) -> None:
    _, artifact = artifact_of(file.read_bytes())
    VALIDATOR.validate(json.loads(manifest_of(artifact).encode()))


def test_everything_that_can_be_said_is_valid() -> None:
    platform = Platform(
        arch="x86_64", compute_capability="8.9", runtime="tensorrt", runtime_version="11.0.1"
    )
    made = Manifest.build(
        model="coins",
        version="2.0.0-rc.1",
        variants=[(ONE.entry.variant.model_copy(update={"platform": platform}), "0" * 64)],
        source=Source(
            training_run=TrainingRunSource(name="coins-1", uid="0b0c3e4e"),
            dataset_digest="sha256:" + "0" * 64,
            image="example.org/trainer@sha256:" + "0" * 64,
            metrics={"map50": 0.98, "zero": 0.0},
        ),
    )
    VALIDATOR.validate(json.loads(made.encode()))


def changed(edit: Callable[[Any], object]) -> Any:
    document = json.loads(json.dumps(RIGHT))
    edit(document)
    return document


def v2(document: Any) -> Any:
    return document["predicate"]["variants"][1]


def v1(document: Any) -> Any:
    return document["predicate"]["variants"][0]


def source(document: Any) -> Any:
    return document["predicate"]["source"]


RUN = {"name": "a", "uid": "b"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.update(later=1),
        lambda d: v2(d).update(later={"a": [None]}),
        lambda d: v2(d)["small"].update(sha256=None),
        lambda d: v1(d)["big"].update(segments=None),
        lambda d: source(d).update(trainingRun=None),
        lambda d: source(d).pop("metrics"),
    ],
)
def test_what_a_reader_ignores_is_valid(edit: Callable[[Any], object]) -> None:
    document = changed(edit)
    VALIDATOR.validate(document)
    Manifest.parse(rfc8785.dumps(document))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("_type"),
        lambda d: d.update(predicateType="https://sealyard.io/attestation/release/v2"),
        lambda d: d.pop("predicate"),
        lambda d: d.update(subject=[]),
        lambda d: d["subject"][0]["digest"].update(sha256="A" * 64),
        lambda d: d["subject"][0].update(name="-"),
        lambda d: d["predicate"].update(model="Coins"),
        lambda d: d["predicate"].update(version="1.0.0+1"),
        lambda d: d["predicate"].update(version="1.0." + "1" * 61),
        lambda d: d["predicate"].update(variants=[]),
        lambda d: d["predicate"].update(variants=[v2(d)] * 33),
        lambda d: d["predicate"].pop("source"),
        lambda d: v2(d).update(format="tflite"),
        lambda d: v2(d).update(precision="fp8"),
        lambda d: v2(d).update(imageSize="640"),
        lambda d: v2(d).update(imageSize=0),
        lambda d: v2(d).update(imageSize=True),
        lambda d: v2(d).update(plaintextBytes=-1),
        lambda d: v2(d).update(plaintextBytes=(1 << 40) + 1),
        lambda d: v2(d).update(plaintextBytes=1.5),
        lambda d: v2(d).pop("sealing"),
        lambda d: v2(d)["sealing"].update(format="rot13"),
        lambda d: v2(d)["sealing"].update(format=V1),
        lambda d: v1(d)["sealing"].update(format=V2),
        lambda d: v2(d)["small"].pop("coreSha256"),
        lambda d: v2(d)["small"].update(coreSha256=None),
        lambda d: v2(d)["small"].update(sha256="0" * 64),
        lambda d: v2(d)["small"].update(sizeBytes=3073),
        lambda d: v2(d)["big"].pop("treeSha256"),
        lambda d: v2(d)["big"].update(sha256="0" * 64),
        lambda d: v2(d)["big"].update(segments=0),
        lambda d: v2(d)["big"].update(key="../objects/" + "0" * 64),
        lambda d: v1(d)["big"].update(segments=1),
        lambda d: v1(d)["small"].pop("sha256"),
        lambda d: v2(d).update(platform=None),
        lambda d: v2(d)["platform"].update(arch="x y"),
        lambda d: v2(d)["platform"].update(computeCapability="sm_89"),
        lambda d: source(d).pop("artifact"),
        lambda d: source(d).update(artifact=None),
        lambda d: source(d).update(trainingRun=RUN),
        lambda d: source(d).update(image=""),
        lambda d: source(d).update(metrics={"a b": 1}),
        lambda d: source(d).update(metrics={"a": "1"}),
        lambda d: source(d).update(metrics={f"m{n}": 1 for n in range(65)}),
    ],
)
def test_what_is_broken_is_neither_valid_nor_read(edit: Callable[[Any], object]) -> None:
    document = changed(edit)
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(IntegrityError):
        Manifest.parse(rfc8785.dumps(document))
