"""TrainingRun: train this architecture on this dataset with these hyperparameters."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.attempts import Attempts
from sealyard.api.compute_profile import (
    DEFAULT_CPU,
    DEFAULT_MEMORY,
    DEFAULT_SHARED_MEMORY,
    GpuCount,
    NodeCount,
)
from sealyard.api.conditions import Condition
from sealyard.api.dataset import (
    ClaimSource,
    DatasetPlace,
    DatasetSpec,
    DatasetStatus,
    PinnedSnapshot,
)
from sealyard.api.digests import build_input_hash
from sealyard.api.kind import CustomResource, PrinterColumn, immutable, ready_message, rules
from sealyard.api.model import (
    LocalObjectReference,
    Model,
    Name,
    ObjectName,
    Quantity,
    RelativePath,
    Sha256,
    Timestamp,
    says,
)
from sealyard.api.s3 import S3Workspace
from sealyard.api.tracking import TrackingSpec

TrainingRunPhase = Literal["Pending", "Queued", "Running", "Suspended", "Succeeded", "Failed"]


class ModelScale(Model):
    """Multipliers on the architecture's own size; 0.25 of `yolo11n` is a quarter of its width."""

    depth: Annotated[float, Field(gt=0, le=2)] | None = Field(
        default=None, description="How often its blocks repeat."
    )
    width: Annotated[float, Field(gt=0, le=2)] | None = Field(
        default=None, description="How many channels it has."
    )


class WeightsClaim(Model):
    """A checkpoint in a PersistentVolumeClaim of the same namespace."""

    claim_name: ObjectName
    path: RelativePath = Field(description="The file in the volume: a .pt of ultralytics.")
    sha256: Annotated[Sha256, says("must be a SHA-256: 64 hexadecimal digits in lower case")] = (
        Field(description="Of the file; another one is refused.")
    )


class WeightsSource(Model):
    """What training starts from: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have either a trainingRunRef or a persistentVolumeClaim": (
                    "has(self.trainingRunRef) != has(self.persistentVolumeClaim)"
                )
            }
        )
    )

    training_run_ref: LocalObjectReference | None = Field(
        default=None,
        description="An earlier TrainingRun: its best.pt. One that is not done yet is waited for.",
    )
    persistent_volume_claim: WeightsClaim | None = None


class ModelSpec(Model):
    """What is trained."""

    architecture: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*\.yaml$", max_length=64),
        says("must be the file name of an architecture: yolo11n.yaml, say"),
    ] = Field(
        description="A detection architecture that ships with ultralytics: yolo11n.yaml, say. "
        "With `weights` it must be theirs, and so must the scale."
    )
    scale: ModelScale | None = None
    weights: WeightsSource | None = Field(
        default=None,
        description="A trained model to fine-tune; without one, training starts from scratch. "
        "Classes may be others.",
    )


class Hyperparameters(Model):
    """The usual knobs; everything else that ultralytics knows goes into `extra`."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=100, description="How often it sees every picture."
    )
    image_size: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = Field(
        default=640, description="The side in pixels that pictures are brought to."
    )
    batch: Annotated[int, Field(ge=1, le=65_536)] = Field(
        default=16, description="How many pictures a step takes."
    )
    seed: Annotated[int, Field(ge=0, le=2_147_483_647)] = Field(
        default=0, description="What chance starts from."
    )
    patience: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=100,
        description="Epochs without a better result after which it stops early; 0 means never.",
    )
    optimizer: Literal["auto", "SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSProp"] = Field(
        default="auto", description="`auto` lets ultralytics choose optimizer and learning rate."
    )
    extra: Annotated[dict[str, Any], Field(max_length=64)] | None = Field(
        default=None,
        description="Further ultralytics training arguments by name; unknown ones are refused.",
    )


