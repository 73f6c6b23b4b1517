"""The route that a run is trained on: what keeps it from being pinned, and the pin."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.dataset import AnnotationRouteRef
from sealyard.core.conditions import State, under_way
from sealyard.core.plan import Plan
from sealyard.core.status import difference
from sealyard.core.training_run.situation import Situation

FIELD = "spec.dataset.annotationRouteRef"


def snapshot_not_ready(situation: Situation) -> Plan | None:
    """Waits for the route, until it has filed what the run is to be trained on."""
    reference = situation.run.spec.dataset.annotation_route_ref
    if reference is None or situation.snapshot is not None:
        return None
    return situation.decide(
        "Pending",
        _what_is_awaited(situation, reference),
        requeue_after=situation.seconds_left,
    )


def pin_snapshot(situation: Situation) -> Plan | None:
    """Writes down what the run is trained on before there is a Job.

    A route moves on at any time. If the first Job were created first, and that not written down,
    the second would be trained on something else.
    """
    snapshot, before = situation.snapshot, situation.run.status.snapshot
    if snapshot is None or snapshot == before:
        return None
    # All of it: nothing of another storage may stay.
    change = difference(before.to_wire() if before else {}, snapshot.to_wire())
    return situation.decide(
        "Pending",
        under_way(
            Reason.PENDING,
            f"trains on AnnotationRoute {snapshot.route} at offset {snapshot.offset}",
        ),
        status={"snapshot": change},
        requeue_after=0,
        quiet=True,
    )


def _what_is_awaited(situation: Situation, reference: AnnotationRouteRef) -> State:
    name, route = reference.name, situation.route
    if route is None:
        return under_way(
            Reason.ROUTE_MISSING,
            f"AnnotationRoute {name} ({FIELD}.name) does not exist in namespace "
            f"{situation.run.metadata.namespace}: create it, and the run goes on",
        )
    filing = route.status.filing
    if filing is None:
        missing = "has filed nothing yet; its conditions say why"
    elif reference.offset is not None:
        missing = (
            f"has filed what is before offset {filing.offset}; the run waits for "
            f"{reference.offset} ({FIELD}.offset)"
        )
    else:
        missing = (
            f"has filed no validated item ({filing.seed} are in seed/); the run goes on once "
            "somebody has validated some"
        )
    return under_way(
        Reason.WAITING_FOR_ANNOTATIONS, f"AnnotationRoute {name} ({FIELD}.name) {missing}"
    )
