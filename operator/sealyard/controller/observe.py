"""Gathers what a decision depends on, from the caches alone: a pass makes no request to look."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.device import Device
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import NamedRelease, ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.api.training_run import TrainingRun
from sealyard.controller.caches import Caches
from sealyard.controller.links import (
    CHANNEL_LINK,
    CLAIM_LINK,
    DEFAULT_PROFILE,
    DEVICE_LINK,
    MARKED_DEFAULT,
    STORAGE_LINK,
    VERSION_LINK,
    Link,
)
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import (
    CHANNELS,
    DEVICES,
    PROFILES,
    RELEASES,
    ROUTES,
    RUNS,
    TARGETS,
    Key,
)
from sealyard.core.jobs import router_name
from sealyard.core.nodes import speaker
from sealyard.core.observed import (
    AnnotationRouteObserved,
    DeviceObserved,
    Listing,
    ModelReleaseObserved,
    ObservedClaim,
    ObservedJob,
    Profiles,
    ReleaseChannelObserved,
    ReleaseTargetObserved,
    TrainingRunObserved,
)
from sealyard.core.roster import ChannelEntry, DeviceEntry, ReleaseEntry, TargetEntry

Observed = (
    TrainingRunObserved
    | ModelReleaseObserved
    | ReleaseTargetObserved
    | ReleaseChannelObserved
    | DeviceObserved
    | AnnotationRouteObserved
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Around:
    """What a look depends on beside the caches."""

    foreign_jobs: tuple[str, ...] = ()
    """Jobs, or Deployments, that the object would use and somebody else owns."""
    supplied: frozenset[str] = frozenset()
    """The uids of Jobs whose input lies in the cluster."""
    namespace_ends: bool = False
    """The namespace is being deleted; looked up only where the object is, too."""


def observe(
    caches: Caches,
    record: ObjectRecord,
    document: dict[str, Any],
    now: datetime,
    around: Around,
) -> Observed:
    """One look at a custom resource.

    Args:
        caches: what is known of the cluster.
        record: the object itself.
        document: what stands in it, with the status as this pass has decided it so far.
        now: the time that it goes by.
        around: what is known beside the caches.

    Raises:
        pydantic.ValidationError: the object does not fit its kind, which the API server prevents
            while the CRDs are of this version.
    """
    if record.key.kind == RUNS.kind:
        source, route = _run_named(caches, record), _named(caches, record, ROUTES.kind)
        claims = _claims_of(caches, record, source, route)
        return TrainingRunObserved(
            run=TrainingRun.from_wire(document),
            jobs=_jobs(caches, record),
            claims=claims,
            uses=caches.uses_of(record, (claim.name for claim in claims)),
            foreign_jobs=around.foreign_jobs,
            profiles=_profiles(caches, record),
            source=TrainingRun.from_wire(source.parse()) if source else None,
            route=AnnotationRoute.from_wire(route.parse()) if route else None,
            job_sets=caches.has_job_sets(record.key.namespace),
        )
    if record.key.kind == RELEASES.kind:
        return _observe_release(caches, record, document, now, around)
    if record.key.kind == CHANNELS.kind:
        return _observe_channel(caches, record, document, now)
    if record.key.kind == DEVICES.kind:
        return _observe_device(caches, record, document, now, around)
    if record.key.kind == ROUTES.kind:
        return _observe_route(caches, record, document, around)
    return ReleaseTargetObserved(
        target=ReleaseTarget.from_wire(document),
        jobs=_jobs(caches, record),
        foreign_jobs=around.foreign_jobs,
        roster=caches.followers.roster(record.key),
        supplied=around.supplied,
    )


def _observe_release(
    caches: Caches,
    record: ObjectRecord,
    document: dict[str, Any],
    now: datetime,
    around: Around,
) -> ModelReleaseObserved:
    run, target = _run_named(caches, record), None
    namesakes: tuple[ModelRelease, ...] = ()
    for link in record.links:
        if link.kind == VERSION_LINK:
            namesakes = _namesakes(caches, record, link)
        elif link.kind == TARGETS.kind:
            target = caches.object(Key(*link))
    claims = _claims_of(caches, record, run)
    return ModelReleaseObserved(
        release=ModelRelease.from_wire(document),
        run=TrainingRun.from_wire(run.parse()) if run else None,
        target=ReleaseTarget.from_wire(target.parse()) if target else None,
        jobs=_jobs(caches, record),
        claims=claims,
        uses=caches.uses_of(record, (claim.name for claim in claims)),
        namesakes=namesakes,
        foreign_jobs=around.foreign_jobs,
        listing=_listing(caches, record, now),
        namespace_ends=around.namespace_ends,
        profiles=_profiles(caches, record),
    )


def _listing(caches: Caches, record: ObjectRecord, now: datetime) -> Listing:
    """What the last signed index says of a release, as far as it is known."""
    entry, key, target = record.entry, record.target, _target(caches, record)
    if not isinstance(entry, ReleaseEntry) or key is None or target is None:
        return Listing()
    index = caches.followers.roster(key).index(target.index_digest, now)
    channels = [
        channel
        for channel in caches.followers.channels(key).values()
        if channel.model == entry.model and entry.version in channel.remembered
    ]
    return Listing(
        listed=index is not None and index.lists(*entry.name, entry.manifest_sha256),
        withdrawn=index is not None and index.withdraws(*entry.name),
        channels=tuple(
            sorted(
                channel.channel
                for channel in channels
                if channel.listed and channel.listed.version == entry.version
            )
        ),
        is_remembered=bool(channels),
    )


def _observe_channel(
    caches: Caches, record: ObjectRecord, document: dict[str, Any], now: datetime
) -> ReleaseChannelObserved:
    channel = ReleaseChannel.from_wire(document)
    entry, key, target = ChannelEntry.of(channel), record.target, _target(caches, record)
    if key is None or target is None:
        return ReleaseChannelObserved(channel, listed=entry.listed)
    roster = caches.followers.roster(key)
    index = roster.index(target.index_digest, now)
    listed = entry.listed
    if index is not None:
        named = index.channel(*entry.name)
        if named:
            listed = NamedRelease(version=named.version, manifest_sha256=named.manifest_sha256)
        elif index.closes(*entry.name):
            listed = None
    return ReleaseChannelObserved(
        channel,
        target,
        owner=_owner(caches, record, CHANNEL_LINK),
        naming=roster.at(now).naming(entry),
        listed=listed,
        withdrawn=frozenset(
            version
            for version in entry.remembered
            if index is not None and index.withdraws(entry.model, version)
        ),
        devices=roster.followers[entry.name],
    )


def _observe_device(
    caches: Caches,
    record: ObjectRecord,
    document: dict[str, Any],
    now: datetime,
    around: Around,
) -> DeviceObserved:
    device = Device.from_wire(document)
    entry = record.entry if isinstance(record.entry, DeviceEntry) else None
    key, target = record.target, _target(caches, record)
    if key is None or target is None:
        return DeviceObserved(device, entry)
    roster = caches.followers.roster(key)
    grants = roster.grants(target.grants_digest, now)
    later = _grants_after(caches, key, target)
    return DeviceObserved(
        device,
        entry,
        target,
        owner=_owner(caches, record, DEVICE_LINK),
        share=grants.share(device.spec.device_id) if grants else None,
        is_settled=entry is not None and later is not None and roster.tells(entry, later, now),
        namespace_ends=around.namespace_ends,
    )


def _observe_route(
    caches: Caches, record: ObjectRecord, document: dict[str, Any], around: Around
) -> AnnotationRouteObserved:
    route = AnnotationRoute.from_wire(document)
    found = caches.deployment(record.key.namespace, router_name(route))
    deployment = found.deployment if found and found.owner_uid == record.uid else None
    newest = caches.newest_pod(record.uid)
    return AnnotationRouteObserved(
        route,
        replace(deployment, pod=newest.pod if newest else None) if deployment else None,
        claims=_claims(caches, record),
        owner=_storage_owner(caches, record),
        foreign=around.foreign_jobs,
    )


def _storage_owner(caches: Caches, record: ObjectRecord) -> str | None:
    """The name of the oldest route that files into a route's storage, if that is another."""
    [storage] = (link for link in record.links if link.kind == STORAGE_LINK)
    rivals = (caches.object(key) for key in caches.dependents(storage))
    oldest = min((one for one in rivals if one), key=_seniority, default=record)
    return oldest.key.name if oldest.key != record.key else None


