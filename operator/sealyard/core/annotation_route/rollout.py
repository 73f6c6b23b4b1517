"""There is no Deployment yet, or not the one that is wanted."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan


def rollout(situation: Situation) -> Plan | None:
    """Applies it. A changed spec, and a changed configuration of the operator, replace the pod."""
    if not situation.changed:
        return None
    return situation.decide(
        under_way(Reason.PENDING, f"waiting for the pod of Deployment {situation.name}"),
        replicas=1,
    )
