"""The pod of the Deployment as it is now does not run yet, or does not end."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core import live
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.jobs import pod_applied, router_deployment
from sealyard.core.plan import Plan


def starting(situation: Situation) -> Plan | None:
    """Says what it waits for, as far as that is known."""
    deployment, pod = situation.deployment, situation.pod
    if deployment is None:
        return None
    waiting = under_way(Reason.PENDING, f"waiting for the pod of Deployment {deployment.name}")
    if pod is not None and pod.deleted_by is not None:
        lost = live.is_lost(pod, situation.now)
        state = live.node_lost(pod) if lost else waiting
        return situation.decide(state, requeue_after=situation.seconds_until(live.lost_from(pod)))
    wanted = router_deployment(situation.route, situation.settings, replicas=1)
    if pod is None or pod.applied != pod_applied(wanted):
        if deployment.trouble is None:
            return situation.decide(waiting)
        why = f"Deployment {deployment.name} cannot make its pod: {deployment.trouble}"
        return situation.decide(under_way(Reason.POD_NOT_STARTED, why))
    if pod.phase != "Pending":
        return None
    patient_until = pod.created_at + live.PATIENCE if pod.created_at else None
    requeue_after = situation.seconds_until(patient_until)
    held_up = live.not_started(pod) if requeue_after is None else None
    return situation.decide(held_up or waiting, requeue_after=requeue_after)
