"""Every Job against Kubernetes' own schema, Pod Security `restricted`, and what design.md says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.kind import MANAGED_BY, MANAGED_BY_LABEL, CustomResource
from sealyard.api.model_release import Lineage
from sealyard.api.secrets import SECRET_USES, Purpose, Role
from sealyard.api.tasks import ExportedVariant
from sealyard.core.jobs import (
    export_job,
    pin,
    probe_job,
    publish_job,
    rewrap_job,
    tidy_job,
    train_job,
    verify_job,
)
from sealyard.core.jobs.pod import secret
from sealyard.core.settings import PodSettings
from support.builders import (
    DIGEST,
    NOW,
    WITH_PROGRESS,
    a_model_release,
    a_release_target,
    a_training_run,
    task_of,
)

SETTINGS = replace(WITH_PROGRESS, pods=PodSettings(image_pull_secrets=("pull",)))
RUN = a_training_run().succeeded().requested_at(NOW).with_spec("compute.gpus", 1).build()
RELEASE = a_model_release().build()
TARGET = a_release_target().with_spec("rewrapGeneration", 3).build()
WORKSPACE = RUN.spec.workspace.persistent_volume_claim
LINEAGE = Lineage(training_run="coins", training_run_uid="run-uid", dataset_digest=DIGEST)
EXPORTS = [
    ExportedVariant(
        spec=RELEASE.spec.variants[0],
        image_size=128,
        path="runs/coins-1.0.0-x/model.onnx",
        sha256=DIGEST,
        size_bytes=400,
    )
]

JOBS: dict[Role, dict[str, Any]] = {
    Role.TRAIN: train_job(RUN, SETTINGS, attempt=2, image="trainer", deadline_seconds=90),
    Role.EXPORT: export_job(
        RELEASE,
        RUN,
        SETTINGS,
        variant=RELEASE.spec.variants[0],
        checkpoint=RUN.status.artifacts[0] if RUN.status.artifacts else None,  # type: ignore[arg-type]
        image_size=128,
        attempt=1,
    ),
    Role.PUBLISH: publish_job(
        RELEASE,
        TARGET,
        SETTINGS,
        workspace=WORKSPACE,
        variants=EXPORTS,
        lineage=LINEAGE,
        attempt=1,
    ),
    Role.VERIFY: verify_job(
        RELEASE,
        TARGET,
        SETTINGS,
        pinned=pin(TARGET),
        manifest_sha256=DIGEST,
        variants=EXPORTS,
        attempt=1,
    ),
    Role.TIDY: tidy_job(RELEASE, SETTINGS, workspace=WORKSPACE, attempt=1),
    Role.REWRAP: rewrap_job(TARGET, SETTINGS, attempt=1),
    Role.PROBE: probe_job(TARGET, SETTINGS, attempt=1),
}
OWNERS: dict[Role, CustomResource] = {
    Role.TRAIN: RUN,
    Role.REWRAP: TARGET,
    Role.PROBE: TARGET,
}
MANIFESTS = pytest.mark.parametrize("manifest", JOBS.values(), ids=JOBS.keys())


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(manifest)["containers"]
    found: dict[str, Any] = container
    return found


def mounts_of(manifest: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Volume → where it is mounted, and whether read-only."""
    mounts = container_of(manifest)["volumeMounts"]
    return {m["name"]: (m["mountPath"], m.get("readOnly", False)) for m in mounts}


def test_there_is_a_job_for_each_role() -> None:
    assert set(JOBS) == set(Role)


@MANIFESTS
def test_kubernetes_knows_every_field(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.37", strict=True)


ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}

