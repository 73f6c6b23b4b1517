"""Deleting the plaintext exports of a release that is out, or that will never be."""

from __future__ import annotations

from datetime import timedelta

from sealyard.api.conditions import Reason
from sealyard.api.digests import job_name
from sealyard.api.secrets import Role
from sealyard.api.training_run import WorkspaceSpec
from sealyard.core import attempts, live
from sealyard.core.jobs import tidy_job
from sealyard.core.model_release.claims import taken
from sealyard.core.model_release.situation import Situation, failed_at
from sealyard.core.plan import Event, Plan


def tidy_up(situation: Situation) -> Plan:
    """What is to be done about the exports: the ledger, at most one Job, when to look again.

    Whether it works does not change what the release is; when it is given up, an event says so.
    """
    pinned = situation.release.status.workspace
    if pinned is None:
        return Plan()
    workspace = pinned.spec
    work = situation.works.tidy
    tasks = situation.tasks()
    limit = situation.settings.release_backoff_limit
    if reason := attempts.failure(work, backoff_limit=limit):
        return Plan(status={"tasks": tasks}, events=_told_once(situation, reason.message))
    if work.job or work.ledger.done:
        again = live.look_again(work.job, situation.now) if work.job else None
        return Plan(status={"tasks": tasks}, requeue_after=again)
    wait = max(
        _retention(situation),
        attempts.seconds_to_wait(work, now=situation.now, watched=situation.watched),
    )
    if wait > 0 or not _can_start(situation, workspace):
        return Plan(status={"tasks": tasks}, requeue_after=wait or None)
    job = tidy_job(
        situation.release, situation.settings, workspace=workspace, attempt=work.next_attempt
    )
    started = attempts.start(work.ledger, watched=situation.watched)
    return Plan(create=(job,), status={"tasks": situation.tasks(started)})


def _can_start(situation: Situation, workspace: WorkspaceSpec) -> bool:
    """Where the workspace is gone there is nothing to delete, and a foreign Job is left alone.

    One that somebody else's Job has is waited for.
    """
    metadata = situation.release.metadata
    name = job_name(metadata.name, metadata.uid, Role.TIDY, "", situation.works.tidy.next_attempt)
    claims = {claim.name for claim in situation.claims if not claim.deleting}
    is_there = workspace.s3 is not None or workspace.claim_name in claims
    is_free = taken(situation, workspace, dataset=False) is None
    return is_there and is_free and name not in situation.foreign_jobs


def _retention(situation: Situation) -> float:
    """Seconds that the exports of a Failed release still stay, for it may be reopened.

    Those that a gate refused stay as long, for whoever wants to see why.
    """
    failed = failed_at(situation.release)
    if situation.release.status.phase not in {"Failed", "GateFailed"} or failed is None:
        return 0.0
    kept = timedelta(seconds=situation.settings.failed_release_retention_seconds)
    return max((failed + kept - situation.now).total_seconds(), 0.0)


def _told_once(situation: Situation, message: str) -> tuple[Event, ...]:
    recorded = situation.release.status.tasks or []
    before = next((ledger for ledger in recorded if ledger.name == Role.TIDY), None)
    if before == situation.works.tidy.ledger:
        return ()
    return (
        Event("Warning", Reason.TIDY_FAILED, f"the plaintext exports were not deleted: {message}"),
    )
