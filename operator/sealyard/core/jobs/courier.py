"""The Jobs that carry: publish, verify, tidy, rewrap, probe. One image, from the settings only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealyard.api.kind import CustomResource
from sealyard.api.model_release import Lineage, ModelRelease, PinnedTarget
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Purpose, Role
from sealyard.api.tasks import (
    FIRST_TASK_VERSION,
    PLATFORM_TASK_VERSION,
    WORKSPACE_TASK_VERSION,
    ExportedVariant,
    ProbeTask,
    PublishTask,
    RewrapTask,
    SourceRecord,
    Task,
    TidyTask,
    VerifyTask,
)
from sealyard.api.training_run import WorkspaceSpec
from sealyard.core.jobs import pod
from sealyard.core.jobs.remotes import ca_bundles, owner_of, pin, remote_api, remote_cdn
from sealyard.core.jobs.workspaces import remote_workspace, with_cache, workspace_mounts
from sealyard.core.settings import Settings

ENTRY_POINT = "sealyard-courier"
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
SCRATCH_SIZE = "256Mi"
PROBE_DEADLINE_SECONDS = 600
"""Every request of a probe is bounded; this bounds what keeps its pod from starting, too."""
PROBE_TTL_SECONDS = 600


def publish_job(
    release: ModelRelease,
    target: ReleaseTarget,
    settings: Settings,
    *,
    workspace: WorkspaceSpec,
    variants: Sequence[ExportedVariant],
    lineage: Lineage,
    attempt: int,
) -> dict[str, Any]:
    """The Job that seals, splits and uploads, with the credentials that may write."""
    spec = target.spec
    task = PublishTask(
        task_version=_version(workspace, variants),
        owner=owner_of(release),
        attempt=attempt,
        model=release.spec.model,
        version=release.spec.version,
        sealing_format=release.spec.sealing.format,
        split=spec.split,
        variants=list(variants),
        source=SourceRecord(
            training_run=lineage.training_run,
            training_run_uid=lineage.training_run_uid,
            dataset_digest=lineage.dataset_digest,
            image=lineage.image,
            metrics=lineage.metrics,
        ),
        release_path=workspace.folder(release.metadata.namespace, release.workspace_folder),
        workspace=remote_workspace(workspace),
        api=remote_api(target, pin(target), spec.api.publisher_secret_ref.name),
        cdn=remote_cdn(target, pin(target), spec.cdn.write_secret_ref.name),
        keyring_secret_name=spec.keyring_secret_ref.name,
    )
    mounts = [
        *workspace_mounts(Role.PUBLISH, workspace),
        pod.secret(Role.PUBLISH, Purpose.API_PUBLISHER, spec.api.publisher_secret_ref.name),
        pod.secret(Role.PUBLISH, Purpose.CDN_WRITE, spec.cdn.write_secret_ref.name),
        pod.secret(Role.PUBLISH, Purpose.KEYRING, spec.keyring_secret_ref.name),
        *ca_bundles(target, "api", "cdn"),
    ]
    return courier_job(
        release,
        settings,
        Role.PUBLISH,
        task,
        mounts,
        resources=with_cache(RESOURCES, workspace),
    )


def _version(workspace: WorkspaceSpec, variants: Sequence[ExportedVariant] = ()) -> int:
    if workspace.s3 is not None:
        return WORKSPACE_TASK_VERSION
    has_platforms = any(variant.platform for variant in variants)
    return PLATFORM_TASK_VERSION if has_platforms else FIRST_TASK_VERSION


def verify_job(
    release: ModelRelease,
    target: ReleaseTarget,
    settings: Settings,
    *,
    pinned: PinnedTarget,
    manifest_sha256: str,
    variants: Sequence[ExportedVariant],
    attempt: int,
) -> dict[str, Any]:
    """The Job that fetches with the credentials that may only read. It has no workspace."""
    spec = target.spec
    task = VerifyTask(
        owner=owner_of(release),
        attempt=attempt,
        model=release.spec.model,
        version=release.spec.version,
        manifest_sha256=manifest_sha256,
        variants=list(variants),
        api=remote_api(target, pinned, spec.api.verifier_secret_ref.name),
        cdn=remote_cdn(target, pinned, spec.cdn.read_secret_ref.name),
        keyring_secret_name=spec.keyring_secret_ref.name,
    )
    mounts = [
        pod.secret(Role.VERIFY, Purpose.API_VERIFIER, spec.api.verifier_secret_ref.name),
        pod.secret(Role.VERIFY, Purpose.CDN_READ, spec.cdn.read_secret_ref.name),
        pod.secret(Role.VERIFY, Purpose.KEYRING, spec.keyring_secret_ref.name),
        *ca_bundles(target, "api", "cdn"),
    ]
    return courier_job(release, settings, Role.VERIFY, task, mounts)


def tidy_job(
    release: ModelRelease, settings: Settings, *, workspace: WorkspaceSpec, attempt: int
) -> dict[str, Any]:
    """The Job that deletes the plaintext exports. It has no credential but the workspace's."""
    task = TidyTask(
        task_version=_version(workspace),
        owner=owner_of(release),
        attempt=attempt,
        release_path=workspace.folder(release.metadata.namespace, release.workspace_folder),
        workspace=remote_workspace(workspace),
    )
    mounts = workspace_mounts(Role.TIDY, workspace)
    return courier_job(release, settings, Role.TIDY, task, mounts)


