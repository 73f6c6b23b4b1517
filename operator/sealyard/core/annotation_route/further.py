"""Two conditions that `Ready` does not depend on: are roles proven, and was anything lost?"""

from __future__ import annotations

from typing import Final

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.conditions import Reason, RouteConditionType
from sealyard.core.conditions import Further

_BROKER_TRUSTED: Final = (
    "a role counts by the user id of a message: RabbitMQ 3.10 checks it of what comes through an "
    "exchange, a newer one can be given any by whoever may publish there; take spec.identity.jwt "
    "unless you trust them all"
)


def further(route: AnnotationRoute) -> tuple[Further, ...]:
    """What they say; of messages nothing before the first report."""
    lost = _lost(route)
    return (_identity(route), *([lost] if lost else []))


def _identity(route: AnnotationRoute) -> Further:
    identity = route.spec.identity
    if identity.jwt:
        reference = identity.jwt.key_set_secret_ref.name
        reason = Reason.ROLES_PROVEN
        said = f"a role counts if it is proven by a token that a key of Secret {reference} signed"
    elif identity.broker_user:
        reason, said = Reason.BROKER_TRUSTED, _BROKER_TRUSTED
    else:
        reason = Reason.CLAIM_TRUSTED
        said = "spec.identity.claim is Trusted: whoever may publish to the stream names any role"
    return Further(
        RouteConditionType.IDENTITY_PROVEN,
        value=reason is Reason.ROLES_PROVEN,
        reason=reason,
        message=said,
        alarming=False,
    )


def _lost(route: AnnotationRoute) -> Further | None:
    filing = route.status.filing
    if filing is None:
        return None
    return Further(
        RouteConditionType.MESSAGES_LOST,
        value=filing.lost > 0,
        reason=Reason.MESSAGES_LOST if filing.lost else Reason.NONE_LOST,
        message=(
            f"the broker deleted {filing.lost} message{'s' if filing.lost > 1 else ''} before "
            "the router took them: what was annotated in them is not filed, and has to be "
            "published again; give the stream a longer retention"
        )
        if filing.lost
        else "every message of the stream was taken in",
        alarming=True,
    )
