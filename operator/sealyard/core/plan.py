"""A Plan: everything that follows from one look at an object, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from sealyard.api.conditions import Reason
from sealyard.core.observed import ObservedJob


@dataclass(frozen=True, slots=True)
class JobKey:
    """A Job or JobSet to delete.

    The uid is a precondition: a namesake of another life is left alone.
    """

    namespace: str
    name: str
    uid: str
    after_its_pods: bool = False
    """It stays, being deleted, until its pods have ended: whoever follows can wait for that."""
    is_set: bool = False

    @classmethod
    def of(cls, job: ObservedJob, *, after_its_pods: bool = False) -> Self:
        """What deletes a Job that was seen."""
        return cls(
            job.namespace, job.name, job.uid, after_its_pods=after_its_pods, is_set=job.is_set
        )


@dataclass(frozen=True, slots=True)
class Event:
    """An event to post on the object; posted once per change that it tells of."""

    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: delete, create with input, apply, patch the status, post the
    events."""

    delete: tuple[JobKey, ...] = ()
    create: tuple[dict[str, Any], ...] = ()
    """Complete manifests of Jobs and JobSets, owner reference included."""
    apply: tuple[dict[str, Any], ...] = ()
    """Complete manifests of Deployments. What was applied before and is not in them goes."""
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a Job, new or not, the texts of the ConfigMaps that its pod waits for."""
    hold: bool | None = None
    """Whether the finalizer that waits for the withdrawal is to stand on the object; None leaves it
    as it is. It is set before anything else is done, and taken away after everything else."""
    status: dict[str, Any] = field(default_factory=dict)
    """The wanted status in wire form; `null` removes a field. Fields it does not name are left."""
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    """Seconds until the object should be looked at again, whatever happens before."""
