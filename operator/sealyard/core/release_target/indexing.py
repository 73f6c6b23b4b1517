"""There is no index yet, or none can be signed as things are; this says why."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import State, under_way
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation
from sealyard.core.release_target.trouble import trouble


def indexing(situation: Situation) -> Plan | None:
    """Nothing for a target without trust, nor while a good index is followed by the next."""
    if situation.target.spec.trust is None:
        return None
    state = _state(situation)
    return situation.decide(state) if state else None


def _state(situation: Situation) -> State | None:
    signed = situation.errands.signed
    state = trouble(situation, situation.errands.index)
    if state and signed:
        return State(
            state.kind, state.reason, f"{state.message}; the last index expires at {signed.expires}"
        )
    if state is None and signed is None:
        return under_way(Reason.INDEXING, "the first index is about to be signed and published")
    return state
