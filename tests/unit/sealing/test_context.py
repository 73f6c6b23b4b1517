from __future__ import annotations

import pytest

from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext


@pytest.mark.parametrize("name", ["a", "0", "coins", "a-b", "x" * 63])
@pytest.mark.parametrize("version", ["0.0.0", "1.2.3", "10.20.30-rc.1", "1.0.0-0a.x-y"])
def test_names_and_versions_that_are_right(name: str, version: str) -> None:
    assert str(ReleaseContext(name, version, name)) == f"{name} {version} {name}"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "x" * 64, "a\n", "é"])
@pytest.mark.parametrize("field", ["model", "variant"])
def test_a_wrong_name_is_refused_by_field(field: str, name: str) -> None:
    right = {"model": "coins", "version": "1.0.0", "variant": "onnx"}
    with pytest.raises(InvalidError, match=f"^{field}: .*must be 1 to 63"):
        ReleaseContext(**right | {field: name})


@pytest.mark.parametrize(
    "version",
    [
        *("", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3+build", "1.2.3-", "1.2.3-01", "1.2.3\n"),
        "1.2.3-" + "a" * 59,
    ],
)
def test_a_wrong_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidError, match=r"^version: .*must be a semantic version"):
        ReleaseContext("coins", version, "onnx")


def test_the_longest_version() -> None:
    assert ReleaseContext("coins", "1.2.3-" + "a" * 58, "onnx").digest()


def test_the_digest_tells_apart_what_concatenation_would_not() -> None:
    digests = {
        ReleaseContext(model, version, variant).digest()
        for model, version, variant in [
            ("ab", "1.0.0", "c"),
            ("a", "1.0.0", "bc"),
            ("ab", "1.0.0-c", "c"),
            ("c", "1.0.0", "ab"),
        ]
    }
    assert len(digests) == 4
