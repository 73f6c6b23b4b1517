"""A target with its grants and its index, and what becomes of their Jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.release_target import reconcile
from sealyard.core.roster import GrantDocument, IndexDocument, Roster
from support.builders import (
    NOW,
    SETTINGS,
    JobBuilder,
    TargetBuilder,
    a_job,
    a_release_target,
    at,
    time_of,
)

WEEK = 604_800
EXPIRES = at(WEEK)


def look(
    target: TargetBuilder,
    roster: Roster,
    *jobs: ObservedJob,
    now: datetime = NOW,
    foreign_jobs: tuple[str, ...] = (),
    supplied: Iterable[ObservedJob] = (),
) -> Plan:
    """One pass. The probe goes its own way: here it has just passed."""
    observed = target.probed(now).observed(
        *jobs,
        roster=roster,
        foreign_jobs=foreign_jobs,
        supplied=frozenset(job.uid for job in supplied),
    )
    return reconcile(observed, SETTINGS, now)


def name_of(role: Role, document: GrantDocument | IndexDocument, attempt: int = 1) -> str:
    return job_name("stores", "target-uid", role, document.digest[:16], attempt)


def job_of(role: Role, document: GrantDocument | IndexDocument, attempt: int = 1) -> JobBuilder:
    """A Job that was given a document."""
    built = a_job(role, attempt=attempt, variant=document.digest[:16])
    return JobBuilder(replace(built.job, name=name_of(role, document, attempt)))


def grant_result(document: GrantDocument, devices: int = 1) -> dict[str, Any]:
    return {"inputSha256": document.digest, "devices": devices, "granted": 1, "unchanged": 0}


def index_result(
    document: IndexDocument, version: int = 1, expires: datetime = EXPIRES
) -> dict[str, Any]:
    return {
        "inputSha256": document.digest,
        "version": version,
        "expires": time_of(expires),
        "releases": 1,
        "channels": 1,
        "changed": True,
    }


def signed(
    target: TargetBuilder, document: IndexDocument, expires: datetime = EXPIRES
) -> TargetBuilder:
    """The target once an index with this document was signed."""
    status = {"version": 1, "expires": time_of(expires), "digest": document.digest}
    return target.with_status(index=status)._with("status.tasks", _tasks(target, "index", document))


def granted(target: TargetBuilder, document: GrantDocument, devices: int = 1) -> TargetBuilder:
    """The target once these grants were made."""
    status = {"digest": document.digest, "devices": devices}
    return target.with_status(grants=status)._with(
        "status.tasks", _tasks(target, "grant", document)
    )


def a_trusting_target() -> TargetBuilder:
    return a_release_target().with_trust()


def _tasks(
    target: TargetBuilder, name: str, document: GrantDocument | IndexDocument
) -> list[dict[str, Any]]:
    generation = target.build().metadata.generation
    task = {
        "name": name,
        "started": 1,
        "done": True,
        "watched": f"{document.digest[:16]} {generation}",
        "lastEnd": {"attempt": 1, "exitCode": 0, "reason": "Done", "time": time_of(at(-600))},
    }
    others = target.document["status"].get("tasks", [])
    return [*(one for one in others if one["name"] != name), task]
