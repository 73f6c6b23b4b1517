"""What the caches keep of an object: about 1 KiB of it, taken from the raw JSON once.

A custom resource keeps its spec and status as compact JSON and is parsed into its model only when
it is looked at; ten thousand parsed models would be ten times as large.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern
from typing import Any

from pydantic import ValidationError

from sealyard.api.device import Device
from sealyard.api.kind import (
    ATTEMPT_LABEL,
    GROUP,
    REQUESTED_AT_ANNOTATION,
    ROLE_LABEL,
    VARIANT_LABEL,
    WITHDRAW_FINALIZER,
)
from sealyard.api.model_release import ModelRelease
from sealyard.api.mounts import CONTAINER_NAME, WORKSPACE_VOLUME
from sealyard.api.release_channel import ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.controller.links import Link, links, touches
from sealyard.controller.resources import (
    CHANNELS,
    DEVICES,
    RELEASES,
    TARGETS,
    Key,
)
from sealyard.core.observed import (
    ClaimUse,
    ObservedClaim,
    ObservedJob,
)
from sealyard.core.queue import QUEUE_LABEL
from sealyard.core.roster import ChannelEntry, DeviceEntry, Entry, ReleaseEntry, TargetEntry

Raw = Mapping[str, Any]
_ROLES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """A custom resource."""

    key: Key
    uid: str
    version: int
    deleting: bool
    is_held: bool
    """Its deletion waits for us."""
    links: tuple[Link, ...]
    touches: tuple[Link, ...]
    """What a change of it concerns, beside what depends on it by name."""
    entry: Entry | TargetEntry | None
    """What a target's roster, or those that follow the target, need of it."""
    document: bytes

    @property
    def target(self) -> Key | None:
        """The target that it follows."""
        named = (link for link in self.links if link.kind == TARGETS.kind)
        return next((Key(*link) for link in named), None)

    def parse(self) -> dict[str, Any]:
        """The trimmed object in wire form; each call gives a new one."""
        document: dict[str, Any] = json.loads(self.document)
        return document


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A Job that a custom resource of ours controls."""

    owner: Key
    version: int
    job: ObservedJob
    use: ClaimUse | None = None
    """The claims that it has, until it has ended."""

    @property
    def uid(self) -> str:
        """The Job's uid."""
        return self.job.uid


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """A PersistentVolumeClaim."""

    namespace: str
    uid: str
    version: int
    claim: ObservedClaim


