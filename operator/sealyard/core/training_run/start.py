"""Nothing stands in the way: create the Job of the next attempt."""

from __future__ import annotations

import math

from sealyard.core import attempts
from sealyard.core.conditions import State
from sealyard.core.jobs import train_job
from sealyard.core.live import waiting_for_pod
from sealyard.core.plan import Plan
from sealyard.core.times import format_time
from sealyard.core.training_run.situation import Situation


def start(situation: Situation) -> Plan | None:
    """Creates the Job and counts the attempt."""
    compute = situation.compute
    if isinstance(compute, State):
        raise AssertionError("profile_not_ready lets nothing start without a profile")  # noqa: TRY004
    job = train_job(
        situation.run,
        situation.settings,
        compute,
        attempt=situation.work.next_attempt,
        image=situation.image or compute.images.trainer,
        weights=situation.weights,
        deadline_seconds=_seconds_left(situation),
    )
    return situation.decide(
        "Pending",
        waiting_for_pod(job["kind"], job["metadata"]["name"]),
        ledger=attempts.start(situation.work.ledger, watched=situation.watched),
        status={
            "startTime": format_time(situation.started_at or situation.now),
            "compute": {"profile": None, **compute.status.to_wire()},
        },
        create=(job,),
    )


def _seconds_left(situation: Situation) -> int | None:
    spec, left = situation.run.spec, situation.seconds_left
    # Kubernetes counts from the moment that a queue admits the Job, and so do we.
    if left is None or spec.queue_name:
        return spec.active_deadline_seconds
    return max(math.ceil(left), 1)
