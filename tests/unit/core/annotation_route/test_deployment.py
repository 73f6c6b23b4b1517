"""When a route's Deployment is applied, and with how many routers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.core.observed import AnnotationRouteObserved
from sealyard.core.plan import Plan
from support.builders import WITH_PROGRESS
from support.routes import a_route, look

ROUTE = a_route()
NAME = ROUTE.deployed().name


def replicas(plan: Plan) -> list[int]:
    return [manifest["spec"]["replicas"] for manifest in plan.apply]


OTHER_CLASSES = ROUTE.with_spec("classes", ["coin", "button", "ring"])
APPLIED: dict[str, tuple[AnnotationRouteObserved, list[int]]] = {
    "new": (ROUTE.observed(), [1]),
    "as it should be": (ROUTE.observed(ROUTE.pod(), deployment=ROUTE.deployed()), []),
    "a changed spec": (OTHER_CLASSES.observed(ROUTE.pod(), deployment=ROUTE.deployed()), [1]),
    "scaled by hand": (ROUTE.observed(deployment=ROUTE.deployed(replicas=0)), [1]),
    "suspended": (
        ROUTE.with_spec("suspend", True).observed(deployment=ROUTE.deployed()),
        [0],
    ),
    "suspended already": (
        ROUTE.with_spec("suspend", True).observed(deployment=ROUTE.deployed(replicas=0)),
        [],
    ),
    "suspended from the beginning": (ROUTE.with_spec("suspend", True).observed(), []),
    "taken": (ROUTE.observed(owner="older"), []),
    "taken while it runs": (ROUTE.observed(owner="older", deployment=ROUTE.deployed()), [0]),
    "a slip of the pen": (
        a_route().with_spec("classes", ["a", "a"]).observed(deployment=ROUTE.deployed()),
        [],
    ),
    "its claim is gone": (ROUTE.observed(claims=(), deployment=ROUTE.deployed()), []),
    "a name that is taken": (ROUTE.observed(foreign=(NAME,)), []),
}


@pytest.mark.parametrize(("observed", "wanted"), APPLIED.values(), ids=APPLIED)
def test_what_is_applied(observed: AnnotationRouteObserved, wanted: list[int]) -> None:
    plan = look(observed)
    assert replicas(plan) == wanted
    assert (plan.create, plan.delete) == ((), ())


def test_an_upgraded_operator_replaces_the_router() -> None:
    upgraded = replace(WITH_PROGRESS, images=replace(WITH_PROGRESS.images, router="router:2"))
    plan = look(ROUTE.observed(ROUTE.pod(), deployment=ROUTE.deployed()), upgraded)
    [manifest] = plan.apply
    assert manifest["spec"]["template"]["spec"]["containers"][0]["image"] == "router:2"
