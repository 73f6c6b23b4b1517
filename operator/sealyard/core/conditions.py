"""The three kstatus conditions, further ones, and the events that a change of them is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sealyard.api.conditions import Condition, ConditionType, Reason, RouteConditionType
from sealyard.core.plan import Event
from sealyard.core.times import format_time

MAX_MESSAGE_LENGTH = 1024

WORTH_A_WARNING = frozenset(
    {
        Reason.CLAIM_MISSING,
        Reason.JOB_SET_MISSING,
        Reason.PROFILE_MISSING,
        Reason.TRAINING_RUN_MISSING,
        Reason.TARGET_MISSING,
        Reason.TRUST_MISSING,
        Reason.NO_MATCH,
        Reason.INPUT_MISSING,
        Reason.REMOTE_UNAVAILABLE,
        Reason.CREDENTIALS_REFUSED,
        Reason.STORAGE_FULL,
        Reason.NO_REPORT,
        Reason.POD_NOT_STARTED,
        Reason.NODE_LOST,
        Reason.RETRYING,
        Reason.PREEMPTED,
    }
)
"""Reasons that are no failure yet and still call for somebody's eye."""

NOT_WORTH_AN_EVENT = frozenset({Reason.PENDING})


@dataclass(frozen=True, slots=True)
class State:
    """What the three conditions say together."""

    kind: Literal["ready", "under way", "stalled"]
    reason: Reason
    message: str

    @property
    def values(self) -> dict[ConditionType, bool]:
        """The status of each condition."""
        return {
            ConditionType.READY: self.kind == "ready",
            ConditionType.RECONCILING: self.kind == "under way",
            ConditionType.STALLED: self.kind == "stalled",
        }


@dataclass(frozen=True, slots=True)
class Further:
    """A condition beside the three, which `Ready` does not depend on."""

    type: RouteConditionType
    value: bool
    reason: Reason
    message: str
    alarming: bool
    """The value that is worth a Warning: whenever it comes to hold, or says something new."""


def ready(reason: Reason, message: str) -> State:
    """The object is what its spec asks for."""
    return State("ready", reason, message)


def under_way(reason: Reason, message: str) -> State:
    """Not there yet; it goes on by itself, if need be once somebody creates what is missing."""
    return State("under way", reason, message)


def stalled(reason: Reason, message: str) -> State:
    """Nothing more happens without somebody's help."""
    return State("stalled", reason, message)


def conditions(
    old: Sequence[Condition],
    state: State,
    *,
    generation: int,
    now: datetime,
    further: Sequence[Further] = (),
) -> list[dict[str, Any]]:
    """The wire form of all conditions; `lastTransitionTime` moves only where the status does.

    Conditions of other types belong to somebody else and are kept as they are.
    """
    before = {condition.type: condition for condition in old}
    message = one_line(state.message)
    wanted: list[tuple[ConditionType | RouteConditionType, bool, Reason, str]] = [
        (kind, value, state.reason, message if value or kind is ConditionType.READY else "")
        for kind, value in state.values.items()
    ]
    wanted += [(one.type, one.value, one.reason, one_line(one.message)) for one in further]
    ours = []
    for kind, value, reason, said in wanted:
        status: Literal["True", "False"] = "True" if value else "False"
        former = before.pop(kind, None)
        kept = former is not None and former.status == status
        ours.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=said,
                last_transition_time=(
                    former.last_transition_time if former and kept else format_time(now)
                ),
                observed_generation=generation,
            )
        )
    return [condition.to_wire() for condition in [*ours, *before.values()]]


def events(
    old: Sequence[Condition], state: State, further: Sequence[Further] = ()
) -> tuple[Event, ...]:
    """One event where the state's reason is a new one, and one for each alarm that is new."""
    before = {condition.type: condition for condition in old}
    alarms = []
    for one in further:
        message, former = one_line(one.message), before.get(one.type)
        if one.value is one.alarming and (former is None or former.message != message):
            alarms.append(Event("Warning", one.reason, message))
    ready_before = before.get(ConditionType.READY)
    if state.reason in NOT_WORTH_AN_EVENT or (ready_before and ready_before.reason == state.reason):
        return tuple(alarms)
    warning = state.kind == "stalled" or state.reason in WORTH_A_WARNING
    event = Event("Warning" if warning else "Normal", state.reason, one_line(state.message))
    return (event, *alarms)


def one_line(message: str) -> str:
    """A message on one line, cut where `kubectl describe` would no longer be read."""
    line = " ".join(message.split())
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[: MAX_MESSAGE_LENGTH - 1]}…"
