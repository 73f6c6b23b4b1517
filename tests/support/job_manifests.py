"""The Job of each role, and how to look into one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sealyard.api.model_release import Lineage
from sealyard.api.secrets import Role
from sealyard.api.tasks import ExportedVariant
from sealyard.api.training_run import TrainingRun
from sealyard.core.compute import Compute, for_export, for_training
from sealyard.core.jobs import (
    export_job,
    grant_job,
    index_job,
    pin,
    probe_job,
    publish_job,
    rewrap_job,
    tidy_job,
    train_job,
    verify_job,
)
from sealyard.core.observed import Profiles
from sealyard.core.roster import Roster
from sealyard.core.settings import PodSettings, Settings
from support.builders import (
    NO_PROFILES,
    NOW,
    WITH_PROGRESS,
    a_model_release,
    a_release_target,
    a_training_run,
)
from support.profiles import a_compute_profile, named
from support.specs import DIGEST

SETTINGS = replace(WITH_PROGRESS, pods=PodSettings(image_pull_secrets=("pull",)))
MLFLOW = {
    "uri": "https://mlflow.team.svc:5000",
    "experiment": "coins",
    "credentialsSecretRef": {"name": "mlflow-login"},
    "caBundleRef": {"name": "mlflow-ca"},
}
RUN = (
    a_training_run()
    .succeeded()
    .requested_at(NOW)
    .with_spec("compute.gpus", 1)
    .with_spec("tracking.mlflow", MLFLOW)
    .build()
)
RELEASE = a_model_release().build()
TARGET = a_release_target().with_trust().with_spec("rewrapGeneration", 3).build()
VIEW = Roster().at(NOW)
WORKSPACE = RUN.spec.workspace
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


def compute_of(
    run: TrainingRun, profiles: Profiles = NO_PROFILES, settings: Settings = SETTINGS
) -> Compute:
    """What a run is given, which it may have."""
    compute = for_training(run, profiles, settings)
    assert isinstance(compute, Compute)
    return compute


def built_job(role: Role, run: TrainingRun) -> dict[str, Any]:
    """The Job that trains a run, or that exports the only variant of `RELEASE` from it."""
    if role is Role.TRAIN:
        return train_job(run, SETTINGS, compute_of(run), attempt=1, image="trainer")
    assert run.status.artifacts
    return export_job(
        RELEASE,
        run,
        SETTINGS,
        compute_of(run),
        variant=RELEASE.spec.variants[0],
        checkpoint=run.status.artifacts[0],
        image_size=128,
        attempt=1,
    )


JOBS: dict[Role, dict[str, Any]] = {
    Role.TRAIN: train_job(
        RUN, SETTINGS, compute_of(RUN), attempt=2, image="trainer", deadline_seconds=90
    ),
    Role.EXPORT: export_job(
        RELEASE,
        RUN,
        SETTINGS,
        for_export(RELEASE, NO_PROFILES, SETTINGS),  # type: ignore[arg-type]
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
    Role.GRANT: grant_job(TARGET, SETTINGS, VIEW.grants, attempt=1),
    Role.INDEX: index_job(
        TARGET,
        TARGET.spec.trust,  # type: ignore[arg-type]
        SETTINGS,
        VIEW.full,
        attempt=1,
    ),
}


PROFILES = named(
    a_compute_profile()
    .with_spec("gpus", {"min": 1, "resource": "nvidia.com/mig-1g.10gb"})
    .with_spec("images.exporter", f"registry.test/exporter@sha256:{DIGEST}")
    .with_spec("pod.labels", {"sealyard.io/role": "index", "example.com/team": "vision"})
    .with_spec("pod.annotations", {"sealyard.io/owner-name": "x", "example.com/cost-centre": "42"})
    .with_spec("pod.serviceAccountName", "trainers")
    .with_spec("pod.priorityClassName", "batch")
    .with_spec(
        "pod.affinity",
        {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
                    ]
                }
            }
        },
    )
    .with_spec("pod.imagePullSecrets", [{"name": "own"}])
)
"""One that says all that a profile can say, and tries to say what is ours to say."""
NAMING_RUN = (
    a_training_run()
    .with_spec("profileRef", {"name": "gpu"})
    .with_spec("tracking.mlflow", MLFLOW)
    .build()
)
NAMING_RELEASE = a_model_release().with_spec("profileRef", {"name": "gpu"}).build()
WITH_PROFILE: dict[Role, dict[str, Any]] = {
    Role.TRAIN: train_job(
        NAMING_RUN, SETTINGS, compute_of(NAMING_RUN, PROFILES), attempt=1, image="trainer"
    ),
    Role.EXPORT: export_job(
        NAMING_RELEASE,
        RUN,
        SETTINGS,
        for_export(NAMING_RELEASE, PROFILES, SETTINGS),  # type: ignore[arg-type]
        variant=RELEASE.spec.variants[0],
        checkpoint=RUN.status.artifacts[0] if RUN.status.artifacts else None,  # type: ignore[arg-type]
        image_size=128,
        attempt=1,
    ),
}


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The spec of its pod."""
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The only container of its pod."""
    (container,) = pod_of(manifest)["containers"]
    found: dict[str, Any] = container
    return found


def mounts_of(manifest: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Volume → where it is mounted, and whether read-only."""
    mounts = container_of(manifest)["volumeMounts"]
    return {m["name"]: (m["mountPath"], m.get("readOnly", False)) for m in mounts}