RESTRICTED: dict[str, Any] = {
    "no host namespaces": lambda pod, _: not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"},
    "volume types": lambda pod, _: all(
        v.keys() - {"name"} <= ALLOWED_VOLUMES for v in pod["volumes"]
    ),
    "no privilege escalation": lambda _, c: (
        c["securityContext"]["allowPrivilegeEscalation"] is False
    ),
    "non-root": lambda pod, _: pod["securityContext"]["runAsNonRoot"] is True,
    "a user that is not 0": lambda pod, _: pod["securityContext"]["runAsUser"] > 0,
    "seccomp": lambda pod, _: (
        pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    ),
    "no capabilities": lambda _, c: c["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "not privileged": lambda _, c: "privileged" not in c["securityContext"],
    "no host ports": lambda _, c: "ports" not in c,
    "no lifecycle or probe elsewhere": lambda _, c: not c.keys() & {"lifecycle", "livenessProbe"},
}
OURS: dict[str, Any] = {
    "read-only root": lambda _, c: c["securityContext"]["readOnlyRootFilesystem"] is True,
    "no account token": lambda pod, _: pod["automountServiceAccountToken"] is False,
    "no service links": lambda pod, _: pod["enableServiceLinks"] is False,
    "never restarted": lambda pod, _: pod["restartPolicy"] == "Never",
    "groups": lambda pod, _: (
        {pod["securityContext"][k] for k in ("runAsGroup", "fsGroup")} == {65532}
    ),
    "pull secrets": lambda pod, _: pod["imagePullSecrets"] == [{"name": "pull"}],
    "answers by file": lambda _, c: c["terminationMessagePolicy"] == "File",
    "is main": lambda _, c: c["name"] == "main",
    "bounded memory": lambda _, c: "memory" in c["resources"]["limits"],
    "bounded scratch": lambda pod, _: all(
        "sizeLimit" in v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v
    ),
}


@MANIFESTS
@pytest.mark.parametrize("rule", [*RESTRICTED, *OURS])
def test_pods_are_restricted(manifest: dict[str, Any], rule: str) -> None:
    holds = (RESTRICTED | OURS)[rule]
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


@pytest.mark.parametrize("role", Role)
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
    if variant := {Role.EXPORT: "onnx-fp32", Role.REWRAP: "3"}.get(role):
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
    Role.TRAIN: {"dataset", "workspace", "shared-memory", "progress-token", "scratch"},
    Role.EXPORT: {"workspace", "scratch"},
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
}
WRITABLE = {"workspace", "shared-memory", "scratch"}


@pytest.mark.parametrize("role", Role)
def test_what_each_role_mounts(role: Role) -> None:
    mounts = mounts_of(JOBS[role])
    assert set(mounts) == MOUNTED[role] == {v["name"] for v in pod_of(JOBS[role])["volumes"]}
    assert {name for name, (_, read_only) in mounts.items() if not read_only} <= WRITABLE


@pytest.mark.parametrize("role", Role)
def test_no_secret_leaks_into_another_role(role: Role) -> None:
    mounted = {}
    for volume in pod_of(JOBS[role])["volumes"]:
        if "secret" in volume:
            keys = {item["key"] for item in volume["secret"]["items"]}
            assert volume["secret"]["optional"] is True
            assert volume["secret"]["defaultMode"] == 0o440
            mounted[Purpose(volume["name"].removeprefix("secret-"))] = keys
    assert mounted == {
        purpose: set(use.keys) for purpose, use in SECRET_USES.items() if role in use.roles
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


@pytest.mark.parametrize(
    ("role", "program", "image"),
    [
        (Role.TRAIN, "sealyard-trainer", "trainer"),
        (Role.EXPORT, "sealyard-exporter", "sealyard/exporter:1"),
        (Role.PUBLISH, "sealyard-courier", "sealyard/courier:1"),
        (Role.VERIFY, "sealyard-courier", "sealyard/courier:1"),
        (Role.TIDY, "sealyard-courier", "sealyard/courier:1"),
        (Role.REWRAP, "sealyard-courier", "sealyard/courier:1"),
        (Role.PROBE, "sealyard-courier", "sealyard/courier:1"),
    ],
)
def test_the_program_of_each_role(role: Role, program: str, image: str) -> None:
    container = container_of(JOBS[role])
    assert container["command"] == [program]
    assert container["image"] == image
    assert task_of(JOBS[role])["kind"] == role.value


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
    manifest = train_job(a_training_run().build(), SETTINGS, attempt=1, image="t")
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
    without = train_job(RUN, replace(SETTINGS, progress=None), attempt=1, image="t")
    assert "progress-token" not in mounts_of(without)
    assert "progress" not in task_of(without)


def test_the_run_s_ttl_goes_to_its_jobs() -> None:
    run = a_training_run().with_spec("ttlSecondsAfterFinished", 60).build()
    assert train_job(run, SETTINGS, attempt=1, image="t")["spec"]["ttlSecondsAfterFinished"] == 60
    assert JOBS[Role.TIDY]["spec"]["ttlSecondsAfterFinished"] == 3600


def test_the_task_of_training() -> None:
    assert task_of(JOBS[Role.TRAIN]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "coins", "uid": "run-uid"},
        "attempt": 2,
        "kind": "train",
        "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
        "hyperparameters": {
            "epochs": 16,
            "imageSize": 128,
            "batch": 16,
            "seed": 0,
            "patience": 100,
            "optimizer": "auto",
            "extra": {"lr0": 0.002},
        },
        "datasetPath": "coins",
        "runPath": RUN.workspace_path,
        "gpus": 1,
        "requestedAt": "2026-11-24T12:00:00Z",
        "progress": {"url": "https://operator.sealyard.svc:8443", "ca": "PEM"},
    }
    assert RUN.workspace_path == f"runs/coins-{RUN.spec.build_input_hash()}"


