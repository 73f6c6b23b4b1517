"""The tasks that reach the stores: from what is mounted to clients, and to an answer."""

from __future__ import annotations

from collections.abc import Iterable

from sealyard.api.answers import Answer
from sealyard.api.secrets import Purpose
from sealyard.api.tasks import (
    ProbeTask,
    PublishTask,
    RemoteApi,
    RemoteCdn,
    RewrapTask,
    VerifyTask,
)
from sealyard.delivery.http import HttpClient
from sealyard.delivery.probe import RETRY, SECONDS, probe
from sealyard.delivery.probe_object import ProbeObject
from sealyard.delivery.publish import Publisher
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.rewrap import rewrap_releases
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.verify import verify
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below, make_folder, remove_temporaries
from sealyard_courier.clients import cdn_of, release_api
from sealyard_courier.remote_workspace import kept


def run_publish(task: PublishTask, mounts: Mounts) -> Answer:
    """Publish a release, or go on with a publication that was interrupted."""
    folder = below(mounts.workspace, task.release_path)
    make_folder(folder, mounts.workspace)
    remove_temporaries(folder)
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        kept(task, mounts, folder) as held,
        release_api(task.api, Purpose.API_PUBLISHER, mounts) as api,
        cdn_of(task.cdn, Purpose.CDN_WRITE, mounts) as cdn,
    ):
        result = Publisher(
            task=task,
            workspace=mounts.workspace,
            api=api,
            cdn=cdn,
            read_keyring=keyring.keyring,
            still_ours=held.check,
            kept=held.keep,
        ).publish()
    message = f"published {task.model} {task.version} with {_counted(len(result.variants))}"
    return Answer(message=message, result=result.to_wire())


def run_verify(task: VerifyTask, mounts: Mounts) -> Answer:
    """Prove that a published release opens."""
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        release_api(task.api, Purpose.API_VERIFIER, mounts) as api,
        cdn_of(task.cdn, Purpose.CDN_READ, mounts) as cdn,
    ):
        result = verify(task, api=api, cdn=cdn, keyring=keyring.keyring())
    message = f"verified {task.model} {task.version}: {_counted(len(result.variants))} open"
    return Answer(message=message, result=result.to_wire())


def run_rewrap(task: RewrapTask, mounts: Mounts) -> Answer:
    """Move all small parts to the active key, or go on with a rewrap that was interrupted."""
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    with (
        release_api(task.verifier, Purpose.API_VERIFIER, mounts) as reader,
        release_api(task.publisher, Purpose.API_PUBLISHER, mounts) as writer,
    ):
        result = rewrap_releases(reader=reader, writer=writer, keyring=keyring.keyring())
    message = (
        f"releases: {result.releases}; small parts moved to key {result.key!r}: "
        f"{result.rewrapped}, there already: {result.unchanged}, of aes-256-cbc-v1: "
        f"{result.skipped}"
    )
    return Answer(message=message, result=result.to_wire())


def run_probe(task: ProbeTask, mounts: Mounts) -> Answer:
    """Try both logins and both credentials; a check that fails is a result, and no failure."""
    names = {
        Purpose.API_PUBLISHER: task.publisher.secret_name,
        Purpose.API_VERIFIER: task.verifier.secret_name,
        Purpose.CDN_WRITE: task.writer.secret_name,
        Purpose.CDN_READ: task.reader.secret_name,
    }
    files = {
        purpose: SecretFiles.mounted(purpose, mounts.secrets, name)
        for purpose, name in names.items()
    }
    _miss_none_of(files.values())

    def api(remote: RemoteApi, purpose: Purpose) -> ReleaseApi:
        ca = CaBundle.mounted(mounts.ca / "api", remote.ca_bundle_name)
        return ReleaseApi(remote.url, files[purpose], bundle=ca, retry=RETRY, seconds=SECONDS)

    def probe_object(remote: RemoteCdn, purpose: Purpose) -> ProbeObject:
        place = S3Place(remote.endpoint, remote.region, remote.bucket)
        return ProbeObject(http, place, remote.prefix, files[purpose], retry=RETRY, seconds=SECONDS)

    with (
        api(task.publisher, Purpose.API_PUBLISHER) as publisher,
        api(task.verifier, Purpose.API_VERIFIER) as verifier,
        HttpClient(
            "CDN",
            task.writer.endpoint,
            bundle=CaBundle.mounted(mounts.ca / "cdn", task.writer.ca_bundle_name),
        ) as http,
    ):
        result = probe(
            task.generation,
            publisher=publisher,
            verifier=verifier,
            writer=probe_object(task.writer, Purpose.CDN_WRITE),
            reader=probe_object(task.reader, Purpose.CDN_READ),
        )
    passed = sum(check.result == "Passed" for check in result.checks)
    message = f"{passed} of {len(result.checks)} checks passed"
    return Answer(message=message, result=result.to_wire())


def _miss_none_of(files: Iterable[SecretFiles]) -> None:
    """Names everything that is missing at once; what is there and malformed is judged later."""
    missing = []
    for one in files:
        try:
            one.pair()
        except MissingError as error:
            missing.append(str(error))
        except InvalidError:
            continue
    if missing:
        raise MissingError("; ".join(missing))


def _counted(variants: int) -> str:
    return "1 variant" if variants == 1 else f"{variants} variants"
