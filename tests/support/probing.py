"""A target's probe as plans have it: its Job, its answers, and targets that were probed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.probe import Check
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.release_target import reconcile
from support.builders import NOW, SETTINGS, JobBuilder, TargetBuilder, a_job, a_release_target
from support.specs import PROBE_RESULT

HOUR = 3600
AT_ONCE = "or at once when the annotation sealyard.io/requestedAt gets a new time"
WIDE = "it can, and must not; take s3:GetObject away from the credential in Secret cdn-write"


def name(attempt: int = 1) -> str:
    return job_name("stores", "target-uid", Role.PROBE, "", attempt)


def job(attempt: int = 1) -> JobBuilder:
    built = a_job(Role.PROBE, attempt=attempt)
    return JobBuilder(replace(built.job, name=name(attempt)))


def result(generation: int = 1, **failed: str) -> dict[str, Any]:
    """An answer in which these checks failed (`cdn_write_no_get`), all others passed."""
    checks = [
        {"name": check.value, "result": "Failed", "message": failed[key]}
        if (key := check.value.replace("-", "_")) in failed
        else {"name": check.value, "result": "Passed"}
        for check in Check
    ]
    return {**PROBE_RESULT, "generation": generation, "checks": checks}


def look(
    target: TargetBuilder,
    *jobs: ObservedJob,
    now: datetime = NOW,
    foreign_jobs: tuple[str, ...] = (),
) -> Plan:
    return reconcile(target.observed(*jobs, foreign_jobs=foreign_jobs), SETTINGS, now)


def started(target: TargetBuilder | None = None) -> TargetBuilder:
    target = target or a_release_target()
    return target.after(look(target))


def passed(target: TargetBuilder | None = None) -> TargetBuilder:
    target = started(target)
    return target.after(look(target, job().complete(result())))


def failed(target: TargetBuilder | None = None) -> TargetBuilder:
    target = started(target)
    return target.after(look(target, job().complete(result(cdn_write_no_get=WIDE))))
