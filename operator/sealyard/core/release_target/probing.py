"""A target is ready once a probe of its spec as it is has passed; else this says what is wrong."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.probe import ProbeStatus
from sealyard.core import attempts, live
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation
from sealyard.core.times import format_time

AT_ONCE = f"at once when the annotation {REQUESTED_AT_ANNOTATION} gets a new time"


def probing(situation: Situation) -> Plan | None:
    """Says why the target is not proven to work; nothing where its last probe passed."""
    state = _state(situation)
    return situation.decide(state) if state else None


def _state(situation: Situation) -> State | None:
    probe = situation.probe
    if name := situation.step.name_taken:
        message = f"Job {name} belongs to somebody else: delete it, and the probe goes on"
        return stalled(Reason.NAME_TAKEN, message)
    again = _again(situation)
    if probe.failure:
        return stalled(probe.failure.reason, f"probe: {probe.failure.message}; {again}")
    if probe.has_trouble:
        reason, message = attempts.reason_to_wait(probe.work)
        return under_way(reason, f"probe: {message}; {again}")
    judged = probe.judged
    if judged is None:
        return _first(situation, again)
    if probe.failed:
        return stalled(Reason.PROBE_FAILED, f"{_failures(judged)}; {again}")
    return None


def _first(situation: Situation, again: str) -> State:
    """A spec that no probe has judged yet."""
    job = situation.probe.work.job
    trouble = live.trouble(job, now=situation.now) if job else None
    return trouble or under_way(Reason.PROBING, f"the logins and credentials are tried: {again}")


def _failures(judged: ProbeStatus) -> str:
    said = [f"{check.name}: {check.message}" for check in judged.checks if check.result == "Failed"]
    unknown = sum(check.result == "Unknown" for check in judged.checks)
    return "; ".join([*said, *([f"{unknown} more could not be judged"] if unknown else [])])


def _again(situation: Situation) -> str:
    names = [job["metadata"]["name"] for job in situation.step.create]
    if job := situation.probe.work.job:
        names.append(job.name)
    if names:
        return f"now in Job {names[0]}"
    due_at = situation.probe.due_at(situation.now) or situation.now
    return f"again at {format_time(due_at)}, or {AT_ONCE}"
