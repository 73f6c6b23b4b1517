"""Which variant of a release is fit for a machine."""

from __future__ import annotations

import pytest

from sealyard.device.level import LevelName
from sealyard.device.platform import contradictions, sealing_for, this_platform, variant_for
from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.manifest import Manifest, Platform
from support.releases import LEGACY, SEALED, sample
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
    assert variant_for(manifest(**platforms), here, wanted, sealing=V2).name == chosen


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (None, r"no variant for arch aarch64 in sealed-v2; it has a \(arch x86_64, sealed-v2\); b"),
        ("b", "no variant 'b' for arch aarch64"),
        ("c", "no variant 'c'"),
    ],
)
def test_a_refusal_says_what_there_is(wanted: str | None, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        variant_for(manifest(a=X86, b=HERE), Platform(arch="aarch64"), wanted, sealing=V2)


@pytest.mark.parametrize(
    ("level", "chosen"),
    [("fingerprint", SEALED), ("keystore", SEALED), ("tpm2", SEALED), ("legacy", LEGACY)],
)
def test_a_level_has_one_format(level: LevelName, chosen: str) -> None:
    made, sealing = sample().manifest, sealing_for(level)
    assert variant_for(made, X86, None, sealing=sealing).name == chosen
    other = SEALED if chosen == LEGACY else LEGACY
    with pytest.raises(InvalidError, match=f"no variant '{other}' for arch x86_64 in {sealing}"):
        variant_for(made, X86, other, sealing=sealing)


def test_an_engine_runs_on_its_own_capability_only() -> None:
    other = Platform(arch="x86_64", compute_capability="9.0")
    assert contradictions(ENGINE, other) == ["computeCapability"]
    assert contradictions(ENGINE, X86) == ["computeCapability"]
    assert contradictions(ENGINE, HERE) == []


def test_this_machine_says_its_architecture() -> None:
    assert this_platform().arch
