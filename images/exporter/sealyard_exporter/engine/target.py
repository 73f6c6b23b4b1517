"""Which GPU an engine is built for, and whether the one in the pod is of that kind."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sealyard.api.model_release import VariantSpec
from sealyard.errors import InvalidError, MissingError


@dataclass(frozen=True, slots=True)
class Machine:
    """What the pod has."""

    arch: str
    """Of its processor, as `uname -m` says it."""
    capability: str | None
    """The compute capability of its GPU, if it has one: `8.6`."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an engine is built for."""

    arch: str
    capability: str
    is_here: bool
    """Whether the pod's own GPU is of that kind, so that the engine can be run and judged."""


def target_of(
    variant: VariantSpec, machine: Machine, known: Collection[str], *, library: str
) -> Target:
    """Decide it.

    Args:
        variant: of the format of an engine.
        machine: the pod.
        known: the compute capabilities that the library builds for from elsewhere; none where it
            only builds for the GPU that it runs on.
        library: its name and version, for messages.

    Raises:
        MissingError: a GPU is needed and there is none.
        InvalidError: the library does not build for what the variant names.
    """
    where = f"spec.variants[{variant.name}].platform"
    wanted = variant.platform
    if wanted and wanted.arch not in (None, machine.arch):
        raise InvalidError(
            f"{where}.arch: {wanted.arch}, and the exporter runs on {machine.arch}; an engine is "
            "built where it is to run: name a profile with such nodes in spec.profileRef"
        )
    if variant.needs_gpu and machine.capability is None:
        raise MissingError(
            f"spec.variants[{variant.name}].format: {variant.format} is built on a GPU, and "
            "PyTorch finds none in the pod; the node's driver, or the image, does not fit"
        )
    capability = (wanted.compute_capability if wanted else None) or machine.capability
    if capability is None:
        raise InvalidError(
            f"{where}.computeCapability: must be named, as there is no GPU to take it from"
        )
    own = variant.needs_gpu and capability == machine.capability
    if not own and capability not in known:
        offered = ", ".join(sorted(known, key=as_number)) or "that of the GPU in the pod alone"
        raise InvalidError(
            f"{where}.computeCapability: {capability} is none that {library} builds for, which "
            f"are: {offered}"
        )
    return Target(machine.arch, capability, is_here=capability == machine.capability)


def as_number(capability: str) -> tuple[int, ...]:
    """To compare by: 12.0 comes after 8.9."""
    return tuple(int(part) for part in capability.split("."))
