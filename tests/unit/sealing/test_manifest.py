from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.formats import ReleaseContext
from sealyard.sealing.manifest import (
    MANIFEST_MAX_BYTES,
    ArtifactSource,
    Manifest,
    Platform,
    Source,
    TrainingRunSource,
)
from support.sealing import CONTEXT, V1, V2, content, manifest_of, seal

ONE = seal(V2, content(5000))
OLD = seal(V1, content(5000), context=ReleaseContext("coins", "1.0.0", "legacy"))
MANIFEST = manifest_of(ONE, OLD)
CANONICAL = MANIFEST.encode()
# The bytes are a promise: they are signed, and other programs read them.
DIGEST = "4af84bb58b69584b8ce27a5e9dfbe05181b59ec941c7de33da978ea795fe5d36"


def edited(edit: Callable[[Any], object]) -> bytes:
    document = json.loads(CANONICAL)
    edit(document)
    return rfc8785.dumps(document)


def v(document: Any, index: int = 1) -> Any:
    """A variant; they are sorted, so that 0 is `legacy` and 1 is `onnx-fp32`."""
    return document["predicate"]["variants"][index]


def test_the_bytes_do_not_change() -> None:
    assert MANIFEST.digest() == DIGEST
    assert hashlib.sha256(CANONICAL).hexdigest() == DIGEST
    assert Manifest.parse(CANONICAL) == MANIFEST
    assert Manifest.parse(CANONICAL).encode() == CANONICAL


def test_the_same_content_in_another_order_gives_the_same_bytes() -> None:
    assert manifest_of(OLD, ONE).encode() == CANONICAL


def test_it_is_an_in_toto_statement() -> None:
    document = json.loads(CANONICAL)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://sealyard.io/attestation/release/v1"
    assert document["subject"][1] == {
        "name": "onnx-fp32",
        "digest": {"sha256": hashlib.sha256(ONE.plaintext).hexdigest()},
    }
    assert set(v(document)) == {
        *("name", "format", "precision", "imageSize", "platform", "plaintextBytes"),
        *("sealing", "small", "big"),
    }
    assert set(v(document)["small"]) == {"sizeBytes", "coreSha256"}
    assert set(v(document)["big"]) == {"key", "sizeBytes", "segments", "treeSha256"}
    assert set(v(document, 0)["small"]) == {"sizeBytes", "sha256"}
    assert set(v(document, 0)["big"]) == {"key", "sizeBytes", "sha256"}