def object_record(kind: str, raw: Raw) -> ObjectRecord:
    """The record of a custom resource."""
    metadata = raw["metadata"]
    kept = {
        field: metadata[field]
        for field in (
            "name",
            "namespace",
            "uid",
            "generation",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "finalizers",
        )
        if field in metadata
    }
    requested_at = (metadata.get("annotations") or {}).get(REQUESTED_AT_ANNOTATION)
    if requested_at is not None:
        kept["annotations"] = {REQUESTED_AT_ANNOTATION: requested_at}
    document = {"metadata": kept, "spec": raw.get("spec") or {}, "status": raw.get("status") or {}}
    key = Key(kind, intern(metadata.get("namespace", "")), metadata["name"])
    return ObjectRecord(
        key=key,
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        deleting="deletionTimestamp" in metadata,
        is_held=WITHDRAW_FINALIZER in metadata.get("finalizers", ()),
        links=tuple(links(key, document["spec"], document["status"])),
        touches=tuple(touches(key, document["spec"], document["status"])),
        entry=_entry(kind, document),
        document=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _entry(kind: str, document: Raw) -> Entry | TargetEntry | None:
    """None for a kind that follows no target, and for what does not fit its kind."""
    try:
        if kind == RELEASES.kind:
            return ReleaseEntry.of(ModelRelease.from_wire(dict(document)))
        if kind == CHANNELS.kind:
            return ChannelEntry.of(ReleaseChannel.from_wire(dict(document)))
        if kind == DEVICES.kind:
            return DeviceEntry.of(Device.from_wire(dict(document)))
        if kind == TARGETS.kind:
            return TargetEntry.of(ReleaseTarget.from_wire(dict(document)))
    except ValidationError:
        return None
    return None


def job_record(raw: Raw) -> JobRecord | None:
    """The record of a Job, or None if it carries our label but is none of ours."""
    metadata = raw["metadata"]
    labels = metadata.get("labels") or {}
    owner = controller_of(metadata)
    role = labels.get(ROLE_LABEL)
    if owner is None or role not in _ROLES or not labels.get(ATTEMPT_LABEL, "").isdecimal():
        return None
    status = raw.get("status") or {}
    ended = _job_end(status)
    begun_at = status.get("startTime")
    deleted_at = metadata.get("deletionTimestamp")
    finished_at = status.get("completionTime") or (ended or {}).get("lastTransitionTime")
    job = ObservedJob(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=owner["uid"],
        role=Role(role),
        variant=intern(labels.get(VARIANT_LABEL, "")),
        attempt=int(labels[ATTEMPT_LABEL]),
        created_at=timestamp(metadata["creationTimestamp"]),
        state=ended["type"] if ended else "Active",
        finished_at=timestamp(finished_at) if ended and finished_at else None,
        failure_reason=ended.get("reason") if ended and ended["type"] == "Failed" else None,
        deleted_at=timestamp(deleted_at) if deleted_at else None,
        suspended=bool((raw.get("spec") or {}).get("suspend")),
        queue=labels.get(QUEUE_LABEL) or None,
        begun_at=timestamp(begun_at) if begun_at else None,
        image=_image(raw),
    )
    return JobRecord(
        owner=Key(intern(owner["kind"]), job.namespace, owner["name"]),
        version=int(metadata["resourceVersion"]),
        job=job,
        use=claim_use(raw, owner["uid"]) if job.state == "Active" else None,
    )


def job_set_record(raw: Raw) -> JobRecord | None:
    """The record of a JobSet, or None if it carries our label but is none of ours."""
    spec = raw.get("spec") or {}
    group: Raw = next(iter(spec.get("replicatedJobs") or ()), {})
    ends = {"Completed": "Complete", "Failed": "Failed"}
    conditions = [
        {**condition, "type": ends[condition["type"]]}
        for condition in (raw.get("status") or {}).get("conditions") or ()
        if condition["type"] in ends
    ]
    template = _template_of(group)
    # JobSet says of a set that was suspended when it was resumed, and of another nothing.
    resumed: Raw = next(
        (
            condition
            for condition in (raw.get("status") or {}).get("conditions") or ()
            if (condition["type"], condition["status"]) == ("Suspended", "False")
        ),
        {},
    )
    record = job_record(
        {
            "kind": "JobSet",
            "metadata": raw["metadata"],
            "spec": {"suspend": spec.get("suspend"), "template": template},
            "status": {
                "conditions": conditions,
                "startTime": resumed.get("lastTransitionTime"),
            },
        }
    )
    return replace(record, job=replace(record.job, is_set=True)) if record else None


def claim_use(job: Raw, owner_uid: str) -> ClaimUse | None:
    """The claims that the pods of a Job or JobSet mount, if any."""
    spec = job.get("spec") or {}
    group: Raw = next(iter(spec.get("replicatedJobs") or ()), {})
    template = spec.get("template") or _template_of(group)
    claims = {
        volume["name"]: intern(volume["persistentVolumeClaim"]["claimName"])
        for volume in ((template or {}).get("spec") or {}).get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    if not claims:
        return None
    return ClaimUse(
        owner_uid=owner_uid,
        kind=intern(job.get("kind") or "Job"),
        name=job["metadata"]["name"],
        workspace=claims.get(WORKSPACE_VOLUME),
        claims=frozenset(claims.values()),
    )


def _template_of(group: Raw) -> Raw | None:
    """The pods of one of the Jobs of a JobSet."""
    template: Raw | None = ((group.get("template") or {}).get("spec") or {}).get("template")
    return template


def _image(job: Raw) -> str | None:
    template = (job.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        if container["name"] == CONTAINER_NAME:
            return intern(container["image"])
    return None


def _job_end(status: Raw) -> Raw | None:
    for condition in status.get("conditions") or ():
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            ended: Raw = condition
            return ended
    return None


def claim_record(raw: Raw) -> ClaimRecord:
    """The record of a PersistentVolumeClaim."""
    metadata = raw["metadata"]
    return ClaimRecord(
        namespace=intern(metadata["namespace"]),
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        claim=ObservedClaim(
            name=metadata["name"],
            access_modes=tuple(map(intern, (raw.get("spec") or {}).get("accessModes") or ())),
            phase=intern((raw.get("status") or {}).get("phase") or "Pending"),
            deleting="deletionTimestamp" in metadata,
        ),
    )


def controller_of(metadata: Raw, group: str = GROUP, kind: str | None = None) -> Raw | None:
    """The owner reference of the controlling owner, if it is of this API group and kind."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller") and reference["apiVersion"].split("/")[0] == group:
            owner: Raw = reference
            return owner if kind in {None, owner["kind"]} else None
    return None


def timestamp(text: str) -> datetime:
    """The aware datetime of an RFC 3339 time as Kubernetes writes it."""
    return datetime.fromisoformat(text)
