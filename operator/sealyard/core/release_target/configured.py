"""Nothing is to be done: the target is configured, and rewrapped if that was asked for."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import State, ready
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation


def configured(situation: Situation) -> Plan:
    """Says what was proven last."""
    return situation.decide(_state(situation))


def _state(situation: Situation) -> State:
    done = situation.completed
    if done is None:
        return ready(
            Reason.CONFIGURED,
            "addresses and Secrets are named; the first release proves that the logins work",
        )
    return ready(
        Reason.REWRAPPED,
        f"rewrap {done.generation} is done: of the small parts of {done.releases} releases "
        f"{done.rewrapped} were moved to key {done.key!r} and {done.unchanged} were there already; "
        f"{done.skipped} of aes-256-cbc-v1 have no such key",
    )
