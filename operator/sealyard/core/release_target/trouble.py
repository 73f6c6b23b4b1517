"""What keeps an errand from being done."""

from __future__ import annotations

from typing import Any

from sealyard.api.conditions import Reason
from sealyard.core import attempts, live
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.release_target.errand import Errand
from sealyard.core.release_target.probing import AT_ONCE
from sealyard.core.release_target.situation import Situation
from sealyard.core.times import format_time


def trouble(situation: Situation, errand: Errand[Any]) -> State | None:
    """Why an errand cannot be done as things are, or None while there is no reason to worry."""
    role = errand.work.ledger.name
    if taken := situation.errand_step.taken.get(role):
        message = f"Job {taken} belongs to somebody else: delete it, and it goes on"
        return stalled(Reason.NAME_TAKEN, message)
    again = _again(situation, errand)
    if errand.failure:
        return stalled(errand.failure.reason, f"{role}: {errand.failure.message}; {again}")
    if errand.has_trouble:
        reason, message = attempts.reason_to_wait(errand.work)
        return under_way(reason, f"{role}: {message}; {again}")
    return live.trouble(errand.work.job, now=situation.now) if errand.work.job else None


def _again(situation: Situation, errand: Errand[Any]) -> str:
    names = [errand.work.job.name] if errand.work.job else []
    names += situation.errand_step.names_of(errand.work.ledger)
    if names:
        return f"now in Job {names[0]}"
    return f"again at {format_time(errand.again_at(situation.now))}, or {AT_ONCE}"