def _seniority(record: ObjectRecord) -> tuple[str, str]:
    return record.parse()["metadata"]["creationTimestamp"], record.uid


def _grants_after(caches: Caches, key: Key, target: TargetEntry) -> list[str | None] | None:
    """The variants of the grant Jobs after the one that succeeded, None for one that is gone.

    None altogether where none succeeded, or the newest end is a failure.
    """
    record = caches.object(key)
    if record is None or target.granted_by is None:
        return None
    variants = {
        found.job.attempt: found.job.variant
        for found in caches.jobs_of(record.uid)
        if found.job.role is Role.GRANT
    }
    newest = max([target.grants_started, *variants])
    return [variants.get(attempt) for attempt in range(target.granted_by + 1, newest + 1)]


def _target(caches: Caches, record: ObjectRecord) -> TargetEntry | None:
    """The target that an object follows, if it exists."""
    found = caches.object(record.target) if record.target else None
    return found.entry if found and isinstance(found.entry, TargetEntry) else None


def _owner(caches: Caches, record: ObjectRecord, kind: str) -> str | None:
    """The name of the object that owns the name which this one wants, if that is another."""
    named = next((link for link in record.links if link.kind == kind), None)
    others = (caches.object(key) for key in caches.dependents(named)) if named else ()
    rivals = [
        (other.entry.seniority, other.key.name)
        for other in others
        if other and isinstance(other.entry, ChannelEntry | DeviceEntry)
    ]
    name = min(rivals)[1] if rivals else record.key.name
    return name if name != record.key.name else None


