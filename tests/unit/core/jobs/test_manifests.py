"""Every Job against Kubernetes' own schema, Pod Security `restricted`, and what design.md says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.kind import MANAGED_BY, MANAGED_BY_LABEL, CustomResource
from sealyard.api.secrets import SECRET_USES, Purpose, Role
from sealyard.core.jobs import grant_job, probe_job, tidy_job, train_job
from sealyard.core.jobs.pod import secret, secrets_by_name
from support.builders import (
    NOW,
    a_model_release,
    a_training_run,
    task_of,
)
from support.fleet_builders import a_device, a_roster
from support.job_manifests import (
    JOBS,
    RELEASE,
    RUN,
    SETTINGS,
    TARGET,
    VIEW,
    WORKSPACE,
    compute_of,
    container_of,
    mounts_of,
    pod_of,
)
from support.pod_rules import NEVER_RESTARTED, OURS, RESTRICTED

OWNERS: dict[Role, CustomResource] = {
    Role.TRAIN: RUN,
    Role.REWRAP: TARGET,
    Role.PROBE: TARGET,
    Role.GRANT: TARGET,
    Role.INDEX: TARGET,
}
VARIANTS = {
    Role.EXPORT: "onnx-fp32",
    Role.REWRAP: "3",
    Role.GRANT: VIEW.grants.digest[:16],
    Role.INDEX: VIEW.full.digest[:16],
}
MANIFESTS = pytest.mark.parametrize("manifest", JOBS.values(), ids=JOBS.keys())


def test_there_is_a_job_for_each_role() -> None:
    # The router is a Deployment.
    assert set(JOBS) == set(Role) - {Role.ROUTE}


@MANIFESTS
def test_kubernetes_knows_every_field(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.37", strict=True)


@MANIFESTS
@pytest.mark.parametrize("rule", [*RESTRICTED, *OURS, *NEVER_RESTARTED])
def test_pods_are_restricted(manifest: dict[str, Any], rule: str) -> None:
    holds = (RESTRICTED | OURS | NEVER_RESTARTED)[rule]
    assert holds(pod_of(manifest), container_of(manifest))


@MANIFESTS
def test_the_operator_retries_and_not_the_job(manifest: dict[str, Any]) -> None:
    spec = manifest["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"] == [
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": "main",
                "operator": "In",
                "values": [64, 65, 66, 77],
            },
        },
    ]


@pytest.mark.parametrize("role", sorted(JOBS))
def test_labels_say_what_it_is(role: Role) -> None:
    manifest = JOBS[role]
    labels = manifest["metadata"]["labels"]
    owner = OWNERS.get(role, RELEASE)
    wanted = {
        MANAGED_BY_LABEL: MANAGED_BY,
        "sealyard.io/owner-uid": owner.metadata.uid,
        "sealyard.io/owner-kind": owner.KIND,
        "sealyard.io/role": role.value,
        "sealyard.io/attempt": "2" if role is Role.TRAIN else "1",
        "sealyard.io/task-version": "1",
    }
    if variant := VARIANTS.get(role):
        wanted["sealyard.io/variant"] = variant
    assert labels == wanted
    assert manifest["spec"]["template"]["metadata"]["labels"] == wanted
    assert all(len(value) <= 63 for value in labels.values())
    assert manifest["metadata"]["annotations"] == {"sealyard.io/owner-name": owner.metadata.name}
    assert manifest["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "sealyard.io/v1alpha1",
            "kind": owner.KIND,
            "name": owner.metadata.name,
            "uid": owner.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


MOUNTED: dict[Role, set[str]] = {
    Role.TRAIN: {
        "dataset",
        "workspace",
        "shared-memory",
        "progress-token",
        "secret-tracking",
        "ca-mlflow",
        "scratch",
    },
    Role.EXPORT: {"dataset", "workspace", "scratch"},
    Role.PUBLISH: {
        "workspace",
        "secret-api-publisher",
        "secret-cdn-write",
        "secret-keyring",
        "ca-api",
        "ca-cdn",
        "scratch",
    },
    Role.VERIFY: {
        "secret-api-verifier",
        "secret-cdn-read",
        "secret-keyring",
        "ca-api",
        "ca-cdn",
        "scratch",
    },
    Role.TIDY: {"workspace", "scratch"},
    Role.REWRAP: {
        "secret-api-verifier",
        "secret-api-publisher",
        "secret-keyring",
        "ca-api",
        "scratch",
    },
    Role.PROBE: {
        "secret-api-verifier",
        "secret-api-publisher",
        "secret-cdn-write",
        "secret-cdn-read",
        "ca-api",
        "ca-cdn",
        "scratch",
    },
    Role.GRANT: {
        "secret-api-verifier",
        "secret-api-publisher",
        "secret-keyring",
        "ca-api",
        "input",
        "scratch",
    },
    Role.INDEX: {
        "secret-api-publisher",
        "secret-release-key",
        "secret-freshness-key",
        "ca-api",
        "trust-root",
        "input",
        "scratch",
    },
}
WRITABLE = {"workspace", "shared-memory", "scratch"}


@pytest.mark.parametrize("role", sorted(JOBS))
def test_what_each_role_mounts(role: Role) -> None:
    mounts = mounts_of(JOBS[role])
    assert set(mounts) == MOUNTED[role] == {v["name"] for v in pod_of(JOBS[role])["volumes"]}
    assert {name for name, (_, read_only) in mounts.items() if not read_only} <= WRITABLE


OF_STORES = {Purpose.HARDWARE_DIGESTS, Purpose.DATASET, Purpose.WORKSPACE}
"""What these Jobs have none of: their claims are volumes."""


@pytest.mark.parametrize("role", sorted(JOBS))
def test_no_secret_leaks_into_another_role(role: Role) -> None:
    mounted = {}
    for volume in pod_of(JOBS[role])["volumes"]:
        if "secret" in volume:
            keys = {item["key"] for item in volume["secret"]["items"]}
            assert volume["secret"]["optional"] is True
            assert volume["secret"]["defaultMode"] == 0o440
            mounted[Purpose(volume["name"].removeprefix("secret-"))] = keys
    assert mounted == {
        purpose: set(use.keys)
        for purpose, use in SECRET_USES.items()
        if role in use.roles and purpose not in OF_STORES
    }
    environment = container_of(JOBS[role])["env"]
    sources = [entry["valueFrom"] for entry in environment if "valueFrom" in entry]
    assert all(source.keys() == {"fieldRef"} for source in sources)
    assert "envFrom" not in container_of(JOBS[role])


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("role", Role)
def test_a_builder_cannot_mount_what_its_role_may_not(role: Role, purpose: Purpose) -> None:
    if role in SECRET_USES[purpose].roles:
        secret(role, purpose, "name")
    else:
        with pytest.raises(ValueError, match="may not mount"):
            secret(role, purpose, "name")


def test_each_secret_with_digests_is_mounted_by_its_name() -> None:
    devices = [
        a_device(number)
        .with_spec("level", "legacy")
        .with_spec("hardwareDigestSecretRef", {"name": name})
        for number, name in enumerate(("lines.b", "lines.a"), start=1)
    ]
    job = grant_job(TARGET, SETTINGS, a_roster(*devices).at(NOW).grants, attempt=1)
    kubernetes_validate.validate(job, "1.37", strict=True)
    volumes = {volume["name"]: volume.get("secret") for volume in pod_of(job)["volumes"]}
    for number, name in enumerate(("lines.a", "lines.b")):
        mount = f"secret-hardware-digests-{number}"
        assert volumes[mount] == {
            "secretName": name,
            "items": [{"key": "hardware-digests.json", "path": "hardware-digests.json"}],
            "defaultMode": 0o440,
            "optional": True,
        }
        assert mounts_of(job)[mount] == (f"/run/sealyard/secrets/hardware-digests/{name}", True)


def test_no_other_role_mounts_digests() -> None:
    with pytest.raises(ValueError, match="may not mount"):
        secrets_by_name(Role.INDEX, Purpose.HARDWARE_DIGESTS, ["digests"])


def test_training_gets_its_resources() -> None:
    container = container_of(JOBS[Role.TRAIN])
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "4Gi", "nvidia.com/gpu": "1"},
    }
    volumes = {v["name"]: v for v in pod_of(JOBS[Role.TRAIN])["volumes"]}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert mounts_of(JOBS[Role.TRAIN])["dataset"] == ("/dataset", True)
    assert pod_of(JOBS[Role.TRAIN])["terminationGracePeriodSeconds"] == 120
    assert JOBS[Role.TRAIN]["spec"]["activeDeadlineSeconds"] == 90
    assert "ttlSecondsAfterFinished" not in JOBS[Role.TRAIN]["spec"]


def test_without_gpus_none_are_named() -> None:
    run = a_training_run().build()
    manifest = train_job(run, SETTINGS, compute_of(run), attempt=1, image="t")
    assert "nvidia.com/gpu" not in container_of(manifest)["resources"]["limits"]
    assert "activeDeadlineSeconds" not in manifest["spec"]


def test_the_progress_token_is_projected_only_where_there_is_an_endpoint() -> None:
    volumes = {v["name"]: v for v in pod_of(JOBS[Role.TRAIN])["volumes"]}
    (source,) = volumes["progress-token"]["projected"]["sources"]
    assert source["serviceAccountToken"] == {
        "audience": "sealyard",
        "expirationSeconds": 3600,
        "path": "token",
    }
    assert mounts_of(JOBS[Role.TRAIN])["progress-token"] == ("/run/sealyard/progress", True)
    without = train_job(
        RUN, replace(SETTINGS, progress=None), compute_of(RUN), attempt=1, image="t"
    )
    assert "progress-token" not in mounts_of(without)
    assert "progress" not in task_of(without)


@pytest.mark.parametrize(
    ("tracking", "mounted"),
    [
        (None, set()),
        ({}, set()),
        ({"mlflow": {"uri": "https://mlflow"}}, set()),
        ({"mlflow": {"uri": "https://mlflow", "caBundleRef": {"name": "ca"}}}, {"ca-mlflow"}),
        (
            {"mlflow": {"uri": "https://mlflow", "credentialsSecretRef": {"name": "login"}}},
            {"secret-tracking"},
        ),
    ],
)
def test_of_tracking_only_what_is_named_is_mounted(
    tracking: dict[str, Any] | None, mounted: set[str]
) -> None:
    run = a_training_run().with_spec("tracking", tracking).build()
    job = train_job(run, SETTINGS, compute_of(run), attempt=1, image="t")
    kubernetes_validate.validate(job, "1.37", strict=True)
    assert set(mounts_of(job)) & {"ca-mlflow", "secret-tracking"} == mounted
    assert ("mlflow" in task_of(job)) == bool(tracking)


def test_tracking_is_no_build_input() -> None:
    run = a_training_run()
    tracked = run.with_spec("tracking.mlflow", {"uri": "https://mlflow"})
    assert tracked.build().workspace_path == run.build().workspace_path


def test_the_run_s_ttl_goes_to_its_jobs() -> None:
    run = a_training_run().with_spec("ttlSecondsAfterFinished", 60).build()
    assert (
        train_job(run, SETTINGS, compute_of(run), attempt=1, image="t")["spec"][
            "ttlSecondsAfterFinished"
        ]
        == 60
    )
    assert JOBS[Role.TIDY]["spec"]["ttlSecondsAfterFinished"] == 3600


@pytest.mark.parametrize(("configured", "ttl"), [(3600, 600), (60, 60)])
def test_finished_probes_are_few_and_none_runs_for_ever(configured: int, ttl: int) -> None:
    settings = replace(SETTINGS, release_ttl_seconds_after_finished=configured)
    spec = probe_job(TARGET, settings, attempt=1)["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"]) == (ttl, 600)


@pytest.mark.parametrize("name", ["c" * 253, "coins.of.the.realm", "a" * 39 + "-b"])
def test_long_and_dotted_names_make_names_of_jobs(name: str) -> None:
    release = a_model_release("v" * 63).named(name, uid="uid").build()
    job = tidy_job(release, SETTINGS, workspace=WORKSPACE, attempt=1)
    assert len(job["metadata"]["name"]) <= 63
    kubernetes_validate.validate(job, "1.37", strict=True)
