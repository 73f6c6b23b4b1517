"""What comes of a ComputeProfile, of what a run asks for, and of the operator's configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealyard.api.compute_profile import (
    DEFAULT_CPU,
    DEFAULT_MEMORY,
    DEFAULT_SHARED_MEMORY,
    ComputeProfile,
)
from sealyard.api.training_run import ComputeSpec, ComputeStatus
from sealyard.core.settings import Images, PodSettings, Settings

NO_PLACEMENT = {"labels", "annotations", "image_pull_secrets"}
"""The fields of a profile's pod that do not stand in a pod's spec as they are."""


@dataclass(frozen=True, slots=True)
class Compute:
    """What the pods of a run or release are given."""

    profile: str | None
    """The name of the ComputeProfile, if there is one."""
    images: Images
    pods: PodSettings
    nodes: int
    """How many pods get all of this."""
    gpus: int
    least_gpus: int
    """What a pod gets that uses none if it can do without."""
    cpu: str
    memory: str
    shared_memory: str
    memory_field: str
    """Where somebody has to write that it shall be more."""

    @property
    def status(self) -> ComputeStatus:
        """As the status of a run shows it."""
        return ComputeStatus(
            profile=self.profile,
            nodes=self.nodes if self.nodes > 1 else None,
            gpus=self.gpus,
            cpu=self.cpu,
            memory=self.memory,
            shared_memory=self.shared_memory,
        )


def merge(profile: ComputeProfile | None, wanted: ComputeSpec, settings: Settings) -> Compute:
    """What is wanted, else what the profile says, else what the operator's configuration does.

    Args:
        profile: if there is one to use.
        wanted: the profile allows it.
        settings: the operator's configuration.
    """
    if profile is None:
        return Compute(
            profile=None,
            images=settings.images,
            pods=settings.pods,
            nodes=wanted.nodes or 1,
            gpus=wanted.gpus or 0,
            least_gpus=0,
            cpu=wanted.cpu or DEFAULT_CPU,
            memory=wanted.memory or DEFAULT_MEMORY,
            shared_memory=wanted.shared_memory or DEFAULT_SHARED_MEMORY,
            memory_field="spec.compute.memory",
        )
    spec, name = profile.spec, profile.metadata.name
    default_gpus = spec.gpus.default if spec.gpus else 0
    return Compute(
        profile=name,
        images=replace(
            settings.images,
            trainer=spec.images.trainer or settings.images.trainer,
            exporter=spec.images.exporter or settings.images.exporter,
        ),
        pods=pods_of(profile, settings.pods),
        nodes=wanted.nodes or 1,
        gpus=default_gpus if wanted.gpus is None else wanted.gpus,
        least_gpus=spec.gpus.min if spec.gpus else 0,
        cpu=wanted.cpu or spec.cpu.default,
        memory=wanted.memory or spec.memory.default,
        shared_memory=wanted.shared_memory or spec.shared_memory.default,
        memory_field=(
            "spec.compute.memory"
            if "memory" in spec.overridable
            else f"spec.memory.default of ComputeProfile {name}"
        ),
    )


def pods_of(profile: ComputeProfile, pods: PodSettings) -> PodSettings:
    """What every pod gets, and what the profile adds to it."""
    spec = profile.spec
    secrets = [reference.name for reference in spec.pod.image_pull_secrets or []]
    return replace(
        pods,
        gpu_resource=spec.gpus.resource if spec.gpus else pods.gpu_resource,
        image_pull_secrets=tuple(dict.fromkeys((*pods.image_pull_secrets, *secrets))),
        labels=spec.pod.labels or {},
        annotations=spec.pod.annotations or {},
        placement=spec.pod.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude=NO_PLACEMENT
        ),
    )
