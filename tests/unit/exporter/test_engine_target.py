"""Which GPU an engine is built for, and who says that it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.model_release import VariantSpec
from sealyard.errors import InvalidError, MissingError, SealyardError
from sealyard_exporter.engine.target import Machine, Target, target_of

KNOWN = frozenset({"7.5", "8.6", "8.9", "12.0"})
PROCESSOR = Machine("x86_64", None)
AMPERE = Machine("x86_64", "8.6")
HOPPER = Machine("x86_64", "9.0")


def decide(kind: str, machine: Machine, known: frozenset[str] = KNOWN, **platform: Any) -> Target:
    variant = VariantSpec.from_wire(
        {"name": "edge", "format": kind, "precision": "fp16", "platform": platform}
    )
    return target_of(variant, machine, known, library=f"{kind} 1.7")


@pytest.mark.parametrize(
    ("kind", "machine", "named", "capability", "is_here"),
    [
        ("tensorrt-rtx", PROCESSOR, "8.6", "8.6", False),
        ("tensorrt-rtx", HOPPER, "8.6", "8.6", False),
        ("tensorrt-rtx", AMPERE, "8.6", "8.6", True),
        ("tensorrt-rtx", AMPERE, None, "8.6", True),
        ("tensorrt", AMPERE, None, "8.6", True),
        ("tensorrt", HOPPER, "9.0", "9.0", True),
        ("tensorrt", HOPPER, "8.6", "8.6", False),
    ],
)
def test_what_it_is_built_for(
    kind: str, machine: Machine, named: str | None, capability: str, is_here: bool
) -> None:
    platform = {"computeCapability": named} if named else {}
    assert decide(kind, machine, **platform) == Target("x86_64", capability, is_here=is_here)


def test_a_library_that_knows_no_others_builds_for_its_own_gpu() -> None:
    assert decide("tensorrt", HOPPER, frozenset()) == Target("x86_64", "9.0", is_here=True)


WHERE = "spec.variants[edge]"


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (
            ("tensorrt", PROCESSOR, KNOWN, {"computeCapability": "8.6"}),
            MissingError,
            f"{WHERE}.format: tensorrt is built on a GPU, and PyTorch finds none in the pod",
        ),
        (
            ("tensorrt-rtx", PROCESSOR, KNOWN, {}),
            InvalidError,
            f"{WHERE}.platform.computeCapability: must be named, as there is no GPU to take it",
        ),
        (
            ("tensorrt-rtx", HOPPER, KNOWN, {"computeCapability": "9.0"}),
            InvalidError,
            f"{WHERE}.platform.computeCapability: 9.0 is none that tensorrt-rtx 1.7 builds for",
        ),
        (
            ("tensorrt", HOPPER, frozenset(), {"computeCapability": "8.6"}),
            InvalidError,
            f"{WHERE}.platform.computeCapability: 8.6 is none that tensorrt 1.7 builds for",
        ),
        (
            ("tensorrt-rtx", AMPERE, KNOWN, {"arch": "aarch64"}),
            InvalidError,
            f"{WHERE}.platform.arch: aarch64, and the exporter runs on x86_64; an engine is built",
        ),
    ],
)
def test_a_refusal_names_the_field_and_what_would_be_right(
    asked: tuple[str, Machine, frozenset[str], dict[str, str]],
    error: type[SealyardError],
    message: str,
) -> None:
    kind, machine, known, platform = asked
    with pytest.raises(error) as refused:
        decide(kind, machine, known, **platform)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("kind", "known", "offered"),
    [
        ("tensorrt-rtx", KNOWN, "7.5, 8.6, 8.9, 12.0"),
        ("tensorrt", frozenset(), "that of the GPU in the pod alone"),
    ],
)
def test_a_refusal_lists_what_there_is(kind: str, known: frozenset[str], offered: str) -> None:
    with pytest.raises(InvalidError, match=f"which are: {offered}$"):
        decide(kind, HOPPER, known, computeCapability="5.0")