class ComputeSpec(Model):
    """What the training pod asks of its node. What is not set comes from the ComputeProfile."""

    gpus: GpuCount | None = Field(
        default=None,
        description="Of the pod, each with a process of its own. 0 trains on the CPU; so does a "
        "run without a profile.",
    )
    nodes: NodeCount | None = Field(
        default=None,
        description="How many pods train together, each with all of the rest. More than one needs "
        "JobSet in the cluster; claims that it names must be ones that several nodes can mount.",
    )
    cpu: Quantity | None = Field(
        default=None,
        description=f"Requested; more is used where it is idle. {DEFAULT_CPU} without a profile.",
    )
    memory: Quantity | None = Field(
        default=None,
        description="Requested, and the limit; shared memory counts. "
        f"{DEFAULT_MEMORY} without a profile.",
    )
    shared_memory: Quantity | None = Field(
        default=None,
        description=f"The size of /dev/shm. {DEFAULT_SHARED_MEMORY} without a profile.",
    )


class WorkspaceSpec(Model):
    """Where checkpoints, curves and the trained model are kept: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have either a persistentVolumeClaim or an s3": (
                    "has(self.persistentVolumeClaim) != has(self.s3)"
                )
            }
        )
    )

    persistent_volume_claim: ClaimSource | None = None
    s3: S3Workspace | None = Field(
        default=None,
        description="Checkpoints are uploaded while training goes on, and fetched by the next "
        "attempt.",
    )

    @property
    def claim_name(self) -> str | None:
        """The claim that is mounted, if it is one."""
        claim = self.persistent_volume_claim
        return claim.claim_name if claim else None

    def folder(self, namespace: str, name: str) -> str:
        """An object's own folder, below the root of the volume or below the store's folder.

        Several namespaces may name one folder in a store, so there each has its own in it.
        """
        claim = self.persistent_volume_claim
        if claim is None:
            return f"{namespace}/{name}"
        return f"{claim.path}/{name}" if claim.path else name


class TrainingRunSpec(Model):
    """What the user wants trained."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                immutable("model"),
                immutable("dataset"),
                immutable("hyperparameters"),
                immutable("workspace"),
            ]
        }
    )

    model: ModelSpec
    dataset: DatasetSpec
    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)
    profile_ref: LocalObjectReference | None = Field(
        default=None,
        description="A ComputeProfile; the one that is the default where none is given.",
    )
    compute: ComputeSpec = Field(default_factory=ComputeSpec)
    workspace: WorkspaceSpec
    tracking: TrackingSpec | None = Field(
        default=None, description="May change; the next attempt heeds it."
    )
    queue_name: Name | None = Field(
        default=None,
        description="A LocalQueue of Kueue in the same namespace: each attempt waits until it is "
        "admitted there.",
    )
    suspend: bool = Field(
        default=False,
        description="Ends the pod; false goes on from the last epoch that it has kept.",
    )
    backoff_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3,
        description="How many attempts may fail and be followed by another. What waits for "
        "somebody else (a missing Secret, a remote that is down) does not count.",
    )
    active_deadline_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = Field(
        default=None,
        description="From the first attempt to the end of the last, waiting included; counted anew "
        "once it was suspended, and each time that its queue admitted it.",
    )
    progress_deadline_seconds: Annotated[int, Field(ge=60, le=604_800)] | None = Field(
        default=None,
        description="How long a pod that runs may report nothing before it is ended, which counts "
        "as a failure. It reports while it fetches checkpoints and pictures, looks at these, "
        "trains, validates, makes the report and uploads.",
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="How long a finished Job stays; the TrainingRun always stays."
    )

    def build_input_hash(self) -> str:
        """The hash over what decides the result, and so over the workspace folder."""
        return build_input_hash(self.model, self.dataset, self.hyperparameters)


class Metrics(Model):
    """Validation figures of one checkpoint, each between 0 and 1."""

    map50: float | None = None
    map50_95: float | None = Field(default=None, alias="map50_95")
    precision: float | None = None
    recall: float | None = None


class Progress(Model):
    """How far the training is. Written by the progress endpoint until the run ends."""

    epoch: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    percent: Annotated[int, Field(ge=0, le=100)]
    eta_seconds: Annotated[int, Field(ge=0)] | None = None
    metrics: Metrics | None = None
    updated_at: Timestamp