def test_publish_and_verify_use_different_credentials() -> None:
    publish, verify = task_of(JOBS[Role.PUBLISH]), task_of(JOBS[Role.VERIFY])
    assert (publish["api"]["secretName"], publish["cdn"]["secretName"]) == (
        "publisher",
        "cdn-write",
    )
    assert (verify["api"]["secretName"], verify["cdn"]["secretName"]) == ("verifier", "cdn-read")
    assert publish["api"]["url"] == verify["api"]["url"]
    assert publish["releasePath"].startswith("runs/coins-1.0.0-")


def test_the_task_of_a_rewrap_has_both_logins_and_no_way_to_the_cdn() -> None:
    url = "https://api.stores.svc:8443"
    assert task_of(JOBS[Role.REWRAP]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "rewrap",
        "verifier": {"url": url, "secretName": "verifier", "caBundleName": "stores-ca"},
        "publisher": {"url": url, "secretName": "publisher", "caBundleName": "stores-ca"},
        "keyringSecretName": "keyring",
    }
    assert JOBS[Role.REWRAP]["spec"]["ttlSecondsAfterFinished"] == 3600
    assert "cdn" not in str(JOBS[Role.REWRAP]["spec"]["template"]["spec"])
    assert len({job["metadata"]["name"] for job in _rewraps()}) == 4


def _rewraps() -> list[dict[str, Any]]:
    """Two attempts each for two generations."""
    targets = [a_release_target().with_spec("rewrapGeneration", n).build() for n in (1, 2)]
    return [rewrap_job(t, SETTINGS, attempt=attempt) for t in targets for attempt in (1, 2)]


def test_the_task_of_a_probe_has_every_way_in_and_no_key() -> None:
    api = {"url": "https://api.stores.svc:8443", "caBundleName": "stores-ca"}
    cdn = {
        "endpoint": "https://cdn.stores.svc:8333",
        "region": "us-east-1",
        "bucket": "models",
        "prefix": "sealyard",
        "caBundleName": "stores-ca",
    }
    assert task_of(JOBS[Role.PROBE]) == {
        "taskVersion": 1,
        "owner": {"namespace": "coins", "name": "stores", "uid": "target-uid"},
        "attempt": 1,
        "kind": "probe",
        "generation": 1,
        "publisher": {**api, "secretName": "publisher"},
        "verifier": {**api, "secretName": "verifier"},
        "writer": {**cdn, "secretName": "cdn-write"},
        "reader": {**cdn, "secretName": "cdn-read"},
    }
    assert "keyring" not in str(JOBS[Role.PROBE])


@pytest.mark.parametrize(("configured", "ttl"), [(3600, 600), (60, 60)])
def test_finished_probes_are_few_and_none_runs_for_ever(configured: int, ttl: int) -> None:
    settings = replace(SETTINGS, release_ttl_seconds_after_finished=configured)
    spec = probe_job(TARGET, settings, attempt=1)["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"]) == (ttl, 600)


def test_a_dollar_in_a_task_is_not_expanded() -> None:
    run = (
        a_training_run().with_spec("hyperparameters.extra", {"copy_paste_mode": "$(HOME)"}).build()
    )
    manifest = train_job(run, SETTINGS, attempt=1, image="t")
    raw = container_of(manifest)["env"][0]["value"]
    assert "$" not in raw
    assert task_of(manifest)["hyperparameters"]["extra"] == {"copy_paste_mode": "$(HOME)"}


@pytest.mark.parametrize("name", ["c" * 253, "coins.of.the.realm", "a" * 39 + "-b"])
def test_long_and_dotted_names_make_names_of_jobs(name: str) -> None:
    release = a_model_release("v" * 63).named(name, uid="uid").build()
    job = tidy_job(release, SETTINGS, workspace=WORKSPACE, attempt=1)
    assert len(job["metadata"]["name"]) <= 63
    kubernetes_validate.validate(job, "1.37", strict=True)
