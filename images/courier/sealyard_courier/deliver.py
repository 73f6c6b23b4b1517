"""The tasks that reach the stores: from what is mounted to clients, and to an answer."""

from __future__ import annotations

from pathlib import Path

from sealyard.api.answers import Answer
from sealyard.api.mounts import CA_KEY
from sealyard.api.secrets import Purpose
from sealyard.api.tasks import PublishTask, RemoteApi, RemoteCdn, RewrapTask, VerifyTask
from sealyard.delivery.cdn import Cdn, CdnPlace
from sealyard.delivery.publish import Publisher
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.rewrap import rewrap_releases
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.verify import verify
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below, make_folder, remove_temporaries


def run_publish(task: PublishTask, mounts: Mounts) -> Answer:
    """Publish a release, or go on with a publication that was interrupted."""
    folder = below(mounts.workspace, task.release_path)
    make_folder(folder, mounts.workspace)
    remove_temporaries(folder)
    lock = WorkspaceLock(folder, pod_uid())
    lock.take()
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        _api(task.api, Purpose.API_PUBLISHER, mounts) as api,
        _cdn(task.cdn, Purpose.CDN_WRITE, mounts) as cdn,
    ):
        result = Publisher(
            task=task,
            workspace=mounts.workspace,
            api=api,
            cdn=cdn,
            read_keyring=keyring.keyring,
            still_ours=lock.check,
        ).publish()
    message = f"published {task.model} {task.version} with {_counted(len(result.variants))}"
    return Answer(message=message, result=result.to_wire())


def run_verify(task: VerifyTask, mounts: Mounts) -> Answer:
    """Prove that a published release opens."""
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        _api(task.api, Purpose.API_VERIFIER, mounts) as api,
        _cdn(task.cdn, Purpose.CDN_READ, mounts) as cdn,
    ):
        result = verify(task, api=api, cdn=cdn, keyring=keyring.keyring())
    message = f"verified {task.model} {task.version}: {_counted(len(result.variants))} open"
    return Answer(message=message, result=result.to_wire())


def run_rewrap(task: RewrapTask, mounts: Mounts) -> Answer:
    """Move all small parts to the active key, or go on with a rewrap that was interrupted."""
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        _api(task.verifier, Purpose.API_VERIFIER, mounts) as reader,
        _api(task.publisher, Purpose.API_PUBLISHER, mounts) as writer,
    ):
        result = rewrap_releases(reader=reader, writer=writer, keyring=keyring.keyring())
    message = (
        f"releases: {result.releases}; small parts moved to key {result.key!r}: "
        f"{result.rewrapped}, there already: {result.unchanged}, of aes-256-cbc-v1: "
        f"{result.skipped}"
    )
    return Answer(message=message, result=result.to_wire())


def _counted(variants: int) -> str:
    return "1 variant" if variants == 1 else f"{variants} variants"


def _api(remote: RemoteApi, purpose: Purpose, mounts: Mounts) -> ReleaseApi:
    return ReleaseApi(
        remote.url,
        SecretFiles.mounted(purpose, mounts.secrets, remote.secret_name),
        bundle=_bundle(mounts.ca / "api", remote.ca_bundle_name),
    )


def _cdn(remote: RemoteCdn, purpose: Purpose, mounts: Mounts) -> Cdn:
    return Cdn(
        CdnPlace(remote.endpoint, remote.region, remote.bucket),
        SecretFiles.mounted(purpose, mounts.secrets, remote.secret_name),
        bundle=_bundle(mounts.ca / "cdn", remote.ca_bundle_name),
    )


def _bundle(folder: Path, name: str | None) -> CaBundle | None:
    if name is None:
        return None
    return CaBundle(folder / CA_KEY, f"ConfigMap {name}, key {CA_KEY},")
