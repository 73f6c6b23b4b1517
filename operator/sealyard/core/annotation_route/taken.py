"""Two routes with the same storage: the oldest owns it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan


def taken(situation: Situation) -> Plan | None:
    """Runs nothing where a journal is somebody else's."""
    if situation.owner is None:
        return None
    return situation.decide(
        stalled(
            Reason.STORAGE_TAKEN,
            f"the older AnnotationRoute {situation.owner} files into this storage (spec.storage): "
            "delete one of them, or give this one a folder of its own in a new object",
        ),
        replicas=situation.fewer,
    )
