"""What a run is trained on: where it lies, which state of it is pinned, and what it was."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.kind import rules
from sealyard.api.model import Model, ObjectName, RelativePath, Sha256
from sealyard.api.s3 import S3Folder


class ClaimSource(Model):
    """A folder in a PersistentVolumeClaim of the same namespace."""

    claim_name: ObjectName
    path: RelativePath | None = Field(
        default=None, description="The folder in the volume; its root where none is given."
    )


class DatasetPlace(Model):
    """Where files lie that a pod reads."""

    persistent_volume_claim: ClaimSource | None = None
    s3: S3Folder | None = Field(
        default=None,
        description="Fetched into the workspace before the first epoch, and deleted from it once "
        "the run is done.",
    )

    @property
    def claim_name(self) -> str | None:
        """The claim that is mounted, if they lie in one."""
        claim = self.persistent_volume_claim
        return claim.claim_name if claim else None

    @property
    def path(self) -> str | None:
        """The folder in the claim; None for its root, and where there is no claim."""
        claim = self.persistent_volume_claim
        return claim.path if claim else None


class AnnotationRouteRef(Model):
    """The validated annotations of an AnnotationRoute of the same namespace."""

    name: ObjectName
    offset: Annotated[int, Field(ge=1, le=1 << 62)] | None = Field(
        default=None,
        description="What was filed before it is trained on, as it was then; one that is not "
        "reached yet is waited for. Without it, all that is filed when the run begins.",
    )


class DatasetSpec(DatasetPlace):
    """Where the pictures and labels lie: a YOLO dataset, a folder with a data.yaml; or the
    AnnotationRoute that they are taken from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have exactly one of persistentVolumeClaim, s3 and annotationRouteRef": (
                    "[has(self.persistentVolumeClaim), has(self.s3), has(self.annotationRouteRef)]"
                    ".filter(given, given).size() == 1"
                )
            }
        )
    )

    annotation_route_ref: AnnotationRouteRef | None = Field(
        default=None,
        description="A dataset is made of what it has filed, in the workspace, before the first "
        "epoch, and deleted once the run is done.",
    )


class PinnedSnapshot(Model):
    """The state of an AnnotationRoute that a run is trained on, in all its attempts."""

    route: ObjectName
    route_uid: Annotated[str, StringConstraints(max_length=64)]
    offset: Annotated[int, Field(ge=1)] = Field(description="What was filed before it counts.")
    validation_percent: Annotated[int, Field(ge=1, le=90)]
    storage: DatasetPlace = Field(
        description="Where the route files. The route may be deleted from now on."
    )


class AnnotationsStatus(Model):
    """The list of the annotations that a run was trained on, among its artifacts."""

    sha256: Sha256
    items: Annotated[int, Field(ge=0)]


class DatasetStatus(Model):
    """What the run was trained on, as counted and hashed before its first epoch."""

    digest: Sha256
    images: Annotated[int, Field(ge=0)]
    annotations: AnnotationsStatus | None = Field(
        default=None, description="Where it was made of an AnnotationRoute."
    )
