"""Observed: one frozen look at everything a decision may depend on, gathered from the caches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sealyard.api.model_release import ModelRelease
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.api.training_run import TrainingRun


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """The newest pod of a Job, trimmed to what decides."""

    name: str
    uid: str
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
    node: str | None = None
    image_id: str | None = None
    """The digest reference of the container that ran, as the node reports it."""
    exit_code: int | None = None
    termination_reason: str | None = None
    """`OOMKilled`, `Error`, `Completed`, `StartError` and the like, of the container `main`."""
    termination_message: str | None = None
    waiting_reason: str | None = None
    """`ImagePullBackOff`, `CreateContainerConfigError`, `Unschedulable` and the like."""
    waiting_message: str | None = None
    disrupted: bool = False
    """The pod carries the condition DisruptionTarget: preempted, evicted, drained."""


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job with our labels, trimmed to what decides."""

    namespace: str
    name: str
    uid: str
    owner_uid: str
    role: Role
    variant: str
    """Which of several pieces of work of one role: the name of a variant, or the generation of a
    rewrap; empty for roles that have one."""
    attempt: int
    created_at: datetime
    state: Literal["Active", "Complete", "Failed"]
    finished_at: datetime | None = None
    failure_reason: str | None = None
    """The reason of the Job's Failed condition: `PodFailurePolicy`, `BackoffLimitExceeded`, …"""
    deleting: bool = False
    pod: ObservedPod | None = None


@dataclass(frozen=True, slots=True)
class ObservedClaim:
    """A PersistentVolumeClaim that an object names."""

    name: str
    access_modes: tuple[str, ...]
    phase: str
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class TrainingRunObserved:
    """What a TrainingRun's decisions depend on."""

    run: TrainingRun
    jobs: tuple[ObservedJob, ...] = ()
    """The run's own Jobs (by owner uid)."""
    claims: tuple[ObservedClaim, ...] = ()
    """Those that exist among the claims that the run names."""
    foreign_jobs: tuple[str, ...] = ()
    """Names of Jobs that the run would use and somebody else owns."""


@dataclass(frozen=True, slots=True)
class ModelReleaseObserved:
    """What a ModelRelease's decisions depend on."""

    release: ModelRelease
    run: TrainingRun | None = None
    """The TrainingRun that the release names, if it exists."""
    target: ReleaseTarget | None = None
    jobs: tuple[ObservedJob, ...] = ()
    claims: tuple[ObservedClaim, ...] = ()
    namesakes: tuple[ModelRelease, ...] = ()
    """Other releases of the same namespace with the same model, version and target."""
    foreign_jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseTargetObserved:
    """What a ReleaseTarget's decisions depend on."""

    target: ReleaseTarget
    jobs: tuple[ObservedJob, ...] = ()
    foreign_jobs: tuple[str, ...] = ()
