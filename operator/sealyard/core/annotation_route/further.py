"""Two conditions that `Ready` does not depend on: are roles proven, and was anything lost?"""

from __future__ import annotations

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.conditions import Reason, RouteConditionType
from sealyard.core.conditions import Further


def further(route: AnnotationRoute) -> tuple[Further, ...]:
    """What they say; of messages nothing before the first report."""
    lost = _lost(route)
    return (_identity(route), *([lost] if lost else []))


def _identity(route: AnnotationRoute) -> Further:
    identity = route.spec.identity
    if identity.jwt:
        reference = identity.jwt.key_set_secret_ref.name
        proven, how = True, f"by a token that a key of Secret {reference} signed"
    elif identity.broker_user:
        proven, how = True, "by the user id that the broker validated"
    else:
        proven, how = False, ""
    return Further(
        RouteConditionType.IDENTITY_PROVEN,
        value=proven,
        reason=Reason.ROLES_PROVEN if proven else Reason.CLAIM_TRUSTED,
        message=f"a role counts if it is proven {how}"
        if proven
        else "spec.identity.claim is Trusted: whoever may publish to the stream names any role",
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
