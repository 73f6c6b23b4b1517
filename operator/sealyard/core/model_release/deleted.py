"""A release that is being deleted: what is published stays, unless it must leave an index first."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.api.model_release import ModelReleaseSpec
from sealyard.core.conditions import State, under_way
from sealyard.core.model_release.lifetime import is_listable, must_leave_first
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Event, Plan

LOOK_AGAIN_SECONDS = 30.0
"""Nothing tells that a namespace is deleted when what is in it is being deleted already."""


def deleted(situation: Situation) -> Plan | None:
    """Starts nothing in an object that is going away; with Withdraw, it goes when it is out."""
    metadata = situation.release.metadata
    if metadata.deletion_timestamp is None:
        return None
    if WITHDRAW_FINALIZER not in metadata.finalizers:
        return Plan()
    spec = situation.release.spec
    if not (must_leave_first(situation) and is_listable(situation)):
        return Plan(hold=False)
    if situation.is_withdrawn:
        said = f"{spec.model} {spec.version} stands in no signed index any more"
        return Plan(hold=False, events=(Event("Normal", Reason.WITHDRAWN, said),))
    if situation.namespace_ends:
        said = (
            f"namespace {metadata.namespace} is being deleted, so that no Job can withdraw "
            f"{spec.model} {spec.version}: it stays listed"
        )
        return Plan(hold=False, events=(Event("Warning", Reason.NOT_WITHDRAWN, said),))
    return situation.decide(
        situation.release.status.phase or situation.phase,
        _waiting(situation),
        requeue_after=LOOK_AGAIN_SECONDS,
    )


def _waiting(situation: Situation) -> State:
    spec = situation.release.spec
    name = spec.target_ref.name
    if situation.target is None or situation.target.metadata.deletion_timestamp:
        return under_way(
            Reason.TARGET_MISSING,
            f"{spec.model} {spec.version} cannot be withdrawn without ReleaseTarget {name}: create "
            f"it, or {_give_up(spec)}",
        )
    return under_way(
        Reason.WITHDRAWING,
        f"waiting for a signed index of ReleaseTarget {name} without {spec.model} {spec.version}",
    )


def _give_up(spec: ModelReleaseSpec) -> str:
    """How somebody says that it may go all the same."""
    if spec.deletion_policy == "Withdraw" and not spec.revoked:
        return "set spec.deletionPolicy to Retain"
    return f"take its finalizer {WITHDRAW_FINALIZER} away"
