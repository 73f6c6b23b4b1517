"""The exports of a release in a queue of Kueue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.api.secrets import Role
from sealyard.core.model_release import reconcile
from sealyard.core.plan import JobKey, Plan
from support.builders import (
    NOW,
    SETTINGS,
    SHARED_CLAIMS,
    a_job,
    a_model_release,
    a_release_target,
    a_training_run,
    ledger,
    says,
)

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
QUEUED = a_model_release("first", "second").with_spec("queueName", "gpu")
FIRST, SECOND = (a_job(Role.EXPORT, variant=name) for name in ("first", "second"))


def plan_of(release: Any, *jobs: Any) -> Plan:
    observed = release.observed(
        *jobs,
        run=a_training_run().succeeded(),
        target=a_release_target(),
        claims=SHARED_CLAIMS,
    )
    return reconcile(observed, SETTINGS, NOW)


def test_exports_are_born_suspended() -> None:
    plan = plan_of(QUEUED)
    assert [job["spec"]["suspend"] for job in plan.create] == [True, True]
    assert {job["metadata"]["labels"][QUEUE_LABEL] for job in plan.create} == {"gpu"}


def test_exports_wait_until_they_are_admitted() -> None:
    plan = plan_of(QUEUED, FIRST.queued(), replace(SECOND.running(), queue="gpu"))
    assert says(plan)[:3] == ("Exporting", "FTF", "Queued")
    assert "Job export-first-1 waits in LocalQueue gpu" in says(plan)[3]
    assert (plan.create, plan.delete) == ((), ())


@pytest.mark.parametrize(("wanted", "moves"), [("gpu", False), ("large", True)])
def test_an_export_that_waits_in_the_wrong_queue_is_replaced(wanted: str, moves: bool) -> None:
    release = QUEUED.with_spec("queueName", wanted)
    running = replace(SECOND.running(), queue="gpu")
    plan = plan_of(release, FIRST.queued(), running)
    gone = (JobKey("coins", "export-first-1", "export-first-1-uid"),)
    assert plan.delete == (gone if moves else ())
    if not moves:
        return
    assert ledger(plan.status, "export-first").get("failures", 0) == 0
    [job] = plan_of(release.after(plan), running).create
    assert job["metadata"]["labels"][QUEUE_LABEL] == wanted
    assert job["metadata"]["labels"]["sealyard.io/attempt"] == "2"
