"""Both stores as real servers over TLS, and what a Job that reaches them finds mounted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealyard.api.mounts import CA_KEY
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import RemoteApi, RemoteCdn
from sealyard.jobs.mounts import Mounts
from sealyard_local import release_api, seaweedfs
from sealyard_local.seaweedfs import SeaweedFS
from sealyard_local.stores import BUCKET, PREFIX, Stores

REGION: Final = "us-east-1"
MOUNTED: Final = "bench"
"""What messages call everything that is mounted."""


@dataclass(frozen=True, slots=True)
class Servers:
    """A CDN and a release API that run.

    Attributes:
        stores: their addresses, logins and keys.
        mounts: all Secrets and CA bundles, and an empty workspace.
        reader: the folder that `sealyard pull` takes.
        cdn: the CDN's process.
        data: where the CDN keeps everything.
    """

    stores: Stores
    mounts: Mounts
    reader: Path
    cdn: SeaweedFS
    data: Path

    @property
    def ca_file(self) -> Path:
        """What both certificates verify against."""
        return self.reader / CA_KEY

    def remote_api(self) -> RemoteApi:
        """The release API, as a task names it."""
        return RemoteApi(url=self.stores.api_url, secret_name=MOUNTED, ca_bundle_name=MOUNTED)

    def remote_cdn(self) -> RemoteCdn:
        """The CDN, as a task names it."""
        return RemoteCdn(
            endpoint=self.stores.cdn_endpoint,
            region=REGION,
            bucket=BUCKET,
            prefix=PREFIX,
            secret_name=MOUNTED,
            ca_bundle_name=MOUNTED,
        )

    def empty_cdn(self) -> None:
        """Begin with an empty CDN: it does not free at once what was overwritten or deleted."""
        self.cdn.stop()
        shutil.rmtree(self.data)
        self.cdn.start()


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Both servers with everything that opens them, in a folder; stopped at the end."""
    stores = Stores.new()
    reader = folder / "reader"
    stores.write_reader_credentials(reader)
    cdn = _cdn(folder / "cdn", stores, ca_file=reader / CA_KEY)
    api = release_api.prepare(folder / "release-api", users=list(stores.accounts()), ca=stores.ca)
    api.port = stores.api_port
    with release_api.running(api), cdn:
        yield Servers(stores, _mounted(folder, stores), reader, cdn, folder / "cdn" / "data")


def _cdn(folder: Path, stores: Stores, *, ca_file: Path) -> SeaweedFS:
    stores.ca.issue(dns_names=["localhost"], ips=["127.0.0.1"]).write(folder)
    config = folder / "s3.json"
    config.write_text(
        seaweedfs.s3_config(bucket=BUCKET, prefix=PREFIX, write=stores.write, read=stores.read)
    )
    command = seaweedfs.argv(
        folder / "data",
        stores.cdn_ports,
        config=config,
        certificate=folder / "tls.crt",
        key=folder / "tls.key",
        bucket=BUCKET,
    )
    return SeaweedFS(
        command,
        endpoint=stores.cdn_endpoint,
        ca_file=ca_file,
        bucket=BUCKET,
        prefix=PREFIX,
        read=stores.read,
        log=folder / "log",
    )


def _mounted(folder: Path, stores: Stores) -> Mounts:
    """As the operator mounts it: a folder for each Secret, a CA bundle for each store."""
    mounts = Mounts(
        workspace=folder / "workspace",
        secrets=folder / "secrets",
        ca=folder / "ca",
        termination_message=folder / "termination-log",
    )
    mounts.workspace.mkdir()
    values = {
        Purpose.API_PUBLISHER: (stores.publisher.email, stores.publisher.password),
        Purpose.API_VERIFIER: (stores.verifier.email, stores.verifier.password),
        Purpose.CDN_WRITE: (stores.write.access_key_id, stores.write.secret_access_key),
        Purpose.CDN_READ: (stores.read.access_key_id, stores.read.secret_access_key),
        Purpose.KEYRING: (stores.keyring.to_json().decode(),),
    }
    for purpose, secrets in values.items():
        place = mounts.secrets / purpose.value
        place.mkdir(mode=0o700, parents=True)
        for key, value in zip(SECRET_USES[purpose].keys, secrets, strict=True):
            (place / key).write_text(value)
    for store in ("api", "cdn"):
        (mounts.ca / store).mkdir(parents=True)
        (mounts.ca / store / CA_KEY).write_bytes(stores.ca.ca_pem)
    return mounts
