"""The router ended by itself, and the kubelet starts it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sealyard.api.answers import parse_answer
from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import State, one_line, stalled, under_way
from sealyard.core.observed import ObservedEnd
from sealyard.core.plan import Plan

STATES: Final[dict[int, tuple[Callable[[Reason, str], State], Reason]]] = {
    64: (stalled, Reason.INVALID_INPUT),
    65: (stalled, Reason.INTEGRITY_FAILED),
    66: (under_way, Reason.INPUT_MISSING),
    69: (under_way, Reason.REMOTE_UNAVAILABLE),
    77: (under_way, Reason.CREDENTIALS_REFUSED),
}
"""By the exit code; whatever else it ends with is tried again like what it ended for."""


def ended(situation: Situation) -> Plan | None:
    """Says why, until the router that was started in its place is ready, or has said what keeps it
    from being so."""
    pod, report = situation.pod, situation.heard
    if pod is None or pod.last_end is None or pod.ready or (report and report.problem):
        return None
    return situation.decide(_state(pod.name, pod.last_end))


def _state(pod: str, end: ObservedEnd) -> State:
    answer = parse_answer(end.message) if end.message else None
    if end.reason == "OOMKilled":
        return under_way(
            Reason.RETRYING,
            f"the router in pod {pod} ran out of memory, of which it has the more, the larger "
            "spec.maxPictureBytes is; it is started again",
        )
    known = STATES.get(end.exit_code)
    if known is not None and answer is not None:
        make, reason = known
        return make(reason, answer.message)
    said = f": {answer.message if answer else one_line(end.message or '')[-300:]}".rstrip(": ")
    how = f"the router in pod {pod} ended with exit code {end.exit_code}{said}"
    return under_way(Reason.RETRYING, f"{how}; it is started again")
