"""What is said where a library is missing, and what is read off one that is there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sealyard.api.model_release import VariantFormat
from sealyard.errors import MissingError
from sealyard_exporter.engine import library
from sealyard_exporter.engine.library import Library, load


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("tensorrt", r"build the image with TENSORRT=1 \(images/exporter/Dockerfile\)"),
        ("tensorrt-rtx", r"build the image with TENSORRT_RTX=1 \(images/exporter/Dockerfile\)"),
    ],
)
def test_one_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, name: VariantFormat, remedy: str
) -> None:
    monkeypatch.setattr(library, "MODULES", {name: ("sealyard_exporter.no_such_library",)})
    with pytest.raises(MissingError, match=f"^the exporter's image has no {name}: {remedy}"):
        load(name)


@pytest.mark.parametrize(
    ("members", "capabilities"),
    [
        ({"NONE": 0, "CURRENT": 1, "SM75": 75, "SM120": 120}, {"7.5", "12.0"}),
        ({}, set()),
        (None, set()),
    ],
)
def test_the_capabilities_that_it_builds_for(
    members: dict[str, int] | None, capabilities: set[str]
) -> None:
    known = {} if members is None else {"ComputeCapability": SimpleNamespace(__members__=members)}
    assert Library("tensorrt", SimpleNamespace(**known), None).capabilities == capabilities