def _namesakes(caches: Caches, record: ObjectRecord, version: Link) -> tuple[ModelRelease, ...]:
    """The other releases of this version. One that does not fit its kind can own nothing."""
    found = []
    for key in caches.dependents(version):
        other = caches.object(key) if key != record.key else None
        if other is None:
            continue
        try:
            found.append(ModelRelease.from_wire(other.parse()))
        except ValidationError:
            _tell_of_misfit(other.key, other.uid)
    return tuple(found)


@lru_cache(maxsize=1024)
def _tell_of_misfit(key: Key, uid: str) -> None:
    """Once for each object: every pass over a namesake of it comes by here."""
    logger.warning(
        "%s does not fit its kind, so it owns no version; see its own errors",
        key,
        extra={"key": str(key), "uid": uid},
    )


def _profiles(caches: Caches, record: ObjectRecord) -> Profiles:
    """The ComputeProfile that an object names, or else those that are marked as the default."""
    if DEFAULT_PROFILE in record.links:
        marked = (_profile(caches, key) for key in caches.dependents(MARKED_DEFAULT))
        return Profiles(defaults=tuple(profile for profile in marked if profile))
    named = next(Key(*link) for link in record.links if link.kind == PROFILES.kind)
    return Profiles(named=_profile(caches, named))


def _profile(caches: Caches, key: Key) -> ComputeProfile | None:
    found = caches.object(key)
    return ComputeProfile.from_wire(found.parse()) if found else None


def _jobs(caches: Caches, record: ObjectRecord) -> tuple[ObservedJob, ...]:
    return tuple(_with_pod(caches, found.job) for found in caches.jobs_of(record.uid))


def _with_pod(caches: Caches, job: ObservedJob) -> ObservedJob:
    if job.is_set:
        pods = [record.pod for record in caches.pods_of(job.uid)]
        begun = [pod.started_at for pod in pods if pod.started_at]
        return replace(
            job,
            pod=speaker(pods, job.state),
            begun_at=job.begun_at or min(begun, default=None),
        )
    newest = caches.newest_pod(job.uid)
    return replace(job, pod=newest.pod) if newest else job


def _claims(caches: Caches, record: ObjectRecord) -> tuple[ObservedClaim, ...]:
    found = (
        caches.claim(link.namespace, link.name) for link in record.links if link.kind == CLAIM_LINK
    )
    return tuple(claim.claim for claim in found if claim)


def _claims_of(
    caches: Caches, record: ObjectRecord, *others: ObjectRecord | None
) -> tuple[ObservedClaim, ...]:
    """Those that an object names, and those of what it takes something from."""
    named = (record, *(other for other in others if other))
    return tuple({claim for one in named for claim in _claims(caches, one)})


def _run_named(caches: Caches, record: ObjectRecord) -> ObjectRecord | None:
    """The TrainingRun that an object names, if it exists."""
    return _named(caches, record, RUNS.kind)


def _named(caches: Caches, record: ObjectRecord, kind: str) -> ObjectRecord | None:
    """The object of a kind that an object names, if it exists."""
    named = next((link for link in record.links if link.kind == kind), None)
    return caches.object(Key(*named)) if named else None
