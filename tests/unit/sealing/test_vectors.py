"""The vectors are current, and both the product and a stranger's opener agree on each."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.sealing.slots import NOT_OPENED
from support.vectors import artifact_of
from vectors.generate import HERE, all_vectors, decode
from vectors.stranger import RefusedError, open_vector

FILES = sorted(HERE.glob("*.vector"))

# What docs/format.md calls each check, and what the product says when it fails.
SAID = {
    "small-size": (IntegrityError, "small part: \\d+ bytes, must be \\d+"),
    "constants": (IntegrityError, "small part: [a-z ]+ is .*, must be "),
    "core-digest": (IntegrityError, "small part: its core is not the one in the manifest"),
    "context": (IntegrityError, "small part: it was not sealed as "),
    "plaintext-length": (IntegrityError, "small part: plaintext length is .* the manifest says"),
    "big-size": (IntegrityError, "big part: (\\d+ bytes, must be \\d+|the manifest says )"),
    "leaves": (IntegrityError, "big part: its leaves do not give the tree digest"),
    "no-slot": (MissingError, "none of its v2 keys opens this small part"),
    "segment-digest": (IntegrityError, "big part: segment 0 is not the one that was signed"),
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
    fields, small, big = decode(file.read_bytes())
    if fields["expect"] == "success":
        digest = hashlib.sha256(open_vector(fields, small, big)).hexdigest()
        assert digest == fields["plaintext-sha256"]
        return
    with pytest.raises(RefusedError) as caught:
        open_vector(fields, small, big)
    assert str(caught.value) == fields["expect"]


def test_every_check_of_the_specification_has_a_vector() -> None:
    expected = {decode(file.read_bytes())[0]["expect"] for file in FILES}
    assert expected == {"success", *SAID}


def test_the_stranger_stays_short() -> None:
    assert len((HERE / "stranger.py").read_text().splitlines()) < 150
