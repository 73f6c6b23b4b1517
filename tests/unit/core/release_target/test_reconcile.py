from __future__ import annotations

import pytest

from sealyard.core.plan import Plan
from sealyard.core.release_target import reconcile
from support.builders import (
    NOW,
    SETTINGS,
    TargetBuilder,
    a_release_target,
    says,
)


def plan_of(target: TargetBuilder) -> Plan:
    return reconcile(target.observed(), SETTINGS, NOW)


def test_a_target_is_ready_once_it_is_proven() -> None:
    plan = plan_of(a_release_target().probed())
    assert says(plan) == ("", "TFF", "Probed", "all 13 checks of the last probe passed")
    assert plan_of(a_release_target().probed().after(plan)).events == ()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "api.url",
            "https://api:99999",
            (
                "spec.api.url: https://api:99999 is no address: use https://host[:port], port 1 "
                "to 65535"
            ),
        ),
        (
            "cdn.endpoint",
            "https://:8333",
            (
                "spec.cdn.endpoint: https://:8333 is no address: use https://host[:port], port 1 "
                "to 65535"
            ),
        ),
        ("cdn.bucket", "a..b", "spec.cdn.bucket: a..b is no bucket name: dots stand alone"),
    ],
)
def test_what_the_schema_cannot_say(field: str, value: str, message: str) -> None:
    plan = plan_of(a_release_target().with_spec(field, value))
    assert says(plan) == ("", "FFT", "InvalidSpec", message)
    assert [event.type for event in plan.events] == ["Warning"]
    assert plan.create == ()
    assert plan.requeue_after is None


def test_a_target_that_is_being_deleted_is_left_alone() -> None:
    assert plan_of(a_release_target().being_deleted()) == Plan()
