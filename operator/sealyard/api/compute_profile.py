"""ComputeProfile: what the platform team gives to the Jobs that train and export."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.kind import CustomResource, PrinterColumn, rules
from sealyard.api.model import LocalObjectReference, Model, ObjectName, Quantity, says
from sealyard.api.placement import KEYS, Affinity, Labels, Toleration

MOST_GPUS = 16
"""Of one pod; no node has more."""
DEFAULT_GPU_RESOURCE = "nvidia.com/gpu"
DEFAULT_CPU = "2"
DEFAULT_MEMORY = "4Gi"
DEFAULT_SHARED_MEMORY = "1Gi"

MOST_NODES = 64

NodeCount = Annotated[int, Field(ge=1, le=MOST_NODES)]
GpuCount = Annotated[int, Field(ge=0, le=MOST_GPUS)]
Overridable = Literal["gpus", "cpu", "memory", "sharedMemory"]

ImageByDigest = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$", max_length=512),
    says("must name an image by its digest: registry/repository@sha256:…, 64 digits"),
]
GpuResource = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
        r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        max_length=253,
    ),
    says("must be what a device plugin offers: nvidia.com/gpu, or nvidia.com/mig-1g.10gb"),
]


class ProfileImages(Model):
    """The images of the Jobs that mount datasets and workspaces, and no delivery secret."""

    trainer: ImageByDigest | None = Field(
        default=None, description="The operator's where none is given."
    )
    exporter: ImageByDigest | None = Field(
        default=None, description="The operator's where none is given."
    )


class GpuRange(Model):
    """How many GPUs a pod gets."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have min ≤ default ≤ max": "self.min <= self.default && "
                "self.default <= self.max"
            }
        )
    )

    resource: GpuResource = Field(
        default=DEFAULT_GPU_RESOURCE, description="As the device plugin of the nodes names it."
    )
    default: GpuCount = Field(default=1, description="For a run that says nothing.")
    min: GpuCount = Field(
        default=0,
        description="The least that a run may ask for, and what an export gets; an engine of the "
        "format tensorrt gets one.",
    )
    max: GpuCount = Field(default=1, description="The most that a run may ask for.")


class Amount(Model):
    """What a run gets that says nothing, and the most that one may ask for."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have a default that is at most max": "!has(self.max) || "
                "quantity(self.default).compareTo(quantity(self.max)) <= 0"
            }
        )
    )

    max: Quantity | None = Field(default=None, description="No limit where none is given.")


class CpuAmount(Amount):
    """Processor time; requested, and more is used where it is idle."""

    default: Quantity = DEFAULT_CPU


class MemoryAmount(Amount):
    """Memory; requested, and the limit. Shared memory counts."""

    default: Quantity = DEFAULT_MEMORY


class SharedMemoryAmount(Amount):
    """The size of /dev/shm."""

    default: Quantity = DEFAULT_SHARED_MEMORY


PodLabels = Annotated[
    Labels,
    Field(
        json_schema_extra=rules(
            {
                **KEYS,
                "must leave sealyard.io/, batch.kubernetes.io/, app.kubernetes.io/managed-by, "
                "job-name and controller-uid to those that own them": "self.all(key, "
                "!key.startsWith('sealyard.io/') && !key.startsWith('batch.kubernetes.io/') && "
                "!(key in ['app.kubernetes.io/managed-by', 'job-name', 'controller-uid']))",
            }
        ),
    ),
]
PodAnnotations = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=1024)]],
    Field(
        max_length=16,
        json_schema_extra=rules(
            {
                **KEYS,
                "must leave sealyard.io/ and batch.kubernetes.io/ to those that own them": "self."
                "all(key, !key.startsWith('sealyard.io/') && "
                "!key.startsWith('batch.kubernetes.io/'))",
                "must not loosen the pod's AppArmor or seccomp profile": "self.all(key, "
                "!key.matches(r'^([^/]*[.])?security[.](alpha|beta)[.]kubernetes[.]io/'))",
            }
        ),
    ),
]


class PodTemplate(Model):
    """What else the pods get. How they are hardened is no matter of a profile."""

    node_selector: Labels | None = Field(
        default=None, description="The labels that a node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] | None = Field(
        default=None, description="The taints that a node may have."
    )
    affinity: Affinity | None = None
    runtime_class_name: ObjectName | None = None
    priority_class_name: ObjectName | None = None
    service_account_name: ObjectName | None = Field(
        default=None,
        description="In the run's namespace, for what goes by a pod's account; its token is never "
        "mounted.",
    )
    image_pull_secrets: Annotated[list[LocalObjectReference], Field(max_length=8)] | None = Field(
        default=None, description="In the run's namespace, beside the operator's."
    )
    labels: PodLabels | None = None
    annotations: PodAnnotations | None = None


class ComputeProfileSpec(Model):
    """What a pod that trains or exports gets, and what a run may change of it."""

    default: bool = Field(
        default=False,
        description="Whether it is for runs and releases without spec.profileRef. One at most.",
    )
    images: ProfileImages = Field(default_factory=ProfileImages)
    gpus: GpuRange | None = Field(default=None, description="None where it is not given.")
    cpu: CpuAmount = Field(default_factory=CpuAmount)
    memory: MemoryAmount = Field(default_factory=MemoryAmount)
    shared_memory: SharedMemoryAmount = Field(default_factory=SharedMemoryAmount)
    max_nodes: NodeCount = Field(
        default=1,
        description="The most nodes that a run may ask for, each with all of the above.",
    )
    overridable: Annotated[list[Overridable], Field(max_length=4)] = Field(
        default_factory=list,
        description="The fields of spec.compute that a run may set to another value.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    pod: PodTemplate = Field(default_factory=PodTemplate)


class ComputeProfile(CustomResource):
    """What the pods that train and export get: image, GPUs, memory, and the nodes they run on."""

    KIND: ClassVar[str] = "ComputeProfile"
    PLURAL: ClassVar[str] = "computeprofiles"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("cprof",)
    SCOPE: ClassVar[Literal["Namespaced", "Cluster"]] = "Cluster"
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Default", ".spec.default", type="boolean"),
        PrinterColumn("GPU", ".spec.gpus.resource"),
        PrinterColumn("MaxGPUs", ".spec.gpus.max", type="integer"),
        PrinterColumn("Image", ".spec.images.trainer", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
    )

    spec: ComputeProfileSpec