def test_unknown_fields_are_ignored_wherever_they_stand() -> None:
    def add(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                add(inner)
            # A metric's name is free, so that an unknown one is not unknown.
            if "map50" not in value:
                value["laterField"] = {"a": [1, None, "x"]}
        elif isinstance(value, list):
            for inner in value:
                add(inner)

    assert Manifest.parse(edited(add)) == MANIFEST


def test_an_entry_is_what_was_asked_for() -> None:
    assert MANIFEST.entry(CONTEXT) == ONE.entry
    assert MANIFEST.entry(OLD.entry.context) == OLD.entry
    with pytest.raises(IntegrityError, match=r"is of coins 1\.0\.0, expected coins 1\.0\.1"):
        MANIFEST.entry(ReleaseContext("coins", "1.0.1", "onnx-fp32"))
    with pytest.raises(IntegrityError, match=r"is of coins 1\.0\.0, expected other 1\.0\.0"):
        MANIFEST.entry(ReleaseContext("other", "1.0.0", "onnx-fp32"))
    with pytest.raises(InvalidError, match="has no 'tensorrt'; it has legacy, onnx-fp32"):
        MANIFEST.entry(ReleaseContext("coins", "1.0.0", "tensorrt"))


def test_the_expected_digest_is_checked_first() -> None:
    assert Manifest.parse(CANONICAL, sha256=DIGEST) == MANIFEST
    with pytest.raises(IntegrityError, match=r"^manifest: SHA-256 is [0-9a-f]{64}, expected 0000"):
        Manifest.parse(b"not even JSON", sha256="0" * 64)


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda d: d.pop("_type"), "_type"),
        (lambda d: d.update(_type="x"), "_type"),
        (lambda d: d.pop("predicate"), "predicate"),
        (lambda d: d.pop("subject"), "subject"),
        (lambda d: d.update(predicateType="https://sealyard.io/attestation/release/v2"), "pred"),
        (lambda d: d.pop("predicateType"), "predicateType"),
        (lambda d: d["subject"].pop(), "subject: must name each"),
        (lambda d: d["subject"].append(d["subject"][0]), "subject: must name each"),
        (lambda d: d["subject"][0]["digest"].update(sha256="A" * 64), "subject.0.digest.sha256"),
        (lambda d: d["subject"][0]["digest"].clear(), "subject.0.digest.sha256"),
        (lambda d: d["predicate"].update(model="Coins"), "predicate.model"),
        (lambda d: d["predicate"].update(model="coins\n"), "predicate.model"),
        (lambda d: d["predicate"].update(version="1.0"), "predicate.version"),
        (lambda d: d["predicate"].update(version="1.0.0+1"), "predicate.version"),
        (lambda d: d["predicate"].update(variants=[]), "predicate.variants"),
        (lambda d: d["predicate"]["variants"].append(v(d)), "predicate.variants: each name"),
        (lambda d: v(d).update(format="tflite"), "predicate.variants.1.format"),
        (lambda d: v(d).update(precision="fp8"), "predicate.variants.1.precision"),
        (lambda d: v(d).update(imageSize="640"), "predicate.variants.1.imageSize"),
        (lambda d: v(d).update(imageSize=0), "predicate.variants.1.imageSize"),
        (lambda d: v(d).update(imageSize=True), "predicate.variants.1.imageSize"),
        (lambda d: v(d).update(plaintextBytes=-1), "predicate.variants.1.plaintextByte"),
        (lambda d: v(d).update(plaintextBytes=(1 << 40) + 1), "predicate.variants.1.plaintextByte"),
        (lambda d: v(d).update(plaintextBytes=1.5), "predicate.variants.1.plaintextByte"),
        (lambda d: v(d)["sealing"].update(format="aes-256-cbc-v1"), "predicate.variants.1: aes-2"),
        (lambda d: v(d)["sealing"].update(format="rot13"), "predicate.variants.1.sealing.format"),
        (lambda d: v(d)["small"].pop("coreSha256"), "predicate.variants.1: sealed-v2 has"),
        (lambda d: v(d)["small"].update(sha256="0" * 64), "predicate.variants.1: sealed-v2 has"),
        (lambda d: v(d)["small"].update(sizeBytes=3073), "predicate.variants.1.small.sizeBytes"),
        (lambda d: v(d)["big"].update(segments=0), "predicate.variants.1.big.segments"),
        (lambda d: v(d)["big"].update(treeSha256="0" * 63), "predicate.variants.1.big.treeSha256"),
        (lambda d: v(d)["big"].update(key="../objects/" + "0" * 64), "predicate.variants.1.big."),
        (lambda d: v(d)["big"].update(key="/objects/" + "0" * 64), "predicate.variants.1.big."),
        (lambda d: v(d)["big"].update(key="objects/" + "0" * 63), "predicate.variants.1.big."),
        (lambda d: v(d, 0)["big"].update(segments=1), "predicate.variants.0: aes-256-cbc-v1 has"),
        (lambda d: v(d)["platform"].update(arch="x y"), "predicate.variants.1.platform.arch"),
        (lambda d: v(d)["platform"].update(computeCapability="sm_89"), "predicate.variants.1.plat"),
        (lambda d: d["predicate"]["source"].pop("artifact"), "predicate.source: must have exactly"),
        (
            lambda d: d["predicate"]["source"].update(trainingRun={"name": "a", "uid": "b"}),
            "predicate.source: must have exactly",
        ),
        (lambda d: d["predicate"]["source"].update(metrics={"a\n": 1}), "predicate.source.metric"),
        (lambda d: d["predicate"]["source"].update(metrics={"a": "1"}), "predicate.source.metric"),
    ],
)  # fmt: skip
def test_every_known_field_is_checked(edit: Callable[[Any], object], field: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Manifest.parse(edited(edit))
    assert str(caught.value).startswith(f"manifest: {field}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":NaN}', "is not JSON"),
        (b'{"a":1e999}', "is not JSON"),
        (b'{"a":12345678901234567890}', "is not JSON"),
        (b'{"a":' + b"1" * 10_000 + b"}", "is not JSON"),
        (b'{"a":"\\ud800"}', "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{} ", "is not canonical JSON"),
        (b'{"a":1,"a":1}', "is not canonical JSON"),
        (b'{"b":1,"a":1}', "is not canonical JSON"),
        (b'{"a":1.0}', "is not canonical JSON"),
        (CANONICAL + b"\n", "is not canonical JSON"),
        (b"\xef\xbb\xbf" + CANONICAL, "is not JSON"),
        (b'{"predicateType":"x"}', "predicateType is 'x', must be"),
        (b" " * (MANIFEST_MAX_BYTES + 1), "1048577 bytes, must be at most 1048576"),
    ],
)
def test_what_has_a_second_reading_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(IntegrityError, match=f"^manifest: {message}"):
        Manifest.parse(raw)


