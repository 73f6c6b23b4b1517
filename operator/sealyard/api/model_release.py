"""ModelRelease: release this run as version V, in these variants, to this target."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.attempts import Attempts
from sealyard.api.conditions import Condition
from sealyard.api.dataset import ClaimSource
from sealyard.api.digests import spec_hash
from sealyard.api.kind import CustomResource, PrinterColumn, immutable, ready_message, rules
from sealyard.api.model import (
    EndTime,
    LocalObjectReference,
    Model,
    Name,
    ObjectName,
    RelativePath,
    SemVer,
    Sha256,
    Timestamp,
    says,
)
from sealyard.api.s3 import S3Workspace
from sealyard.api.training_run import Metrics, WorkspaceSpec

ModelReleasePhase = Literal[
    "Pending",
    "WaitingForTraining",
    "Exporting",
    "GateFailed",
    "Publishing",
    "Verifying",
    "Indexing",
    "Released",
    "Expired",
    "Revoked",
    "Failed",
]
VariantFormat = Literal["onnx", "tensorrt", "tensorrt-rtx"]
Precision = Literal["fp32", "fp16", "int8"]
FiguresOf = Literal["file", "onnx"]
GateMetric = Literal["map50", "map50_95", "precision", "recall", "maxDifference"]
SealingFormatName = Literal["sealed-v2", "aes-256-cbc-v1"]


class ReleaseSource(Model):
    """What is released."""

    training_run_ref: LocalObjectReference


ComputeCapability = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]?\.[0-9]$", max_length=16),
    says('must be what `nvidia-smi --query-gpu=compute_cap` says, in quotes: "8.6"'),
]


class PlatformSpec(Model):
    """The machines that a variant is for; others are offered the next one that fits them."""

    arch: Literal["x86_64", "aarch64"] | None = Field(
        default=None, description="Of the processor; any where none is given."
    )
    compute_capability: ComputeCapability | None = Field(
        default=None, description="Of the GPU; any where none is given."
    )


class Platform(PlatformSpec):
    """The machines that an exported file runs on."""

    runtime: Annotated[str, StringConstraints(max_length=64)] | None = None
    runtime_version: Annotated[str, StringConstraints(max_length=64)] | None = None


class VariantSpec(Model):
    """One file of the release. No defaults here: in lists they drift under server-side apply."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must name platform.computeCapability with the format tensorrt-rtx: an engine is "
                "built for one": "self.format != 'tensorrt-rtx' || (has(self.platform) && "
                "has(self.platform.computeCapability))",
                "must not be dynamic in the format of an engine, which takes one size": "self."
                "format == 'onnx' || !has(self.dynamic) || !self.dynamic",
            }
        )
    )

    name: Name
    format: VariantFormat = Field(
        description="What kind of file it is. `tensorrt` is built on a GPU, for that kind of GPU; "
        "`tensorrt-rtx` on any machine, for the one that `platform` names."
    )
    precision: Precision = Field(
        description="Of its weights: `int8` is calibrated on the validation set."
    )
    image_size: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] | None = Field(
        default=None, description="The size in pixels that the model takes; the run's by default."
    )
    dynamic: bool | None = Field(
        default=None,
        description="Whether batch and image size may vary at run time; false by default.",
    )
    opset: Annotated[int, Field(ge=12, le=24)] | None = Field(
        default=None, description="The ONNX operator set; 18 by default."
    )
    platform: PlatformSpec | None = Field(
        default=None, description="The machines that it is for; all that can run it by default."
    )

    @property
    def is_engine(self) -> bool:
        """Whether it is built from an ONNX file for one kind of GPU."""
        return self.format != "onnx"

    @property
    def needs_gpu(self) -> bool:
        """Whether it can only be built on a GPU: TensorRT tries out what is fastest."""
        return self.format == "tensorrt"


class Gate(Model):
    """What each variant must reach, as its own exported file was measured."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.min) || has(self.max)",
                    "message": "must have a min, a max, or both",
                }
            ]
        }
    )

    metric: GateMetric = Field(
        description="A figure of the validation set, or the largest difference to the checkpoint."
    )
    min: float | None = Field(default=None, description="The least that passes.")
    max: float | None = Field(default=None, description="The most that passes.")


class SealingSpec(Model):
    """How the artifact is encrypted and split."""

    format: SealingFormatName = Field(
        default="sealed-v2",
        description="docs/format.md says what each is; `aes-256-cbc-v1` is for devices that "
        "know no other.",
    )


BUILD_INPUTS = {"model", "version", "source", "variants", "sealing", "target_ref"}
"""What decides the bytes. Gates decide only whether they go out."""


class ModelReleaseSpec(Model):
    """What the user wants released, and for how long. What decides the result may not change."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                immutable("model"),
                immutable("version"),
                immutable("source"),
                immutable("variants"),
                immutable("gates"),
                immutable("sealing"),
                immutable("targetRef"),
            ]
        }
    )

    model: Name
    version: SemVer
    source: ReleaseSource
    variants: Annotated[list[VariantSpec], Field(min_length=1, max_length=16)] = Field(
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    )
    gates: Annotated[list[Gate], Field(max_length=16)] = Field(
        default_factory=list,
        description="What every variant must reach, or the release ends as GateFailed and nothing "
        "of it leaves the cluster.",
    )
    sealing: SealingSpec = Field(default_factory=SealingSpec)
    target_ref: LocalObjectReference
    profile_ref: LocalObjectReference | None = Field(
        default=None,
        description="The ComputeProfile of the exports; the one that is the default where none is "
        "given.",
    )
    queue_name: Name | None = Field(
        default=None,
        description="A LocalQueue of Kueue in the same namespace, for the exports; what delivers "
        "them asks for no GPU and waits for nobody's.",
    )
    not_after: EndTime | None = Field(
        default=None,
        description="When the release expires: the signed index says so to devices, and lists it "
        "no longer. Where it has, no later time brings it back.",
    )
    revoked: bool = Field(
        default=False,
        description="Takes the release out of the signed index; channels fall back to what else "
        "matches. For ever.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self || !oldSelf",
                    "message": "cannot be taken back: release under a new version",
                }
            ]
        },
    )
    revocation_reason: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None, description="For people."
    )
    deletion_policy: Literal["Retain", "Withdraw"] = Field(
        default="Retain",
        description="What deleting this object does: with Retain what is listed stays listed; with "
        "Withdraw it is taken out of the signed index first.",
    )

    def build_input_hash(self) -> str:
        """The hash over what is immutable: what decides the result."""
        return spec_hash(
            self.model_dump(mode="json", by_alias=True, exclude_none=True, include=BUILD_INPUTS)
        )


