"""What the policies of an AnnotationRoute look at: the route, its Deployment, its report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sealyard.api.annotation_route import AnnotationRoute, Filing
from sealyard.core.annotation_route.further import further
from sealyard.core.conditions import State
from sealyard.core.jobs import applied, router_deployment, router_name
from sealyard.core.observed import (
    AnnotationRouteObserved,
    ObservedClaim,
    ObservedDeployment,
    ObservedPod,
)
from sealyard.core.outcome import outcome
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings
from sealyard.core.times import parse_time

STALE = timedelta(seconds=180)
"""How old a report may be: a router sends one each minute, whatever happens."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a route, ready to be judged."""

    route: AnnotationRoute
    settings: Settings
    now: datetime
    deployment: ObservedDeployment | None
    claims: tuple[ObservedClaim, ...]
    owner: str | None
    foreign: tuple[str, ...]

    @classmethod
    def of(cls, observed: AnnotationRouteObserved, settings: Settings, now: datetime) -> Situation:
        """The look, as it was observed."""
        return cls(
            observed.route,
            settings,
            now,
            observed.deployment,
            observed.claims,
            observed.owner,
            observed.foreign,
        )

    @property
    def name(self) -> str:
        """Of the Deployment."""
        return router_name(self.route)

    @property
    def pod(self) -> ObservedPod | None:
        """The newest."""
        return self.deployment.pod if self.deployment else None

    @property
    def heard(self) -> Filing | None:
        """The last report, if the container that runs now sent it."""
        report, started_at = self.route.status.filing, self.pod.started_at if self.pod else None
        at = parse_time(report.updated_at) if report else None
        # Times in a status are of whole seconds.
        return report if at and started_at and at >= started_at.replace(microsecond=0) else None

    @property
    def stale_at(self) -> datetime | None:
        """When nothing was heard for too long; None where nobody listens, or nobody speaks."""
        started_at = self.pod.started_at if self.pod else None
        if self.settings.progress is None or started_at is None:
            return None
        heard_at = parse_time(self.heard.updated_at) if self.heard else None
        times = (started_at, heard_at, self.settings.reachable_since)
        return max(time for time in times if time) + STALE

    @property
    def fewer(self) -> int | None:
        """The number of routers to ask for where none is to run; None where that is so already."""
        return 0 if self.deployment and self.deployment.replicas else None

    @property
    def changed(self) -> bool:
        """Whether what runs is not what the spec asks for now."""
        if self.deployment is None:
            return True
        wanted = router_deployment(self.route, self.settings, replicas=1)
        return self.deployment.applied != applied(wanted) or self.deployment.replicas != 1

    def decide(
        self, state: State, *, replicas: int | None = None, requeue_after: float | None = None
    ) -> Plan:
        """The Plan of a policy, with what every status of a route holds.

        Args:
            state: the wanted conditions.
            replicas: how many routers are to run; None leaves that as it is.
            requeue_after: seconds until the next look, whatever happens before.
        """
        manifest = (
            None
            if replicas is None
            else router_deployment(self.route, self.settings, replicas=replicas)
        )
        return outcome(
            self.route,
            self.route.status.conditions,
            state,
            now=self.now,
            status={},
            apply=(manifest,) if manifest else (),
            further=further(self.route),
            requeue_after=requeue_after,
        )

    def seconds_until(self, moment: datetime | None) -> float | None:
        """How long it is until then, and a little; None for no moment, and for one that is over."""
        if moment is None or moment < self.now:
            return None
        return (moment - self.now).total_seconds() + 0.1
