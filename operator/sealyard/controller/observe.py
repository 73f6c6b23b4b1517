"""Gathers what a decision depends on, from the caches alone: a pass makes no request to look."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from sealyard.api.model_release import ModelRelease
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun
from sealyard.controller.caches import Caches
from sealyard.controller.records import CLAIM_LINK, VERSION_LINK, Link, ObjectRecord
from sealyard.controller.resources import RELEASES, RUNS, TARGETS, Key
from sealyard.core.observed import (
    ModelReleaseObserved,
    ObservedClaim,
    ObservedJob,
    ReleaseTargetObserved,
    TrainingRunObserved,
)

Observed = TrainingRunObserved | ModelReleaseObserved | ReleaseTargetObserved

logger = logging.getLogger(__name__)


def observe(
    caches: Caches,
    record: ObjectRecord,
    document: dict[str, Any],
    foreign_jobs: tuple[str, ...] = (),
) -> Observed:
    """One look at a custom resource.

    Args:
        caches: what is known of the cluster.
        record: the object itself.
        document: what stands in it, with the status as this pass has decided it so far.
        foreign_jobs: Jobs that the object would use and somebody else owns.

    Raises:
        pydantic.ValidationError: the object does not fit its kind, which the API server prevents
            while the CRDs are of this version.
    """
    if record.key.kind == RUNS.kind:
        return TrainingRunObserved(
            run=TrainingRun.from_wire(document),
            jobs=_jobs(caches, record),
            claims=_claims(caches, record),
            foreign_jobs=foreign_jobs,
        )
    if record.key.kind == RELEASES.kind:
        return _observe_release(caches, record, document, foreign_jobs)
    return ReleaseTargetObserved(
        target=ReleaseTarget.from_wire(document),
        jobs=_jobs(caches, record),
        foreign_jobs=foreign_jobs,
    )


def _observe_release(
    caches: Caches,
    record: ObjectRecord,
    document: dict[str, Any],
    foreign_jobs: tuple[str, ...],
) -> ModelReleaseObserved:
    run = target = None
    namesakes: tuple[ModelRelease, ...] = ()
    for link in record.links:
        if link.kind == VERSION_LINK:
            namesakes = _namesakes(caches, record, link)
        elif link.kind == RUNS.kind:
            run = caches.object(Key(*link))
        elif link.kind == TARGETS.kind:
            target = caches.object(Key(*link))
    return ModelReleaseObserved(
        release=ModelRelease.from_wire(document),
        run=TrainingRun.from_wire(run.parse()) if run else None,
        target=ReleaseTarget.from_wire(target.parse()) if target else None,
        jobs=_jobs(caches, record),
        claims=tuple({*_claims(caches, record), *(_claims(caches, run) if run else ())}),
        namesakes=namesakes,
        foreign_jobs=foreign_jobs,
    )


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


def _jobs(caches: Caches, record: ObjectRecord) -> tuple[ObservedJob, ...]:
    return tuple(_with_pod(caches, found.job) for found in caches.jobs_of(record.uid))


def _with_pod(caches: Caches, job: ObservedJob) -> ObservedJob:
    newest = caches.newest_pod(job.uid)
    return replace(job, pod=newest.pod) if newest else job


def _claims(caches: Caches, record: ObjectRecord) -> tuple[ObservedClaim, ...]:
    found = (
        caches.claim(link.namespace, link.name) for link in record.links if link.kind == CLAIM_LINK
    )
    return tuple(claim.claim for claim in found if claim)
