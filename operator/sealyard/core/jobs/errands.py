"""The Jobs that tell others what follows a target: grant and index. The courier's image, too."""

from __future__ import annotations

from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.release_target import ReleaseTarget, TrustSpec
from sealyard.api.secrets import Purpose, Role
from sealyard.api.tasks import GrantTask, IndexTask
from sealyard.core.jobs import pod
from sealyard.core.jobs.courier import courier_job
from sealyard.core.jobs.inputs import input_parts
from sealyard.core.jobs.remotes import ca_bundles, owner_of, pin, remote_api
from sealyard.core.roster import GrantDocument, IndexDocument
from sealyard.core.settings import Settings

GRANT_DEADLINE_SECONDS = 3600
INDEX_DEADLINE_SECONDS = 600
"""Bounds what keeps a pod from starting, too: another attempt may find another node."""
TTL_SECONDS = 600
"""They come again and again, and their input goes with them."""
DIGEST_LENGTH = 16


def variant_of(document: GrantDocument | IndexDocument) -> str:
    """What tells the Jobs of one input from those of another: the beginning of its digest."""
    return document.digest[:DIGEST_LENGTH]


def grant_job(
    target: ReleaseTarget, settings: Settings, document: GrantDocument, *, attempt: int
) -> dict[str, Any]:
    """The Job that wraps data keys for devices. It has no way to the CDN."""
    spec = target.spec
    secrets = {
        Purpose.API_VERIFIER: spec.api.verifier_secret_ref.name,
        Purpose.API_PUBLISHER: spec.api.publisher_secret_ref.name,
        Purpose.KEYRING: spec.keyring_secret_ref.name,
    }
    task = GrantTask(
        owner=owner_of(target),
        attempt=attempt,
        input_sha256=document.digest,
        verifier=remote_api(target, pin(target), secrets[Purpose.API_VERIFIER]),
        publisher=remote_api(target, pin(target), secrets[Purpose.API_PUBLISHER]),
        keyring_secret_name=secrets[Purpose.KEYRING],
    )
    mounts = [
        *(pod.secret(Role.GRANT, purpose, name) for purpose, name in secrets.items()),
        *pod.secrets_by_name(Role.GRANT, Purpose.HARDWARE_DIGESTS, document.digest_secrets),
        *ca_bundles(target, "api"),
        _input(target, Role.GRANT, document, attempt),
    ]
    return courier_job(
        target,
        settings,
        Role.GRANT,
        task,
        mounts,
        variant=variant_of(document),
        deadline_seconds=GRANT_DEADLINE_SECONDS,
        ttl_seconds=min(TTL_SECONDS, settings.release_ttl_seconds_after_finished),
    )


def index_job(
    target: ReleaseTarget,
    trust: TrustSpec,
    settings: Settings,
    document: IndexDocument,
    *,
    attempt: int,
) -> dict[str, Any]:
    """The Job that signs and publishes the index. It has no key that opens anything."""
    secrets = {
        Purpose.API_PUBLISHER: target.spec.api.publisher_secret_ref.name,
        Purpose.RELEASE_KEY: trust.release_key_secret_ref.name,
        Purpose.FRESHNESS_KEY: trust.freshness_key_secret_ref.name,
    }
    task = IndexTask(
        owner=owner_of(target),
        attempt=attempt,
        input_sha256=document.digest,
        index_lifetime_seconds=trust.index_lifetime_seconds,
        known_version=target.status.index.version if target.status.index else None,
        publisher=remote_api(target, pin(target), secrets[Purpose.API_PUBLISHER]),
        release_key_secret_name=secrets[Purpose.RELEASE_KEY],
        freshness_key_secret_name=secrets[Purpose.FRESHNESS_KEY],
        root_config_map_name=trust.root_config_map_ref.name,
    )
    mounts = [
        *(pod.secret(Role.INDEX, purpose, name) for purpose, name in secrets.items()),
        *ca_bundles(target, "api"),
        pod.trust_root(trust.root_config_map_ref.name),
        _input(target, Role.INDEX, document, attempt),
    ]
    return courier_job(
        target,
        settings,
        Role.INDEX,
        task,
        mounts,
        variant=variant_of(document),
        deadline_seconds=INDEX_DEADLINE_SECONDS,
        ttl_seconds=min(TTL_SECONDS, settings.release_ttl_seconds_after_finished),
    )


def _input(
    target: ReleaseTarget, role: Role, document: GrantDocument | IndexDocument, attempt: int
) -> pod.Mount:
    metadata = target.metadata
    name = job_name(metadata.name, metadata.uid, role, variant_of(document), attempt)
    return pod.job_input(name, len(input_parts(document.text)))
