"""A Job in a queue of Kueue. Kueue alone admits it and takes that back, by the Job's spec.suspend.

The operator creates the Job suspended, with the name of its queue as a label, and never writes
spec.suspend again. It only sees what Kueue does.
"""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import State, under_way
from sealyard.core.observed import ObservedJob

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
NOTHING_IS_ADMITTED = (
    "nothing is admitted where there is no such LocalQueue or no Kueue; kubectl describe "
    "workloads.kueue.x-k8s.io tells more"
)
MOVED = "spec.queueName became another while it waited"


def waiting_for_admission(job: ObservedJob) -> State:
    """The state of what waits for a suspended Job."""
    if job.queue is None:
        return under_way(
            Reason.QUEUED,
            f"{job.kind} {job.name} is suspended, and not by the operator: it runs once whoever "
            "suspended it sets its spec.suspend to false",
        )
    return under_way(
        Reason.QUEUED,
        f"{job.kind} {job.name} waits in LocalQueue {job.queue} until Kueue admits it; "
        f"{NOTHING_IS_ADMITTED}",
    )


def preempted(job: ObservedJob) -> State:
    """The state of a training whose Job was admitted before."""
    where = f" in LocalQueue {job.queue}" if job.queue else ""
    return under_way(
        Reason.PREEMPTED,
        f"{job.kind} {job.name} was suspended after it had been admitted, to make room for "
        f"another, say; it waits{where} to be admitted again, and goes on from its last checkpoint",
    )


def waits_elsewhere(job: ObservedJob, wanted: str | None) -> bool:
    """Whether a Job that is not admitted waits in another queue than is wanted now.

    Where no queue is wanted, none is wrong: a cluster may put every Job into one.
    """
    return job.suspended and wanted is not None and job.queue not in {None, wanted}
