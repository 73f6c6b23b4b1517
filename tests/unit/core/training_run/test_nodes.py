"""A run on several nodes: what it needs, the JobSet that it gets, and how that ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.core.observed import ObservedClaim, ObservedJob, TrainingRunObserved
from sealyard.core.plan import JobKey
from support.builders import SHARED_CLAIMS, RunBuilder, a_job, a_training_run, ledger, says, task_of
from support.run_attempts import plan_of, started
from support.specs import S3_DATASET, S3_WORKSPACE

SEVERAL = (
    a_training_run()
    .with_spec("compute", {"nodes": 3, "gpus": 2})
    .with_spec("hyperparameters.batch", 24)
)
ONCE = started().with_spec("compute", {"nodes": 3}).with_spec("hyperparameters.batch", 24)


def claims(dataset: str, workspace: str) -> tuple[ObservedClaim, ...]:
    return (
        ObservedClaim("dataset", (dataset,), "Bound"),
        ObservedClaim("workspace", (workspace,), "Bound"),
    )


def observed(
    run: RunBuilder,
    *jobs: ObservedJob,
    claims: tuple[ObservedClaim, ...] = SHARED_CLAIMS,
    job_sets: bool = True,
) -> TrainingRunObserved:
    return replace(run.observed(*jobs, claims=claims), job_sets=job_sets)


@pytest.mark.parametrize(
    ("seen", "letters", "reason", "part"),
    [
        (
            observed(SEVERAL, job_sets=False),
            "FTF",
            "JobSetMissing",
            "spec.compute.nodes is 3, and this cluster has no JobSet (jobset.x-k8s.io/v1alpha2)",
        ),
        (
            observed(SEVERAL, claims=claims("ReadWriteMany", "ReadWriteOnce")),
            "FFT",
            "ClaimNotShared",
            "PersistentVolumeClaim workspace (spec.workspace.persistentVolumeClaim.claimName) is",
        ),
        (
            observed(SEVERAL, claims=claims("ReadWriteOnce", "ReadWriteMany")),
            "FFT",
            "ClaimNotShared",
            "is ReadWriteOnce: ReadOnlyMany or ReadWriteMany is wanted",
        ),
    ],
)
def test_nothing_starts_that_could_only_hang(
    seen: TrainingRunObserved, letters: str, reason: str, part: str
) -> None:
    plan = plan_of(seen)
    assert says(plan)[:3] == ("Pending", letters, reason)
    assert part in says(plan)[3]
    assert plan.create == ()


def test_one_node_needs_none_of_that() -> None:
    run = a_training_run().with_spec("compute", {"nodes": 1})
    [job] = plan_of(observed(run, claims=claims("ReadWriteOnce", "ReadWriteOnce"))).create
    assert (job["kind"], "nodes" in task_of(job)) == ("Job", False)


def test_several_get_a_job_set() -> None:
    run = SEVERAL.with_spec("queueName", "gpu").with_spec("ttlSecondsAfterFinished", 60)
    plan = plan_of(observed(run))
    [made] = plan.create
    assert (made["apiVersion"], made["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"
    spec = made["spec"]
    assert (spec["suspend"], spec["ttlSecondsAfterFinished"]) == (True, 60)
    assert spec["failurePolicy"] == {
        "maxRestarts": 0,
        "rules": [
            {
                "name": "no_retry_mends_it",
                "action": "FailJobSet",
                "onJobFailureReasons": ["PodFailurePolicy"],
            }
        ],
    }
    [group] = spec["replicatedJobs"]
    labels, job = group["template"]["metadata"]["labels"], group["template"]["spec"]
    assert labels["sealyard.io/role"] == "train"
    assert not [label for label in labels if "kueue" in label], "the set is queued, not its Job"
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (3, 3, "Indexed")
    assert job["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert [rule["action"] for rule in job["podFailurePolicy"]["rules"]] == ["FailJob"]
    assert not {"suspend", "ttlSecondsAfterFinished"} & job.keys()
    task = task_of({"spec": job})
    name = made["metadata"]["name"]
    assert task["nodes"] == {"count": 3, "host": f"{name}-n-0-0.{name}", "port": 29400}
    assert (task["gpus"], task["taskVersion"]) == (2, 4)
    assert plan.status["compute"]["nodes"] == 3


IN_STORE = {"s3": S3_WORKSPACE}
FETCHED = {"s3": S3_DATASET}


@pytest.mark.parametrize("dataset", [None, FETCHED])
def test_each_of_several_has_a_copy_of_a_workspace_in_a_store(dataset: Any) -> None:
    run = SEVERAL.with_spec("workspace", IN_STORE)
    run = run.with_spec("dataset", dataset) if dataset else run
    [made] = plan_of(observed(run)).create
    [group] = made["spec"]["replicatedJobs"]
    job = group["template"]["spec"]
    pod = job["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["workspace"]["emptyDir"] == {"sizeLimit": "20Gi"}
    [container] = pod["containers"]
    assert container["resources"]["requests"]["ephemeral-storage"] == "20Gi"
    task = task_of({"spec": job})
    assert (task["taskVersion"], task["nodes"]["count"]) == (8, 3)
    assert task["workspace"]["bucket"] == "runs"


def test_one_node_works_on_a_store_as_before() -> None:
    run = a_training_run().with_spec("workspace", IN_STORE).with_spec("compute", {"nodes": 1})
    [job] = plan_of(observed(run)).create
    assert (job["kind"], task_of(job)["taskVersion"]) == ("Job", 7)


def test_several_have_nowhere_to_fetch_a_dataset_to_on_a_claim() -> None:
    run = SEVERAL.with_spec("dataset", FETCHED)
    plan = plan_of(observed(run))
    assert plan.create == ()
    assert says(plan)[1:] == (
        "FFT",
        "InvalidSpec",
        (
            "spec.compute.nodes is 3, and each node fetches spec.dataset.s3 into a copy of the "
            "workspace: spec.workspace.s3 is wanted, or spec.dataset.persistentVolumeClaim"
        ),
    )
    # Also where a run that has begun on one gets more of them.
    interrupted = a_job().failed(143, "interrupted")
    assert len(plan_of(observed(ONCE, interrupted)).create) == 1
    begun = observed(ONCE.with_spec("dataset", FETCHED), interrupted)
    assert (plan_of(begun).create, says(plan_of(begun))[2]) == ((), "InvalidSpec")


def test_names_of_its_pods_fit_a_label() -> None:
    run = SEVERAL.named("a" * 253, uid="run-uid").with_spec("compute.nodes", 64)
    run = run.with_spec("hyperparameters.batch", 128)
    [made] = plan_of(observed(run)).create
    assert len(f"{made['metadata']['name']}-n-0-63-xxxxx") <= 63


def a_set(job: ObservedJob) -> ObservedJob:
    return replace(job, is_set=True)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (a_job().failed(64, "broken dataset"), ("Failed", "FFT", "InvalidInput")),
        (a_job().failed(143, disrupted=True), ("Pending", "FTF", "Retrying")),
        (a_job().failed(137), ("Pending", "FTF", "Retrying")),
        (a_job().running(), ("Running", "FTF", "Training")),
        (a_job().queued(), ("Queued", "FTF", "Queued")),
    ],
)
def test_it_ends_as_a_job_does(job: ObservedJob, expected: Any) -> None:
    plan = plan_of(observed(ONCE, a_set(job)))
    if expected[2] == "Retrying" and plan.create:
        return  # the next attempt at once
    assert says(plan)[:3] == expected


def test_a_disruption_is_not_counted() -> None:
    plan = plan_of(observed(ONCE, a_set(a_job().failed(143, disrupted=True))))
    [made] = plan.create
    assert made["kind"] == "JobSet"
    assert ledger(plan.status, "train").get("failures", 0) == 0


def test_suspending_deletes_the_set() -> None:
    plan = plan_of(observed(ONCE.with_spec("suspend", True), a_set(a_job().running())))
    assert plan.delete == (
        JobKey("coins", "train-1", "train-1-uid", after_its_pods=True, is_set=True),
    )
