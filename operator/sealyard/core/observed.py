"""Observed: one frozen look at everything a decision may depend on, gathered from the caches."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.device import Device
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import NamedRelease, ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.api.training_run import TrainingRun
from sealyard.core.roster import DeviceEntry, Naming, Roster, Share, TargetEntry


@dataclass(frozen=True, slots=True)
class ObservedEnd:
    """How a container ended that the kubelet starts again."""

    exit_code: int
    reason: str | None = None
    """As `ObservedPod.termination_reason`."""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """The newest pod of a Job or Deployment, trimmed to what decides."""

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
    started_at: datetime | None = None
    """When the container that runs began to."""
    ended_at: datetime | None = None
    """When its container did."""
    index: int = 0
    """Which of several pods that train together it is; the first is 0."""
    deleted_by: datetime | None = None
    """When it has to be gone, grace included, once somebody deleted it."""
    disrupted: bool = False
    """The pod carries the condition DisruptionTarget: preempted, evicted, drained."""
    ready: bool = False
    """Its container says that it does its work."""
    created_at: datetime | None = None
    applied: str | None = None
    """The digest of the template that it was made from, where that has one."""
    last_end: ObservedEnd | None = None
    """Of the container before the one that runs, or is about to."""


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job with our labels, or a JobSet, trimmed to what decides."""

    namespace: str
    name: str
    uid: str
    owner_uid: str
    role: Role
    variant: str
    """Which of several pieces of work of one role: the name of a variant, the generation of a
    rewrap, or the beginning of the digest of its input; empty for roles that have one."""
    attempt: int
    created_at: datetime
    state: Literal["Active", "Complete", "Failed"]
    finished_at: datetime | None = None
    failure_reason: str | None = None
    """The reason of the Job's Failed condition: `PodFailurePolicy`, `BackoffLimitExceeded`, …"""
    deleted_at: datetime | None = None
    """When somebody deleted it; it stays until its pods have ended."""
    suspended: bool = False
    """Its spec.suspend, which is Kueue's to set in a queue: it has no pod, or is to lose it."""
    queue: str | None = None
    """The LocalQueue that its label names."""
    begun_at: datetime | None = None
    """When Kubernetes began with it: anew each time that it was admitted, None while suspended."""
    image: str | None = None
    """That its pod is to run."""
    is_set: bool = False
    """It is a JobSet, and has several pods."""
    pod: ObservedPod | None = None

    @property
    def deleting(self) -> bool:
        """Whether somebody deleted it."""
        return self.deleted_at is not None

    @property
    def kind(self) -> str:
        """As what a user finds it."""
        return "JobSet" if self.is_set else "Job"


@dataclass(frozen=True, slots=True)
class ObservedDeployment:
    """A Deployment that an object owns, trimmed to what decides."""

    name: str
    applied: str | None
    """The digest of what was applied."""
    replicas: int
    """As its spec has it, whoever wrote that."""
    trouble: str | None = None
    """Why it cannot create a pod, if it says so."""
    pod: ObservedPod | None = None
    """The newest, if any."""


@dataclass(frozen=True, slots=True)
class ObservedClaim:
    """A PersistentVolumeClaim that an object names."""

    name: str
    access_modes: tuple[str, ...]
    phase: str
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class ClaimUse:
    """A Job that has not ended, or is being created, and the claims that its pods mount."""

    owner_uid: str
    kind: str
    """`Job` or `JobSet`."""
    name: str
    workspace: str | None
    """The claim that it writes to, if that is one."""
    claims: frozenset[str]
    """All of them."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """The ComputeProfiles that an object may use."""

    named: ComputeProfile | None = None
    """The one in its spec.profileRef, if it exists."""
    defaults: tuple[ComputeProfile, ...] = ()
    """Those that are marked as the default, where it names none."""


@dataclass(frozen=True, slots=True)
class TrainingRunObserved:
    """What a TrainingRun's decisions depend on."""

    run: TrainingRun
    jobs: tuple[ObservedJob, ...] = ()
    """The run's own Jobs (by owner uid)."""
    claims: tuple[ObservedClaim, ...] = ()
    """Those that exist among the claims that the run names, or its source."""
    foreign_jobs: tuple[str, ...] = ()
    """Names of Jobs that the run would use and somebody else owns."""
    profiles: Profiles = Profiles()
    source: TrainingRun | None = None
    """The run that it names to be fine-tuned from, if that exists."""
    route: AnnotationRoute | None = None
    """The AnnotationRoute whose annotations it is to be trained on, if that exists."""
    job_sets: bool = False
    """JobSet is installed in the cluster."""
    uses: tuple[ClaimUse, ...] = ()
    """The Jobs of other objects that have one of the claims."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the last signed index says of a release, as far as it is known."""

    listed: bool = False
    withdrawn: bool = False
    channels: tuple[str, ...] = ()
    """Those that name it."""
    is_remembered: bool = False
    """A channel says that it names it, or named it last: without its object that would count."""


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
    listing: Listing = Listing()
    namespace_ends: bool = False
    """The namespace is being deleted. Looked up only where the release is, too."""
    profiles: Profiles = Profiles()
    uses: tuple[ClaimUse, ...] = ()
    """The Jobs of other objects that have one of the claims."""


@dataclass(frozen=True, slots=True)
class ReleaseTargetObserved:
    """What a ReleaseTarget's decisions depend on."""

    target: ReleaseTarget
    jobs: tuple[ObservedJob, ...] = ()
    foreign_jobs: tuple[str, ...] = ()
    roster: Roster = field(default_factory=Roster)
    """What follows it. Changes of the last two seconds may be missing."""
    supplied: frozenset[str] = frozenset()
    """The uids of Jobs whose input is known to lie in the cluster."""


@dataclass(frozen=True, slots=True)
class ReleaseChannelObserved:
    """What a ReleaseChannel's decisions depend on."""

    channel: ReleaseChannel
    target: TargetEntry | None = None
    owner: str | None = None
    """The name of an older channel of the same model, name and target."""
    naming: Naming = field(default_factory=lambda: Naming(is_valid=True))
    listed: NamedRelease | None = None
    """What the signed index says, as far as it is known: what the status says, if it is not."""
    withdrawn: frozenset[str] = frozenset()
    """Versions of which the status speaks, and that the signed index takes out."""
    devices: int = 0


@dataclass(frozen=True, slots=True)
class DeviceObserved:
    """What a Device's decisions depend on."""

    device: Device
    entry: DeviceEntry | None
    """What others are told of it; none where its keys are no good."""
    target: TargetEntry | None = None
    owner: str | None = None
    """The name of an older Device of the same id and target."""
    share: Share | None = None
    """What the last grant Job that succeeded was told of it, as far as that is known."""
    is_settled: bool = False
    """No grant Job after that one can have said anything else of it: neither one that failed, nor
    one that runs or is being created."""
    namespace_ends: bool = False
    """The namespace is being deleted; looked up only where the device is, too."""


@dataclass(frozen=True, slots=True)
class AnnotationRouteObserved:
    """What an AnnotationRoute's decisions depend on."""

    route: AnnotationRoute
    deployment: ObservedDeployment | None = None
    claims: tuple[ObservedClaim, ...] = ()
    """Its storage's, if it is on one that exists."""
    owner: str | None = None
    """The name of an older route that files into the same storage."""
    foreign: tuple[str, ...] = ()
    """Names of Deployments that it would use and somebody else owns."""
