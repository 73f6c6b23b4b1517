"""From a decision to a Plan: what every kind's status has in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sealyard.api.conditions import Condition
from sealyard.api.kind import CustomResource
from sealyard.core.conditions import Further, State, conditions, events
from sealyard.core.plan import JobKey, Plan


def outcome(
    resource: CustomResource,
    old: Sequence[Condition],
    state: State,
    *,
    now: datetime,
    status: dict[str, Any],
    delete: tuple[JobKey, ...] = (),
    create: tuple[dict[str, Any], ...] = (),
    inputs: dict[str, tuple[str, ...]] | None = None,
    apply: tuple[dict[str, Any], ...] = (),
    further: Sequence[Further] = (),
    requeue_after: float | None = None,
    quiet: bool = False,
) -> Plan:
    """The Plan that follows from a state.

    Args:
        resource: the object.
        old: its conditions so far.
        state: what its conditions shall say.
        now: the time of this pass.
        status: further fields of the status, in wire form.
        delete: Jobs to delete.
        create: Jobs to create.
        inputs: what Jobs wait for, by their names.
        apply: Deployments to apply.
        further: what further conditions shall say.
        requeue_after: seconds until the next look, whatever happens before.
        quiet: nothing new is said, so no event.
    """
    generation = resource.metadata.generation
    wanted = {
        "observedGeneration": generation,
        "conditions": conditions(old, state, generation=generation, now=now, further=further),
        **status,
    }
    return Plan(
        delete=delete,
        create=create,
        apply=apply,
        inputs=inputs or {},
        status=wanted,
        events=() if quiet else events(old, state, further),
        requeue_after=requeue_after,
    )


def seen(resource: CustomResource, old: Sequence[Condition]) -> dict[str, Any]:
    """The status of a final object: unchanged, but its newest generation was looked at."""
    generation = resource.metadata.generation
    kept = [
        condition.model_copy(update={"observed_generation": generation}).to_wire()
        for condition in old
    ]
    return {"observedGeneration": generation, "conditions": kept}
