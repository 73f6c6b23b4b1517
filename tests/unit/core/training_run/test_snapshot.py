"""A run on an annotation route: what it waits for, what is pinned, and what its Jobs get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.core.observed import ObservedClaim
from sealyard.core.training_run import reconcile
from support.builders import (
    CLAIMS,
    WITH_PROGRESS,
    RunBuilder,
    a_job,
    a_training_run,
    at,
    job_names,
    says,
    task_of,
)
from support.job_manifests import mounts_of
from support.routes import CLAIM, RouteBuilder, a_route
from support.run_attempts import FIRST_JOB, SECOND_JOB
from support.specs import DIGEST, S3_WORKSPACE, TRAIN_RESULT

ROUTE = a_route().named("shop", uid="route-uid")
FILED = ROUTE.reported()
RUN = a_training_run().with_spec("dataset", {"annotationRouteRef": {"name": "shop"}})
AT_800 = RUN.with_spec("dataset.annotationRouteRef.offset", 800)
AT_1300 = RUN.with_spec("dataset.annotationRouteRef.offset", 1300)
PINNED = {
    "route": "shop",
    "routeUid": "route-uid",
    "offset": 1200,
    "validationPercent": 20,
    "storage": {"persistentVolumeClaim": {"claimName": "annotations", "path": "coins"}},
}


def plan_of(
    run: RunBuilder, *jobs: Any, route: RouteBuilder | None = None, later: float = 0, **more: Any
) -> Any:
    seen = {"claims": (*CLAIMS, CLAIM), **more}
    observed = run.observed(*jobs, route=route.build() if route else None, **seen)
    return reconcile(observed, WITH_PROGRESS, at(later))


def pinned(run: RunBuilder = RUN, route: RouteBuilder = FILED) -> RunBuilder:
    """The run after the pass that pins it."""
    return run.after(plan_of(run, route=route))


@pytest.mark.parametrize(
    ("run", "route", "reason", "part"),
    [
        (RUN, None, "RouteMissing", "AnnotationRoute shop (spec.dataset.annotationRouteRef.name)"),
        (RUN, ROUTE, "WaitingForAnnotations", "shop (spec.dataset.annotationRouteRef.name) has f"),
        (RUN, ROUTE, "WaitingForAnnotations", "has filed nothing yet; its conditions say why"),
        (
            RUN,
            ROUTE.reported(validated=0),
            "WaitingForAnnotations",
            "has filed no validated item (12 are in seed/)",
        ),
        (
            AT_1300,
            FILED,
            "WaitingForAnnotations",
            "has filed what is before offset 1200; the run waits for 1300 (spec.dataset.annotation",
        ),
    ],
)
def test_it_waits_for_what_is_missing(
    run: RunBuilder, route: RouteBuilder | None, reason: str, part: str
) -> None:
    plan = plan_of(run, route=route)
    phase, *conditions, message = says(plan)
    assert (phase, *conditions) == ("Pending", "FTF", reason)
    assert part in message
    assert plan.create == ()
    assert "snapshot" not in plan.status


def test_it_is_pinned_before_there_is_a_job() -> None:
    plan = plan_of(RUN, route=FILED)
    assert plan.status["snapshot"] == PINNED
    assert (plan.create, plan.events, plan.requeue_after) == ((), (), 0)
    assert says(plan)[3] == "trains on AnnotationRoute shop at offset 1200"
    # The route has moved on, and was even deleted.
    for route in (FILED.reported(offset=5000), None):
        started = plan_of(RUN.after(plan), route=route)
        assert job_names(started) == [FIRST_JOB]
        task = task_of(started.create[0])
        assert task["snapshot"] == {"route": "shop", "offset": 1200, "validationPercent": 20}
        assert (task["datasetPath"], task["taskVersion"]) == ("coins", 6)
        assert "dataset" not in task
        assert mounts_of(started.create[0])["dataset"] == ("/dataset", True)


@pytest.mark.parametrize(
    ("run", "route", "offset"),
    [
        (AT_800, FILED, 800),
        (AT_800, ROUTE.reported(validated=0), 800),
        (AT_1300, ROUTE.reported(offset=1300), 1300),
    ],
)
def test_an_offset_that_is_named_is_the_one(
    run: RunBuilder, route: RouteBuilder, offset: int
) -> None:
    assert plan_of(run, route=route).status["snapshot"]["offset"] == offset


def test_all_attempts_have_the_same() -> None:
    run = pinned()
    run = run.after(plan_of(run, route=FILED))
    plan = plan_of(run, a_job().failed(143), route=FILED.reported(offset=9000))
    assert job_names(plan) == [SECOND_JOB]
    assert task_of(plan.create[0])["snapshot"]["offset"] == 1200


def test_a_run_that_is_opened_again_and_has_learnt_nothing_is_pinned_anew() -> None:
    run = pinned()
    run = run.after(plan_of(run, route=FILED))
    failed = run.after(plan_of(run, a_job().failed(64), route=FILED))
    assert failed.document["status"]["phase"] == "Failed"
    bucket = FILED.in_bucket().reported(offset=2000)
    opened = failed.requested_at(at(60))
    again = opened.after(plan_of(opened, route=bucket, later=61))
    snapshot = again.build().status.snapshot
    assert snapshot is not None
    assert (snapshot.offset, snapshot.storage.claim_name) == (2000, None)
    job = plan_of(again, route=bucket, later=61).create[0]
    assert task_of(job)["dataset"]["secretName"] == "annotations-reader"
    progress = {"epoch": 1, "epochs": 16, "percent": 6, "updatedAt": "2026-11-24T12:00:00Z"}
    learnt = plan_of(opened.with_status(progress=progress), route=bucket, later=61)
    assert task_of(learnt.create[0])["snapshot"]["offset"] == 1200


def test_the_claim_of_the_storage_is_waited_for() -> None:
    plan = plan_of(RUN, route=FILED, claims=CLAIMS)
    assert says(plan)[2] == "ClaimMissing"
    assert "annotations (the storage of AnnotationRoute shop, spec.dataset)" in says(plan)[3]
    assert "snapshot" not in plan.status, "what is annotated meanwhile is trained on, too"
    once = plan_of(pinned(), route=None, claims=CLAIMS)
    assert says(once)[2] == "ClaimMissing"


def test_each_node_makes_it_in_a_copy_of_the_workspace() -> None:
    shared = tuple(ObservedClaim(claim.name, ("ReadWriteMany",), "Bound") for claim in CLAIMS)
    alone = ObservedClaim(CLAIM.name, ("ReadWriteOnce",), "Bound")
    annotations = ObservedClaim(CLAIM.name, ("ReadOnlyMany",), "Bound")

    def plan_on(run: RunBuilder, *claims: ObservedClaim) -> Any:
        observed = replace(run.observed(route=FILED.build(), claims=claims), job_sets=True)
        return reconcile(observed, WITH_PROGRESS, at(0))

    run = RUN.with_spec("compute", {"nodes": 2})
    plan = plan_on(run, *shared, CLAIM)
    assert says(plan)[2] == "InvalidSpec"
    assert "each node fetches spec.dataset.annotationRouteRef into a copy" in says(plan)[3]
    run = run.with_spec("workspace", {"s3": S3_WORKSPACE})
    assert says(plan_on(run, *shared))[2] == "ClaimMissing", "that of the route's storage"
    assert says(plan_on(run, alone))[2] == "ClaimNotShared"
    run = run.after(plan_on(run, annotations))
    [made] = plan_on(run, annotations).create
    assert made["kind"] == "JobSet"


def test_what_it_was_trained_on_is_said_and_counted() -> None:
    run = pinned()
    run = run.after(plan_of(run, route=FILED))
    annotations = {"sha256": "b" * 64, "items": 40}
    dataset = {"digest": DIGEST, "images": 40, "annotations": annotations}
    plan = plan_of(run, a_job().complete(TRAIN_RESULT | {"dataset": dataset}), route=FILED)
    assert plan.status["dataset"] == dataset
    assert "on 40 images of AnnotationRoute shop at offset 1200" in says(plan)[3]
