"""Nothing is to be done: the last probe passed, and the last rewrap that was asked for is done."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.probe import ProbeStatus
from sealyard.core.conditions import State, ready
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation


def proven(situation: Situation) -> Plan | None:
    """Says what was proven last."""
    judged = situation.probe.judged
    return situation.decide(_state(situation, judged)) if judged else None


def _state(situation: Situation, judged: ProbeStatus) -> State:
    passed = f"all {len(judged.checks)} checks of the last probe passed"
    if judged.refuses_overwriting is False:
        passed = f"{passed}; the CDN lets objects be overwritten (it ignores If-None-Match)"
    done = situation.completed
    if done is None:
        return ready(Reason.PROBED, passed)
    return ready(
        Reason.REWRAPPED,
        f"rewrap {done.generation} is done: of the small parts of {done.releases} releases "
        f"{done.rewrapped} were moved to key {done.key!r} and {done.unchanged} were there already; "
        f"{done.skipped} of aes-256-cbc-v1 have no such key; {passed}",
    )
