"""What the operator would say of an object that the API server let in: its own decision, made here.

What is known beside it are the ComputeProfiles that are applied with it; whatever else the object
refers to may or may not exist, and is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.conditions import ConditionType
from sealyard.api.device import Device
from sealyard.api.model import LocalObjectReference
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun
from sealyard.core.annotation_route import reconcile as reconcile_route
from sealyard.core.device import reconcile as reconcile_device
from sealyard.core.model_release import reconcile as reconcile_release
from sealyard.core.observed import (
    AnnotationRouteObserved,
    DeviceObserved,
    ModelReleaseObserved,
    Profiles,
    ReleaseChannelObserved,
    ReleaseTargetObserved,
    TrainingRunObserved,
)
from sealyard.core.plan import Plan
from sealyard.core.release_channel import reconcile as reconcile_channel
from sealyard.core.release_target import reconcile as reconcile_target
from sealyard.core.reopening import HOW_TO_REOPEN
from sealyard.core.roster import DeviceEntry
from sealyard.core.settings import Images, Settings
from sealyard.core.training_run import reconcile as reconcile_run

Decide = Callable[[dict[str, Any], Settings, datetime], Plan]
SETTINGS = Settings(images=Images("trainer", "exporter", "courier", "router"))


def _run(
    document: dict[str, Any], profiles: Sequence[ComputeProfile], settings: Settings, now: datetime
) -> Plan:
    run = TrainingRun.from_wire(document)
    used = _used(run.spec.profile_ref, profiles)
    return reconcile_run(TrainingRunObserved(run, profiles=used), settings, now)


def _release(
    document: dict[str, Any], profiles: Sequence[ComputeProfile], settings: Settings, now: datetime
) -> Plan:
    release = ModelRelease.from_wire(document)
    used = _used(release.spec.profile_ref, profiles)
    return reconcile_release(ModelReleaseObserved(release, profiles=used), settings, now)


def _used(reference: LocalObjectReference | None, profiles: Sequence[ComputeProfile]) -> Profiles:
    """The profile of that name, or else those that are the default, as far as they are known."""
    if reference is None:
        return Profiles(defaults=tuple(one for one in profiles if one.spec.default))
    named = (one for one in profiles if one.metadata.name == reference.name)
    return Profiles(named=next(named, None))


def _channel(document: dict[str, Any], settings: Settings, now: datetime) -> Plan:
    channel = ReleaseChannel.from_wire(document)
    return reconcile_channel(ReleaseChannelObserved(channel), settings, now)


def _device(document: dict[str, Any], settings: Settings, now: datetime) -> Plan:
    device = Device.from_wire(document)
    return reconcile_device(DeviceObserved(device, DeviceEntry.of(device)), settings, now)


def _target(document: dict[str, Any], settings: Settings, now: datetime) -> Plan:
    return reconcile_target(ReleaseTargetObserved(ReleaseTarget.from_wire(document)), settings, now)


def _route(document: dict[str, Any], settings: Settings, now: datetime) -> Plan:
    route = AnnotationRoute.from_wire(document)
    return reconcile_route(AnnotationRouteObserved(route), settings, now)


DECIDE: dict[str, Decide] = {
    ReleaseChannel.KIND: _channel,
    Device.KIND: _device,
    ReleaseTarget.KIND: _target,
    AnnotationRoute.KIND: _route,
}


ON_PROFILES = {TrainingRun.KIND: _run, ModelRelease.KIND: _release}


def verdict(
    document: dict[str, Any], profiles: Sequence[ComputeProfile], now: datetime
) -> str | None:
    """Why a new object of this spec would be Stalled at once, or None.

    Args:
        document: of a kind of ours, and valid by its schema.
        profiles: those that are applied with it.
        now: when it is applied.
    """
    # Nothing of its own metadata counts, and what is written there may be of any shape.
    metadata = {"name": "unnamed", "namespace": "default", "uid": "new"}
    fresh = {"metadata": metadata, "spec": document["spec"]}
    kind = document["kind"]
    if kind in ON_PROFILES:
        plan = ON_PROFILES[kind](fresh, profiles, SETTINGS, now)
    elif kind in DECIDE:
        plan = DECIDE[kind](fresh, SETTINGS, now)
    else:
        # A ComputeProfile: others are judged by it.
        return None
    stalled = (
        condition
        for condition in plan.status.get("conditions", ())
        if (condition["type"], condition["status"]) == (ConditionType.STALLED, "True")
    )
    return next((_advice(one) for one in stalled), None)


def _advice(condition: dict[str, Any]) -> str:
    """What the condition says, without how to reopen what is not there yet."""
    message = condition["message"].replace(f"; {HOW_TO_REOPEN}", "")
    return f"{message} ({condition['reason']})"
