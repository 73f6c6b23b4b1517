"""Which variant of a release is fit for a machine."""

from __future__ import annotations

import pytest

from sealyard.device.platform import contradictions, this_platform, variant_for
from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.manifest import Manifest, Platform
from support.sealing import V2, content, manifest_of, seal

ANYWHERE = Platform()
X86 = Platform(arch="x86_64")
HERE = Platform(arch="x86_64", compute_capability="8.9")
ENGINE = Platform(arch="x86_64", compute_capability="8.9", runtime="tensorrt-rtx")


def manifest(**platforms: Platform) -> Manifest:
    """A release of a variant of each name, for each platform."""
    built = manifest_of(
        *(
            seal(V2, content(100, name), context=ReleaseContext("coins", "1.0.0", name), seed=name)
            for name in platforms
        )
    )
    variants = tuple(
        variant.model_copy(update={"platform": platforms[variant.name]})
        for variant in built.predicate.variants
    )
    predicate = built.predicate.model_copy(update={"variants": variants})
    return built.model_copy(update={"predicate": predicate})


@pytest.mark.parametrize(
    ("platforms", "here", "wanted", "chosen"),
    [
        ({"onnx": ANYWHERE}, ANYWHERE, None, "onnx"),
        ({"onnx": ANYWHERE, "engine": ENGINE}, HERE, None, "engine"),
        ({"onnx": ANYWHERE, "engine": ENGINE}, X86, None, "onnx"),
        ({"onnx": ANYWHERE, "engine": ENGINE}, HERE, "onnx", "onnx"),
        ({"b": X86, "a": X86}, HERE, None, "a"),
    ],
)
def test_the_most_particular_that_is_fit(
    platforms: dict[str, Platform], here: Platform, wanted: str | None, chosen: str
) -> None:
    assert variant_for(manifest(**platforms), here, wanted).name == chosen


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (None, r"no variant for arch aarch64; it has a \(arch x86_64\); b \(arch x86_64, comp"),
        ("b", "no variant 'b' for arch aarch64"),
        ("c", "no variant 'c'"),
    ],
)
def test_a_refusal_says_what_there_is(wanted: str | None, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        variant_for(manifest(a=X86, b=HERE), Platform(arch="aarch64"), wanted)


def test_an_engine_runs_on_its_own_capability_only() -> None:
    other = Platform(arch="x86_64", compute_capability="9.0")
    assert contradictions(ENGINE, other) == ["computeCapability"]
    assert contradictions(ENGINE, X86) == ["computeCapability"]
    assert contradictions(ENGINE, HERE) == []


def test_this_machine_says_its_architecture() -> None:
    assert this_platform().arch
