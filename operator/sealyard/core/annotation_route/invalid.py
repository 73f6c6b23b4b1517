"""A spec that only the operator can judge."""

from __future__ import annotations

from collections.abc import Iterator

from sealyard.api.annotation_route import AnnotationRouteSpec
from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan


def invalid(situation: Situation) -> Plan | None:
    """Leaves what runs as it is: a slip of the pen stops no filing."""
    problems = "; ".join(_problems(situation.route.spec))
    return situation.decide(stalled(Reason.INVALID_SPEC, problems)) if problems else None


def _problems(spec: AnnotationRouteSpec) -> Iterator[str]:
    for name in _twice(spec.classes):
        yield f"spec.classes: {name} stands there twice, and labels would name two classes by it"
    for role in sorted({*spec.roles.validated} & {*spec.roles.seed}):
        yield f"spec.roles: {role} stands in validated and in seed; it can file to one of them"
    users = spec.identity.broker_user
    for user in _twice([one.user for one in users.roles] if users else []):
        yield f"spec.identity.brokerUser.roles: {user} stands there twice; a user has one role"


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
