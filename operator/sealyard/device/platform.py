"""For which variants this machine is fit, and the choice among those of a release."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from typing import Final

from sealyard.device.level import LevelName
from sealyard.errors import InvalidError
from sealyard.sealing.manifest import FormatName, Manifest, Platform, Variant

_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_SECONDS: Final = 20.0


def this_platform() -> Platform:
    """What can be told of this machine: its architecture, and its GPU's compute capability.

    The capability is what NVIDIA's driver says; with several GPUs the lowest, for which a model
    runs on each of them.
    """
    machine = platform.machine().lower()
    return Platform(
        arch=_ARCHITECTURES.get(machine, machine) or None,
        compute_capability=_compute_capability(),
    )


def sealing_for(level: LevelName) -> FormatName:
    """The format that a device of this level is granted, and opens."""
    return "aes-256-cbc-v1" if level == "legacy" else "sealed-v2"


def variant_for(
    manifest: Manifest, here: Platform, wanted: str | None, *, sealing: FormatName
) -> Variant:
    """The variant to open on a machine.

    Of those that are fit, the one that says most about the platform it was made for, and among
    equals the first by name.

    Args:
        manifest: of the release.
        here: what is known of the machine.
        wanted: the name of a variant, which then need only be there and not contradict.
        sealing: the format that the machine opens.

    Raises:
        InvalidError: none is fit; says what there is.
    """
    there = sorted(manifest.predicate.variants, key=lambda variant: variant.name)
    fit = [
        variant
        for variant in there
        if wanted in {None, variant.name}
        and variant.sealing.format == sealing
        and not contradictions(variant.platform, here)
    ]
    if fit:
        return max(fit, key=lambda variant: len(_said(variant.platform)))
    release = f"{manifest.predicate.model} {manifest.predicate.version}"
    offered = "; ".join(
        f"{variant.name} ({_words(variant.platform)}, {variant.sealing.format})"
        for variant in there
    )
    asked = f"no variant {wanted!r}" if wanted else "no variant"
    raise InvalidError(f"{release} has {asked} for {_words(here)} in {sealing}; it has {offered}")


def contradictions(made_for: Platform, here: Platform) -> list[str]:
    """In what a variant's platform is another one than the machine's.

    A GPU's engine runs on the capability that it was built for; a variant that names none runs
    anywhere. What is not known of the machine contradicts what a variant demands, but for the
    runtime, which an application brings along.
    """
    told = _said(here)
    return [
        name
        for name, value in _said(made_for).items()
        if told.get(name, value if name.startswith("runtime") else None) != value
    ]


def _said(said: Platform) -> dict[str, str]:
    return said.model_dump(by_alias=True, exclude_none=True)


def _words(said: Platform) -> str:
    return ", ".join(f"{name} {value}" for name, value in _said(said).items()) or "any platform"


def _compute_capability() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no argument from outside
            [program, "--query-gpu=compute_cap", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.findall(r"^([0-9]{1,2}\.[0-9])$", done.stdout, re.MULTILINE)
    return min(found, key=lambda text: [int(part) for part in text.split(".")], default=None)