class Artifact(Model):
    """A file that the run left in its workspace."""

    name: Annotated[str, StringConstraints(max_length=128)]
    path: RelativePath = Field(description="Below the workspace's root.")
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class PinnedWeights(Model):
    """The file that a run is fine-tuned from, as it was found before the first attempt."""

    claim_name: ObjectName | None = None
    s3: S3Workspace | None = Field(
        default=None, description="The workspace that has it, where that is no claim."
    )
    path: RelativePath = Field(description="Below the root of the claim's volume, or in s3.")
    sha256: Sha256
    training_run: ObjectName | None = Field(
        default=None, description="The TrainingRun that made it, where the spec names one."
    )
    training_run_uid: Annotated[str, StringConstraints(max_length=64)] | None = None

    @property
    def place(self) -> str:
        """What has it, for messages."""
        return f"claim {self.claim_name}" if self.s3 is None else self.s3.uri

    def to_patch(self) -> dict[str, Any]:
        """For a merge patch: what it has not is taken out of a status that has it."""
        return dict.fromkeys(("claimName", "s3")) | self.to_wire()


class ComputeStatus(Model):
    """What the pod of the newest attempt was given."""

    profile: ObjectName | None = Field(
        default=None, description="The ComputeProfile that it came from, if any."
    )
    nodes: int | None = Field(default=None, description="How many, where it is not one.")
    gpus: Annotated[int, Field(ge=0)]
    cpu: Quantity
    memory: Quantity
    shared_memory: Quantity


class JobRef(Model):
    """The Job of the newest attempt, or the JobSet where several nodes train."""

    name: ObjectName
    uid: Annotated[str, StringConstraints(max_length=64)]


class TrainingRunStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    phase: TrainingRunPhase | None = None
    progress: Progress | None = None
    attempts: int | None = None
    resumed_from_epoch: int | None = Field(
        default=None,
        description="The epoch whose checkpoint the newest attempt went on from, if it did not "
        "begin anew.",
    )
    start_time: Timestamp | None = None
    completion_time: Timestamp | None = None
    artifacts: Annotated[list[Artifact], Field(max_length=16)] | None = None
    snapshot: PinnedSnapshot | None = None
    dataset: DatasetStatus | None = None
    weights: PinnedWeights | None = None
    image: Annotated[str, StringConstraints(max_length=512)] | None = None
    compute: ComputeStatus | None = None
    job_ref: JobRef | None = None
    tasks: Annotated[list[Attempts], Field(max_length=4)] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    summary: dict[str, Annotated[str, StringConstraints(max_length=128)]] | None = None


class TrainingRun(CustomResource):
    """Trains one detection model, in as many attempts as it takes."""

    KIND: ClassVar[str] = "TrainingRun"
    PLURAL: ClassVar[str] = "trainingruns"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("tr",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("Progress", ".status.summary.progress"),
        PrinterColumn("ETA", ".status.summary.eta"),
        PrinterColumn("mAP50-95", ".status.summary.map50_95"),
        PrinterColumn("Epoch", ".status.summary.epoch", wide=True),
        PrinterColumn("Attempts", ".status.attempts", type="integer", wide=True),
        PrinterColumn("GPUs", ".status.compute.gpus", type="integer", wide=True),
        PrinterColumn("Queue", ".spec.queueName", wide=True),
        PrinterColumn("Profile", ".status.compute.profile", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: TrainingRunSpec
    status: TrainingRunStatus = Field(default_factory=TrainingRunStatus)

    @property
    def dataset_place(self) -> DatasetPlace:
        """Where its dataset lies, or what it is made of, once that is pinned."""
        snapshot = self.status.snapshot
        return snapshot.storage if snapshot else self.spec.dataset

    @property
    def workspace_path(self) -> str:
        """The run's own folder below its workspace's root."""
        return self.spec.workspace.folder(
            self.metadata.namespace, f"{self.metadata.name}-{self.spec.build_input_hash()}"
        )