def rewrap_job(target: ReleaseTarget, settings: Settings, *, attempt: int) -> dict[str, Any]:
    """The Job that moves small parts to the active key. It has no way to the CDN."""
    spec = target.spec
    secrets = {
        Purpose.API_VERIFIER: spec.api.verifier_secret_ref.name,
        Purpose.API_PUBLISHER: spec.api.publisher_secret_ref.name,
        Purpose.KEYRING: spec.keyring_secret_ref.name,
    }
    task = RewrapTask(
        owner=owner_of(target),
        attempt=attempt,
        verifier=remote_api(target, pin(target), secrets[Purpose.API_VERIFIER]),
        publisher=remote_api(target, pin(target), secrets[Purpose.API_PUBLISHER]),
        keyring_secret_name=secrets[Purpose.KEYRING],
    )
    mounts = [
        *(pod.secret(Role.REWRAP, purpose, name) for purpose, name in secrets.items()),
        *ca_bundles(target, "api"),
    ]
    # What tells the Jobs of one rewrap from those of the next, as a variant does elsewhere.
    generation = str(spec.rewrap_generation)
    return courier_job(target, settings, Role.REWRAP, task, mounts, variant=generation)


def probe_job(target: ReleaseTarget, settings: Settings, *, attempt: int) -> dict[str, Any]:
    """The Job that tries both logins and both credentials. It has no key that opens anything."""
    spec = target.spec
    secrets = {
        Purpose.API_PUBLISHER: spec.api.publisher_secret_ref.name,
        Purpose.API_VERIFIER: spec.api.verifier_secret_ref.name,
        Purpose.CDN_WRITE: spec.cdn.write_secret_ref.name,
        Purpose.CDN_READ: spec.cdn.read_secret_ref.name,
    }
    pinned = pin(target)
    task = ProbeTask(
        owner=owner_of(target),
        attempt=attempt,
        generation=target.metadata.generation,
        publisher=remote_api(target, pinned, secrets[Purpose.API_PUBLISHER]),
        verifier=remote_api(target, pinned, secrets[Purpose.API_VERIFIER]),
        writer=remote_cdn(target, pinned, secrets[Purpose.CDN_WRITE]),
        reader=remote_cdn(target, pinned, secrets[Purpose.CDN_READ]),
    )
    mounts = [
        *(pod.secret(Role.PROBE, purpose, name) for purpose, name in secrets.items()),
        *ca_bundles(target, "api", "cdn"),
    ]
    return courier_job(
        target,
        settings,
        Role.PROBE,
        task,
        mounts,
        deadline_seconds=PROBE_DEADLINE_SECONDS,
        # They come again and again: the next one takes the place of the last.
        ttl_seconds=min(PROBE_TTL_SECONDS, settings.release_ttl_seconds_after_finished),
    )


def courier_job(
    owner: CustomResource,
    settings: Settings,
    role: Role,
    task: Task,
    mounts: list[pod.Mount],
    *,
    variant: str = "",
    resources: Mapping[str, Any] = RESOURCES,
    deadline_seconds: int | None = None,
    ttl_seconds: int | None = None,
) -> dict[str, Any]:
    """A Job of the courier's image, which comes from the settings only."""
    if ttl_seconds is None:
        ttl_seconds = settings.release_ttl_seconds_after_finished
    return pod.build(
        pod.JobParts(
            owner=owner,
            role=role,
            variant=variant,
            attempt=task.attempt,
            image=settings.images.courier,
            entry_point=ENTRY_POINT,
            task=task,
            resources=dict(resources),
            mounts=mounts,
            scratch_size=SCRATCH_SIZE,
            deadline_seconds=deadline_seconds,
            ttl_seconds=ttl_seconds,
            pods=settings.pods,
        )
    )
