"""What the platform team configures once per cluster, as far as decisions depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sealyard.api.compute_profile import DEFAULT_GPU_RESOURCE
from sealyard.api.tasks import ProgressEndpoint


@dataclass(frozen=True, slots=True)
class Images:
    """The image of each program. The courier's and the router's come from here only, never from a
    custom resource; a ComputeProfile may name another trainer and exporter."""

    trainer: str
    exporter: str
    courier: str
    router: str


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What a pod gets beside its task: of the operator's configuration, and of a ComputeProfile."""

    run_as_user: int = 65532
    run_as_group: int = 65532
    fs_group: int = 65532
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: str = "IfNotPresent"
    gpu_resource: str = DEFAULT_GPU_RESOURCE
    labels: dict[str, str] = field(default_factory=dict)
    """Beside ours, which win."""
    annotations: dict[str, str] = field(default_factory=dict)
    """The same."""
    placement: dict[str, Any] = field(default_factory=dict)
    """Fields of the pod's spec in wire form that say where and as what it runs: `nodeSelector`,
    `tolerations`, `affinity`, and the classes and the account by name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's configuration."""

    images: Images
    progress: ProgressEndpoint | None = None
    reachable_since: datetime | None = None
    """When this operator began: before that nobody could report to it."""
    pods: PodSettings = field(default_factory=PodSettings)
    release_backoff_limit: int = 3
    """How many ends of a Job of a release or target may count before the work is given up."""
    release_ttl_seconds_after_finished: int = 3600
    """How long a finished Job of a release or target stays."""
    failed_release_retention_seconds: int = 86_400
    """How long the plaintext exports of a Failed release stay, so that reopening it is cheap."""
