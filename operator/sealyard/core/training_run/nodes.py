"""More than one node is asked for, and the cluster or a claim does not allow it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.compute import Compute
from sealyard.core.conditions import stalled, under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.claims import claims_of
from sealyard.core.training_run.situation import Situation

WRITABLE = {"ReadWriteMany"}
READABLE = {"ReadWriteMany", "ReadOnlyMany"}
WORKSPACE = "spec.workspace"


def nowhere_to_fetch(situation: Situation) -> Plan | None:
    """Each node fetches a dataset into a workspace that it has for itself: the copy of a store.

    Judged before each attempt, for the number of nodes may change between two.
    """
    compute = situation.compute
    if not isinstance(compute, Compute) or compute.nodes == 1:
        return None
    spec = situation.run.spec
    if spec.workspace.s3 is not None or spec.dataset.claim_name is not None:
        return None
    field = "spec.dataset.s3" if spec.dataset.s3 is not None else "spec.dataset.annotationRouteRef"
    return situation.decide(
        "Pending",
        stalled(
            Reason.INVALID_SPEC,
            f"spec.compute.nodes is {compute.nodes}, and each node fetches {field} into a copy of "
            "the workspace: spec.workspace.s3 is wanted, or spec.dataset.persistentVolumeClaim",
        ),
        requeue_after=situation.seconds_left,
    )


def nodes_not_ready(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang, and goes on when that has changed."""
    compute = situation.compute
    if not isinstance(compute, Compute) or compute.nodes == 1:
        return None
    said = f"spec.compute.nodes is {compute.nodes}"
    if not situation.job_sets:
        return situation.decide(
            "Pending",
            under_way(
                Reason.JOB_SET_MISSING,
                f"{said}, and this cluster has no JobSet (jobset.x-k8s.io/v1alpha2), or the "
                "operator may not list JobSets: install it, or give the operator its chart's role, "
                "and the run goes on",
            ),
            requeue_after=situation.seconds_left,
        )
    modes = {claim.name: claim.access_modes for claim in situation.claims}
    for field, claim in claims_of(situation).items():
        wanted = WRITABLE if field.startswith(WORKSPACE) else READABLE
        if wanted.isdisjoint(modes[claim]):
            return situation.decide(
                "Pending",
                stalled(
                    Reason.CLAIM_NOT_SHARED,
                    f"{said}, and PersistentVolumeClaim {claim} ({field}) is "
                    f"{', '.join(modes[claim])}: {' or '.join(sorted(wanted))} is wanted",
                ),
                requeue_after=situation.seconds_left,
            )
    return None
