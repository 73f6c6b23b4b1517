"""A device that is being deleted: it goes once the release API lets it in no more."""

from __future__ import annotations

from dataclasses import replace

from sealyard.api.conditions import Reason
from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.core.conditions import under_way
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Event, Plan

LOOK_AGAIN_SECONDS = 30.0
"""Nothing tells that a namespace is deleted when what is in it is being deleted already."""


def deleted(situation: Situation) -> Plan | None:
    """Applying the YAML was the authorisation, so taking it away ends it."""
    metadata = situation.device.metadata
    if metadata.deletion_timestamp is None:
        return None
    if WITHDRAW_FINALIZER not in metadata.finalizers:
        return Plan()
    if situation.entry is None or situation.owner is not None:
        # Nobody was ever told of it; or of another Device for the same machine, which stays.
        return Plan(hold=False)
    device_id = situation.device.spec.device_id
    if situation.is_shut_out:
        said = f"device {device_id} is let in no more, and what was granted to it is deleted"
        return Plan(hold=False, events=(Event("Normal", Reason.WITHDRAWN, said),))
    target = situation.device.spec.target_ref.name
    if situation.target is None or situation.namespace_ends:
        why = (
            f"ReleaseTarget {target} is not there"
            if situation.target is None
            else f"namespace {metadata.namespace} is being deleted"
        )
        said = f"{why}, so that no Job can end the login of device {device_id}: suspend it there"
        return Plan(hold=False, events=(Event("Warning", Reason.NOT_WITHDRAWN, said),))
    return replace(
        situation.decide(
            situation.phase,
            under_way(
                Reason.SUSPENDING,
                f"waiting for the next grant Job of ReleaseTarget {target}, which ends its login",
            ),
        ),
        requeue_after=LOOK_AGAIN_SECONDS,
    )


def hold(situation: Situation, plan: Plan) -> Plan:
    """The plan with the finalizer that makes a deletion wait."""
    metadata = situation.device.metadata
    if metadata.deletion_timestamp or WITHDRAW_FINALIZER in metadata.finalizers:
        return plan
    return replace(plan, hold=True)
