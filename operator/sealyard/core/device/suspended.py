"""spec.suspend: the device is to be let in no more."""

from __future__ import annotations

from dataclasses import replace

from sealyard.api.conditions import Reason
from sealyard.api.device import Device
from sealyard.core.conditions import ready, under_way
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan

LOOK_AGAIN_SECONDS = 30.0
"""Where a change was taken back before any Job was told of it, nothing else says so."""


def suspended(situation: Situation) -> Plan | None:
    """It is, once the release API was told, and stays so while the spec is the same."""
    if not situation.device.spec.suspend:
        return None
    if situation.is_shut_out or (situation.is_told and _was_suspended(situation.device)):
        return situation.decide(
            "Suspended",
            ready(
                Reason.SUSPENDED,
                "the device is let in no more, and what was granted to it is deleted; what it "
                "holds already opens until the index that it knows expires",
            ),
        )
    name = situation.device.spec.target_ref.name
    return replace(
        situation.decide(
            situation.phase,
            under_way(
                Reason.SUSPENDING,
                f"waiting for the next grant Job of ReleaseTarget {name}, which ends its login",
            ),
        ),
        requeue_after=LOOK_AGAIN_SECONDS,
    )


def _was_suspended(device: Device) -> bool:
    status = device.status
    return status.phase == "Suspended" and any(
        condition.type == "Ready"
        and condition.status == "True"
        and condition.observed_generation == device.metadata.generation
        for condition in status.conditions
    )
