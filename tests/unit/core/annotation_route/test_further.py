"""The conditions beside the three, and the events that tell of them."""

from __future__ import annotations

import pytest

from sealyard.api.conditions import Reason
from sealyard.core.plan import Plan
from support.builders import at, condition
from support.routes import RouteBuilder, a_route, running

ROUTE = a_route()
BROKER_USERS = {"brokerUser": {"roles": [{"user": "ann", "role": "Validator"}]}}
FURTHER = [
    (
        ROUTE,
        "IdentityProven",
        ("True", "RolesProven"),
        "a role counts if it is proven by a token that a key of Secret annotators signed",
    ),
    (
        ROUTE.with_spec("identity", BROKER_USERS),
        "IdentityProven",
        ("False", "BrokerTrusted"),
        (
            "a role counts by the user id of a message: RabbitMQ 3.10 checks it of what comes "
            "through an exchange, a newer one can be given any by whoever may publish there; take "
            "spec.identity.jwt unless you trust them all"
        ),
    ),
    (
        ROUTE.with_spec("identity", {"claim": "Trusted"}),
        "IdentityProven",
        ("False", "ClaimTrusted"),
        "spec.identity.claim is Trusted: whoever may publish to the stream names any role",
    ),
    (
        ROUTE.reported(),
        "MessagesLost",
        ("False", "NoneLost"),
        "every message of the stream was taken in",
    ),
    (
        ROUTE.reported(lost=7),
        "MessagesLost",
        ("True", "MessagesLost"),
        (
            "the broker deleted 7 messages before the router took them: what was annotated in "
            "them is not filed, and has to be published again; give the stream a longer retention"
        ),
    ),
]


@pytest.mark.parametrize(("route", "kind", "wanted", "message"), FURTHER)
def test_further_conditions(
    route: RouteBuilder, kind: str, wanted: tuple[str, str], message: str
) -> None:
    found = condition(running(route), kind)
    assert (found["status"], found["reason"]) == wanted
    assert found["message"] == message


def test_of_messages_nothing_is_said_before_the_first_report() -> None:
    types = {found["type"] for found in running(ROUTE).status["conditions"]}
    assert types == {"Ready", "Reconciling", "Stalled", "IdentityProven"}


def warnings(plan: Plan) -> list[Reason]:
    return [event.reason for event in plan.events if event.type == "Warning"]


def test_each_alarm_is_an_event_once() -> None:
    trusting = ROUTE.with_spec("identity", {"claim": "Trusted"})
    first = running(trusting.reported())
    assert warnings(first) == [Reason.CLAIM_TRUSTED]
    route = trusting.after(first)
    assert running(route.reported()).events == ()
    lost = running(route.reported(lost=1))
    assert warnings(lost) == [Reason.MESSAGES_LOST]
    assert "deleted 1 message before" in condition(lost, "MessagesLost")["message"]
    route = route.after(lost)
    assert running(route.reported(lost=1)).events == ()
    assert warnings(running(route.reported(lost=2))) == [Reason.MESSAGES_LOST]


def test_figures_alone_change_nothing_that_is_written() -> None:
    route = ROUTE.reported(at(-20))
    route = route.after(running(route))
    later = running(route.reported(at(-10), offset=5000, validated=90))
    assert later.status["conditions"] == route.document["status"]["conditions"]
    assert later.events == ()
