"""The router runs, and does not say how far it is, or that it files."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan


def unheard(situation: Situation) -> Plan | None:
    """A router that is silent for long is not known to file, nor is one that is not ready and says
    of no problem. Where nobody listens, its readiness has to do."""
    pod, report = situation.pod, situation.heard
    if pod is None:
        return None
    wait = under_way(Reason.PENDING, f"the router in pod {pod.name} begins")
    if situation.settings.progress is None:
        return None if pod.ready else situation.decide(wait)
    stale_at = situation.stale_at
    if stale_at is not None and stale_at <= situation.now:
        since = f"since {report.updated_at}" if report else "since it began"
        return situation.decide(
            under_way(
                Reason.NO_REPORT,
                f"the router in pod {pod.name} has reported nothing {since}: see its log, and "
                "whether it reaches the operator at "
                f"{situation.settings.progress.url}",
            )
        )
    if report is None or not (pod.ready or report.problem):
        return situation.decide(wait, requeue_after=situation.seconds_until(stale_at))
    return None
