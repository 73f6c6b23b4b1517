"""The index Job: sign what the cluster wants to be listed, publish it, and read it as a device."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sealyard.api.answers import Answer, IndexResult
from sealyard.api.index import ROOT_MAX_BYTES, IndexInput
from sealyard.api.secrets import Purpose
from sealyard.api.tasks import IndexTask
from sealyard.core.times import format_time
from sealyard.delivery.index.keys import KEY_MAX_BYTES, SigningKey
from sealyard.delivery.index.publish import IndexPublisher
from sealyard.delivery.index.signing import IndexSigner
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tuf_files import TufFiles
from sealyard.errors import MissingError
from sealyard.jobs.input import read_input
from sealyard.jobs.mounts import Mounts
from sealyard_courier.clients import release_api


def run_index(task: IndexTask, mounts: Mounts) -> Answer:
    """Publish the index, unless what is there lists the same and is fresh."""
    wanted = read_input(mounts.input, task.input_sha256, IndexInput)
    source = f"ConfigMap {task.root_config_map_name}"
    roots = _roots(mounts.trust_root, source)
    signer = IndexSigner(
        _key(Purpose.RELEASE_KEY, mounts, task.release_key_secret_name),
        _key(Purpose.FRESHNESS_KEY, mounts, task.freshness_key_secret_name),
        timedelta(seconds=task.index_lifetime_seconds),
    )
    with release_api(task.publisher, Purpose.API_PUBLISHER, mounts) as api:
        store = TufFiles(api.session)
        publisher = IndexPublisher(
            store,
            roots,
            source,
            signer,
            api.manifest,
            known_version=task.known_version or 0,
            scratch=mounts.scratch,
        )
        published = publisher.publish(wanted)
    index = published.index
    result = IndexResult(
        input_sha256=task.input_sha256,
        version=index.timestamp.version,
        # Not the root's: no Job can renew that.
        expires=format_time(
            min(part.expires for part in (index.timestamp, index.snapshot, index.targets))
        ),
        releases=published.releases,
        channels=published.channels,
        changed=published.changed,
    )
    what = "published" if published.signed else "found"
    message = (
        f"{what} index {result.version}: {result.releases} releases and {result.channels} "
        f"channels, good until {result.expires}"
    )
    return Answer(message=message, result=result.to_wire())


def _key(purpose: Purpose, mounts: Mounts, secret_name: str) -> SigningKey:
    files = SecretFiles.mounted(purpose, mounts.secrets, secret_name)
    return SigningKey.parse(files.content(KEY_MAX_BYTES), files.content_source)


def _roots(folder: Path, source: str) -> dict[str, bytes]:
    """The chain of roots that is mounted, not verified yet."""
    roots = {}
    for path in folder.glob("*.root.json"):
        try:
            with path.open("rb") as file:
                roots[path.name] = file.read(ROOT_MAX_BYTES + 1)
        except OSError as error:
            raise MissingError(
                f"{source}, key {path.name}: cannot be read ({error.strerror})"
            ) from None
    return roots
