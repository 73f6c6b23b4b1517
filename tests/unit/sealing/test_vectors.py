"""The vectors are current, and both the product and a stranger's opener agree on each."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import Artifact
from support.vectors import artifact_of
from vectors.generate import HERE, all_vectors
from vectors.making import Vector, decode, encode, flip, with_big
from vectors.stranger import RefusedError, open_vector

FILES = sorted(HERE.glob("*.vector"))

# What docs/format.md calls each check, and what the product says when it fails.
SAID = {
    "small-size": (IntegrityError, "small part: (the manifest says )?\\d+ bytes, must be \\d+"),
    "constants": (IntegrityError, "small part: [a-z ]+ is .*, must be "),
    "core-digest": (IntegrityError, "small part: its core is not the one in the manifest"),
    "context": (IntegrityError, "small part: it was not sealed as "),
    "plaintext-length": (IntegrityError, "small part: plaintext length is .* the manifest says"),
    "big-size": (IntegrityError, "big part: (\\d+ bytes, must be \\d+|the manifest says )"),
    "leaves": (IntegrityError, "big part: its leaves do not give the tree digest"),
    "no-slot": (MissingError, "none of its v2 keys opens this small part|no slot for device"),
    "segment-digest": (IntegrityError, "big part: segment \\d+ is not the one that was signed"),
    "small-digest": (IntegrityError, "small part: it is not the one in the manifest"),
    "big-digest": (IntegrityError, "big part: it is not the one in the manifest"),
    "not-opened": (IntegrityError, f"^{NOT_OPENED}$"),
}


def test_the_files_are_those_that_the_generator_writes() -> None:
    assert {file.name: file.read_bytes() for file in FILES} == all_vectors()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_product_agrees_with_the_vector(file: Path) -> None:
    fields, artifact = artifact_of(file.read_bytes())
    if fields["expect"] == "success":
        digest = hashlib.sha256(artifact.open()).hexdigest()
        assert digest == fields["plaintext-sha256"]
        return
    error, message = SAID[fields["expect"]]
    with pytest.raises(error, match=message) as caught:
        artifact.open()
    assert isinstance(caught.value, SealyardError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stranger_agrees_with_the_vector(file: Path) -> None:
    fields, small, big = with_big(decode(file.read_bytes()))
    if fields["expect"] == "success":
        digest = hashlib.sha256(open_vector(fields, small, big)).hexdigest()
        assert digest == fields["plaintext-sha256"]
        return
    with pytest.raises(RefusedError) as caught:
        open_vector(fields, small, big)
    assert str(caught.value) == fields["expect"]


def verdict_of_the_product(artifact: Artifact) -> str:
    try:
        return hashlib.sha256(artifact.open()).hexdigest()
    except SealyardError as error:
        (name,) = (
            name
            for name, (kind, message) in SAID.items()
            if type(error) is kind and re.search(message, str(error))
        )
        return name


def verdict_of_a_stranger(fields: dict[str, str], small: bytes, big: bytes) -> str:
    try:
        return hashlib.sha256(open_vector(fields, small, big)).hexdigest()
    except RefusedError as error:
        return str(error)


ALL = {file.stem: decode(file.read_bytes()) for file in FILES}
SHORT = sorted(name for name, (_, _, big) in ALL.items() if 0 < len(big) < 32 * 1024)
WAYS = ("number", "cut small", "cut big", "bit of small", "bit of big")
NUMBERS = ("plaintext-bytes", "small-size", "big-size", "segments")


@settings(max_examples=300)
@given(data=st.data())
def test_both_find_the_same_fault_in_whatever_was_changed(data: st.DataObject) -> None:
    """One change, or several: which check fails first is part of the format."""
    vector = ALL[data.draw(st.sampled_from(SHORT))]
    for _ in range(data.draw(st.integers(1, 3))):
        vector = changed(vector, data)
    artifact = artifact_of(encode(vector))[1]
    assert verdict_of_the_product(artifact) == verdict_of_a_stranger(*vector)


def changed(vector: Vector, data: st.DataObject) -> Vector:
    fields, small, big = vector
    by = data.draw(st.integers(-17, 17))
    match data.draw(
        st.sampled_from(["number", "cut small", "cut big", "bit of small", "bit of big"])
    ):
        case "number":
            name = data.draw(st.sampled_from([name for name in NUMBERS if name in fields]))
            most = 3072 if name == "small-size" else 1 << 20
            number = min(most, max(1, int(fields[name]) + by))
            return fields | {name: str(number)}, small, big
        case "cut small":
            return fields, (small + bytes(17))[: len(small) + by], big
        case "cut big":
            return fields, small, (big + bytes(17))[: len(big) + by]
        case "bit of small" if small:
            return fields, flip(small, data.draw(st.integers(0, len(small) - 1))), big
        case "bit of big" if big:
            return fields, small, flip(big, data.draw(st.integers(0, len(big) - 1)))
    return vector


def test_every_check_of_the_specification_has_a_vector() -> None:
    expected = {decode(file.read_bytes())[0]["expect"] for file in FILES}
    assert expected == {"success", *SAID}


def test_the_stranger_stays_short() -> None:
    assert len((HERE / "stranger.py").read_text().splitlines()) < 150
