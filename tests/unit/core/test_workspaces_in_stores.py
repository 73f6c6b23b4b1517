"""What the operator decides where a workspace is in a store: nothing waits for a claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.mounts import SCRATCH_DIRECTORY
from sealyard.api.secrets import Role
from sealyard.controller.links import CLAIM_LINK, links
from sealyard.controller.resources import RELEASES, RUNS, Key
from sealyard.core.run_report import REPORT, find_report, report_pod
from sealyard.core.settings import PodSettings
from sealyard.errors import InvalidError
from sealyard.laptop.manifests import read
from support.builders import (
    CLAIMS,
    SHARED_CLAIMS,
    a_job,
    a_model_release,
    a_training_run,
    job_names,
    says,
    task_of,
)
from support.laptop import a_run, texts
from support.release_stages import RUN, exporting, look, name, publishing, task
from support.run_attempts import plan_of
from support.specs import DIGEST, S3_WORKSPACE

DATASET, SHARED_DATASET = CLAIMS[0], SHARED_CLAIMS[0]
STORE = {"s3": S3_WORKSPACE}
TRAINING = a_training_run().with_spec("workspace", STORE)
TRAINED = RUN.with_spec("workspace", STORE)
PINNED = {"claimName": None, "path": None, **STORE | {"s3": S3_WORKSPACE | {"region": "us-east-1"}}}
NEVER = datetime(2026, 11, 26, tzinfo=UTC)


def test_a_run_starts_without_a_claim_for_it() -> None:
    plan = plan_of(TRAINING.observed(claims=(DATASET,)))
    assert says(plan)[0] == "Pending"
    [job] = plan.create
    assert task_of(job)["workspace"]["bucket"] == "runs"
    missing = plan_of(TRAINING.observed(claims=()))
    assert says(missing)[2] == "ClaimMissing"
    assert "spec.dataset.persistentVolumeClaim.claimName" in says(missing)[3]


def test_several_nodes_need_no_claim_for_it() -> None:
    run = TRAINING.with_spec("compute", {"nodes": 2})
    plan = plan_of(replace(run.observed(claims=(SHARED_DATASET,)), job_sets=True))
    assert [made["kind"] for made in plan.create] == ["JobSet"]


@pytest.mark.parametrize(("dataset", "count"), [(SHARED_DATASET, 3), (DATASET, 1)])
def test_variants_run_side_by_side_where_the_dataset_allows(dataset: Any, count: int) -> None:
    plan = look(a_model_release("a", "b", "c"), run=TRAINED, claims=(dataset,))
    assert len(plan.create) == count
    assert plan.status["workspace"] == PINNED


def test_a_release_is_pinned_to_the_store_and_outlives_its_run() -> None:
    release = publishing().with_status(workspace=PINNED)
    plan = look(release, run=None, claims=())
    assert job_names(plan) == [name(Role.PUBLISH, attempt=2)]
    assert task_of(plan.create[0])["releasePath"].startswith("coins/")
    assert plan.status["workspace"] == PINNED


def test_a_claim_that_was_noted_gives_way_to_a_store() -> None:
    plan = look(exporting(), run=TRAINED, claims=(DATASET,))
    pinned = exporting().after(plan).build().status.workspace
    assert pinned is not None
    assert (pinned.claim_name, pinned.spec) == (None, TRAINED.build().spec.workspace)


def test_exports_are_tidied_without_a_claim() -> None:
    over = publishing().with_status(
        phase="Revoked", workspace=PINNED, tasks=[task("publish", done=True)]
    )
    plan = look(over, run=None, claims=())
    assert job_names(plan) == [name(Role.TIDY)]


def test_what_a_run_in_a_store_made_is_fine_tuned() -> None:
    source = a_training_run().succeeded().named("base", uid="base-uid")
    tuned = a_training_run().with_spec("model.weights", {"trainingRunRef": {"name": "base"}})
    plan = plan_of(tuned.observed(source=source.with_spec("workspace", STORE)))
    pinned = plan.status["weights"]
    assert pinned["claimName"] is None
    assert pinned["s3"]["uri"] == S3_WORKSPACE["uri"]
    assert task_of(plan.create[0])["taskVersion"] == 7
    later = tuned.after(plan).observed(a_job().failed(143), source=source)
    assert plan_of(later).status["weights"]["s3"] == pinned["s3"]


def test_a_report_is_read_by_a_pod_with_the_workspaces_credential() -> None:
    artifact = {"name": REPORT, "path": f"coins/coins-1/{REPORT}", "sha256": DIGEST, "sizeBytes": 9}
    run = TRAINING.with_status(phase="Succeeded", image="trainer", artifacts=[artifact]).build()
    pod = report_pod(run, find_report(run), PodSettings(), suffix="01234567")
    kubernetes_validate.validate(pod, "1.37", strict=True)
    [container] = pod["spec"]["containers"]
    assert {mount["mountPath"]: mount.get("readOnly") for mount in container["volumeMounts"]} == {
        "/run/sealyard/secrets/workspace": True,
        "/run/sealyard/ca/workspace": True,
        SCRATCH_DIRECTORY: None,
    }
    assert container["command"][3] == "sealyard.delivery.printed_object"
    assert container["command"][5] == artifact["path"]


def test_there_is_no_claim_whose_change_concerns_it() -> None:
    run, release = TRAINING.document, publishing().with_status(workspace=PINNED).document
    weights = {"weights": {"s3": S3_WORKSPACE, "path": "a/best.pt", "sha256": DIGEST}}
    claims = [
        [link.name for link in links(key, document["spec"], status) if link.kind == CLAIM_LINK]
        for key, document, status in (
            (Key(RUNS.kind, "coins", "coins"), run, weights),
            (Key(RELEASES.kind, "coins", "coins-1"), release, release["status"]),
        )
    ]
    assert claims == [["dataset"], []]


def test_without_a_cluster_it_is_refused_by_name() -> None:
    run = a_run()
    run["spec"]["workspace"] = STORE
    with pytest.raises(InvalidError, match=r"spec\.workspace\.s3 is for a cluster; without one a"):
        read(texts(run), NEVER)
