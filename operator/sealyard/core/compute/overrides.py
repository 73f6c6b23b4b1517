"""What a run asks for and its ComputeProfile does not allow."""

from __future__ import annotations

from collections.abc import Iterator

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.training_run import ComputeSpec
from sealyard.core.compute.quantity import amount


def refusals(profile: ComputeProfile, wanted: ComputeSpec) -> list[str]:
    """One line for each field: its name, its value, and what would be right."""
    return [
        *_gpus(profile, wanted.gpus),
        *_nodes(profile, wanted.nodes),
        *_amounts(profile, wanted),
    ]


def _gpus(profile: ComputeProfile, wanted: int | None) -> Iterator[str]:
    gpus = profile.spec.gpus
    default, least, most = (gpus.default, gpus.min, gpus.max) if gpus else (0, 0, 0)
    if wanted is None or wanted == default:
        return
    said, name = f"spec.compute.gpus: {wanted}", profile.metadata.name
    if "gpus" not in profile.spec.overridable:
        yield _not_yours(said, name, str(default))
    elif wanted > most:
        yield _too_much(said, name, str(most))
    elif wanted < least:
        yield f"{said} is less than ComputeProfile {name} asks for: {least} at least"


def _nodes(profile: ComputeProfile, wanted: int | None) -> Iterator[str]:
    most = profile.spec.max_nodes
    if wanted is not None and wanted > most:
        yield _too_much(f"spec.compute.nodes: {wanted}", profile.metadata.name, str(most))


def _amounts(profile: ComputeProfile, wanted: ComputeSpec) -> Iterator[str]:
    spec, name = profile.spec, profile.metadata.name
    for field, value, allowed in (
        ("cpu", wanted.cpu, spec.cpu),
        ("memory", wanted.memory, spec.memory),
        ("sharedMemory", wanted.shared_memory, spec.shared_memory),
    ):
        if value is None or amount(value) == amount(allowed.default):
            continue
        said = f"spec.compute.{field}: {value}"
        if field not in spec.overridable:
            yield _not_yours(said, name, allowed.default)
        elif allowed.max is not None and amount(value) > amount(allowed.max):
            yield _too_much(said, name, allowed.max)


def _not_yours(said: str, profile: str, default: str) -> str:
    return (
        f"{said} is not for a run to choose with ComputeProfile {profile}: leave the field out, "
        f"which gives {default}"
    )


def _too_much(said: str, profile: str, most: str) -> str:
    return f"{said} is more than ComputeProfile {profile} allows: {most} at most"
