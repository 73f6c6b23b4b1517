from __future__ import annotations

from sealyard.api.conditions import MEANINGS, Condition, Reason
from sealyard.core.conditions import conditions, events, ready, stalled, under_way
from support.builders import (
    NOW,
    at,
    time_of,
)


def as_models(wire: list[dict[str, object]]) -> list[Condition]:
    return [Condition.from_wire(condition) for condition in wire]


def test_the_three_conditions_of_each_state() -> None:
    table = {
        ready(Reason.RELEASED, "out"): ("True", "False", "False"),
        under_way(Reason.EXPORTING, "busy"): ("False", "True", "False"),
        stalled(Reason.INVALID_SPEC, "wrong"): ("False", "False", "True"),
    }
    for state, statuses in table.items():
        found = conditions([], state, generation=3, now=NOW)
        assert [c["type"] for c in found] == ["Ready", "Reconciling", "Stalled"]
        assert tuple(c["status"] for c in found) == statuses
        assert {c["observedGeneration"] for c in found} == {3}
        assert {c["reason"] for c in found} == {state.reason}
        told = [c["message"] for c in found if c["status"] == "True" or c["type"] == "Ready"]
        assert set(told) == {state.message}


def test_the_transition_time_moves_only_with_the_status() -> None:
    before = as_models(conditions([], under_way(Reason.EXPORTING, "busy"), generation=1, now=NOW))
    after = conditions(before, ready(Reason.RELEASED, "out"), generation=1, now=at(60))
    times = {c["type"]: c["lastTransitionTime"] for c in after}
    assert times == {
        "Ready": time_of(at(60)),
        "Reconciling": time_of(at(60)),
        "Stalled": time_of(NOW),
    }


def test_conditions_of_others_are_kept() -> None:
    other = Condition(
        type="Audited", status="True", reason="By", message="", last_transition_time=time_of(NOW)
    )
    found = conditions([other], ready(Reason.RELEASED, "out"), generation=1, now=NOW)
    assert found[-1] == other.to_wire()


def test_an_event_says_something_new_or_nothing() -> None:
    busy = under_way(Reason.EXPORTING, "exporting")
    before = as_models(conditions([], busy, generation=1, now=NOW))
    assert events(before, busy) == ()
    assert events([], under_way(Reason.PENDING, "soon")) == ()
    assert [e.type for e in events(before, stalled(Reason.INVALID_SPEC, "wrong"))] == ["Warning"]
    assert [e.type for e in events(before, under_way(Reason.CLAIM_MISSING, "x"))] == ["Warning"]
    assert [(e.type, e.message) for e in events(before, ready(Reason.RELEASED, "out"))] == [
        ("Normal", "out")
    ]


def test_messages_stay_on_one_line_and_bounded() -> None:
    found = conditions([], stalled(Reason.INVALID_SPEC, "a\n b" * 999), generation=1, now=NOW)
    assert "\n" not in found[0]["message"]
    assert len(found[0]["message"]) == 1024


def test_every_reason_is_explained() -> None:
    assert set(MEANINGS) == set(Reason)