class PartStatus(Model):
    """One of the two parts of a sealed artifact."""

    size_bytes: Annotated[int, Field(ge=0)]
    key: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="The object key on the CDN (big parts only)."
    )


class VariantStatus(Model):
    """What became of one variant."""

    name: Name
    phase: Literal["Pending", "Exporting", "Exported", "Published", "Verified", "Failed"]
    sha256: Sha256 | None = Field(default=None, description="Of the plaintext that was exported.")
    size_bytes: Annotated[int, Field(ge=0)] | None = None
    path: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="Of the plaintext export, below the workspace's root."
    )
    image_size: int | None = Field(default=None, description="In pixels, as exported.")
    max_difference: float | None = Field(
        default=None, description="The largest difference to the checkpoint's outputs."
    )
    metrics: Metrics | None = Field(
        default=None, description="Of the exported file, on the run's validation set."
    )
    figures_of: FiguresOf | None = Field(
        default=None,
        description="What `metrics` and `maxDifference` were measured on: the file itself, or the "
        "ONNX file that the engine was built from, where there was no such GPU to run it.",
    )
    platform: Platform | None = Field(default=None, description="Where it runs.")
    small: PartStatus | None = None
    big: PartStatus | None = None


class Lineage(Model):
    """Where the released model comes from."""

    training_run: str
    training_run_uid: str
    dataset_digest: Sha256
    image: str | None = None
    metrics: Metrics | None = None


class PinnedWorkspace(Model):
    """The workspace of the run, whatever becomes of the run: a claim, or a folder in a store."""

    claim_name: ObjectName | None = None
    path: RelativePath | None = None
    s3: S3Workspace | None = None

    @classmethod
    def of(cls, workspace: WorkspaceSpec) -> PinnedWorkspace:
        """As a run's spec has it."""
        claim = workspace.persistent_volume_claim
        if claim is None:
            return cls(s3=workspace.s3)
        return cls(claim_name=claim.claim_name, path=claim.path)

    @property
    def spec(self) -> WorkspaceSpec:
        """The same as a run's spec has it."""
        if self.claim_name is None:
            return WorkspaceSpec(s3=self.s3)
        claim = ClaimSource(claim_name=self.claim_name, path=self.path)
        return WorkspaceSpec(persistent_volume_claim=claim)

    def to_patch(self) -> dict[str, Any]:
        """For a merge patch: what it has not is taken out of a status that has it."""
        return dict.fromkeys(("claimName", "path", "s3")) | self.to_wire()


class PinnedTarget(Model):
    """Where the parts were put, whatever the target says by now."""

    name: str
    api_url: str
    cdn_endpoint: str
    bucket: str
    prefix: str


class ModelReleaseStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    phase: ModelReleasePhase | None = None
    variants: Annotated[list[VariantStatus], Field(max_length=16)] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    export_sha256: Sha256 | None = None
    manifest_sha256: Sha256 | None = None
    released_at: Timestamp | None = None
    verified_at: Timestamp | None = None
    trust: Literal["unsigned", "signed"] | None = Field(
        default=None,
        description="What vouches for the manifest: the signed index, or (unsigned) the release "
        "API's TLS alone.",
    )
    lineage: Lineage | None = None
    workspace: PinnedWorkspace | None = Field(
        default=None, description="Where the exports lie until the release is out."
    )
    target: PinnedTarget | None = None
    tasks: Annotated[list[Attempts], Field(max_length=20)] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    summary: dict[str, Annotated[str, StringConstraints(max_length=128)]] | None = None


class ModelRelease(CustomResource):
    """Exports, seals, publishes, verifies and lists one version of a model, once."""

    KIND: ClassVar[str] = "ModelRelease"
    PLURAL: ClassVar[str] = "modelreleases"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("mrel",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        PrinterColumn("Version", ".spec.version"),
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("Variants", ".status.summary.variants"),
        PrinterColumn("Size", ".status.summary.size"),
        PrinterColumn("Channels", ".status.summary.channels"),
        PrinterColumn("Trust", ".status.trust"),
        PrinterColumn("Verified", ".status.verifiedAt", type="date"),
        PrinterColumn("Target", ".spec.targetRef.name", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: ModelReleaseSpec
    status: ModelReleaseStatus = Field(default_factory=ModelReleaseStatus)

    @property
    def workspace_folder(self) -> str:
        """The name of the release's own folder in the workspace of its run."""
        return f"{self.metadata.name}-{self.spec.build_input_hash()}"