@given(at=st.integers(0, len(CANONICAL) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_by_the_digest(at: int, byte: int) -> None:
    assume(CANONICAL[at] != byte)
    raw = CANONICAL[:at] + bytes([byte]) + CANONICAL[at + 1 :]
    with pytest.raises(IntegrityError, match=r"^manifest: SHA-256 is "):
        Manifest.parse(raw, sha256=DIGEST)
    # Without a digest it may still be some manifest; nothing else may happen.
    with contextlib.suppress(IntegrityError):
        Manifest.parse(raw)


@given(st.binary(max_size=200))
def test_rubbish_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(IntegrityError):
        Manifest.parse(raw)


def test_everything_that_can_be_said_survives() -> None:
    variant = ONE.entry.variant.model_copy(
        update={
            "platform": Platform(
                arch="x86_64",
                compute_capability="8.9",
                runtime="tensorrt",
                runtime_version="11.0.1",
            )
        }
    )
    source = Source(
        training_run=TrainingRunSource(name="coins-1", uid="0b0c3e4e-1d5c-4f0e-9b5e-000000000000"),
        dataset_digest="sha256:" + "0" * 64,
        image="example.org/trainer@sha256:" + "0" * 64,
        metrics={"map50": 0.98, "map50_95": 1.0, "loss": 1e-9, "zero": 0.0},
    )
    made = Manifest.build(
        model="coins",
        version="2.0.0-rc.1",
        variants=[(variant, ONE.entry.plaintext_sha256)],
        source=source,
    )
    again = Manifest.parse(made.encode(), sha256=made.digest())
    assert again == made
    assert again.predicate.source.metrics["map50_95"] == 1.0
    assert b"trainingRun" in made.encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "Coins"}, "manifest: model: "),
        ({"version": "1"}, "manifest: version: "),
        ({"variants": []}, "manifest: variants: "),
        ({"variants": [(ONE.entry.variant, "nothex")]}, "manifest: sha256: "),
        ({"variants": [(ONE.entry.variant, "0" * 64)] * 2}, "manifest: predicate.variants: each"),
    ],
)
def test_building_what_no_one_could_read_is_refused(change: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {
        "model": "coins",
        "version": "1.0.0",
        "variants": [(ONE.entry.variant, "0" * 64)],
        "source": MANIFEST.predicate.source,
    }
    with pytest.raises(InvalidError) as caught:
        Manifest.build(**right | change)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_is_a_finite_number(value: float) -> None:
    artifact = ArtifactSource(sha256="0" * 64, type="pt")
    with pytest.raises(ValidationError):
        Source(artifact=artifact, metrics={"loss": value})
