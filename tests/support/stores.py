"""Both stores as real servers, and the mounts of what reaches them.

`stores` serves a whole test session: use a model name of your own (`stores.release()` makes one).
`own_stores` is for a test that stops, kills or changes a server.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from sealyard.api.model_release import SealingFormatName
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import (
    RemoteApi,
    RemoteCdn,
)
from sealyard.sealing.keyring import Keyring
from sealyard_local import seaweedfs
from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.seaweedfs import Credential, SeaweedFS
from support import release_api
from support.programs import BUCKET, PREFIX, Job
from support.secret_search import SecretSearch, has_web_token, keyring_secrets


@dataclass
class Stores:
    """A CDN and a release API that run, and everything that opens them."""

    directory: Path
    ca: PrivateCA
    api: release_api.ReleaseApi
    cdn: SeaweedFS
    write: Credential
    read: Credential
    keyring: Keyring

    def remote_api(self, secret_name: str) -> RemoteApi:
        return RemoteApi(url=self.api.url, secret_name=secret_name, ca_bundle_name="stores-ca")

    def remote_cdn(self, secret_name: str) -> RemoteCdn:
        return RemoteCdn(
            endpoint=self.cdn.endpoint,
            region="us-east-1",
            bucket=BUCKET,
            prefix=PREFIX,
            secret_name=secret_name,
            ca_bundle_name="stores-ca",
        )

    def secret_values(self) -> dict[Purpose, tuple[bytes, ...]]:
        """The values of all Secrets, in the order of the table's keys."""
        password = release_api.PASSWORD
        pairs = {
            Purpose.API_PUBLISHER: (release_api.PUBLISHER, password),
            Purpose.API_VERIFIER: (release_api.VERIFIER, password),
            Purpose.CDN_WRITE: (self.write.access_key_id, self.write.secret_access_key),
            Purpose.CDN_READ: (self.read.access_key_id, self.read.secret_access_key),
        }
        values = {purpose: tuple(v.encode() for v in pair) for purpose, pair in pairs.items()}
        return {**values, Purpose.KEYRING: (self.keyring.to_json(),)}

    def release(
        self, folder: Path, sealing: SealingFormatName = "sealed-v2", *, version: str = "1.0.0"
    ) -> Job:
        """A release of a new model, without variants yet, with everything mounted."""
        job = Job(self, folder, f"m-{secrets.token_hex(6)}", version, sealing)
        for purpose, values in self.secret_values().items():
            (job.secrets / purpose.value).mkdir(parents=True)
            for key, value in zip(SECRET_USES[purpose].keys, values, strict=True):
                (job.secrets / purpose.value / key).write_bytes(value)
        for store in ("api", "cdn"):
            (folder / "ca" / store).mkdir(parents=True)
            (folder / "ca" / store / "ca.crt").write_bytes(self.ca.ca_pem)
        job.workspace.mkdir()
        return job

    def boto3(self, credential: Credential | None) -> Any:
        """A plain S3 client with these keys, or without any: what an attacker would use."""
        keys = (
            {
                "aws_access_key_id": credential.access_key_id,
                "aws_secret_access_key": credential.secret_access_key,
            }
            if credential
            else {}
        )
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.cdn.endpoint,
            verify=str(self.api.ca_path),
            config=botocore.config.Config(
                signature_version="s3v4" if credential else botocore.UNSIGNED,
                retries={"total_max_attempts": 1},
                proxies={},
                s3={"addressing_style": "path"},
            ),
            **keys,
        )

    def has_manifest(self, job: Job) -> bool:
        with release_api.connect(self.api, release_api.VERIFIER) as client:
            status = client.get(f"/releases/{job.model}/{job.version}/manifest").status_code
        assert status in {200, 404}
        return status == 200

    def manifest(self, job: Job) -> dict[str, Any]:
        with release_api.connect(self.api, release_api.VERIFIER) as client:
            document: dict[str, Any] = client.get(
                f"/releases/{job.model}/{job.version}/manifest"
            ).json()
        return document

    def assert_no_secret_in(self, text: str) -> None:
        """No password, key or token, in whatever spelling."""
        SecretSearch(self.known_secrets()).assert_none_in(text)
        assert "Bearer" not in text
        assert not has_web_token(text), "a JSON Web Token is in the output"

    def known_secrets(self) -> dict[str, bytes | str]:
        """Everything that opens something, by what it is called."""
        return {
            "password": release_api.PASSWORD,
            "write key": self.write.secret_access_key,
            "read key": self.read.secret_access_key,
            **keyring_secrets(self.keyring),
        }


@contextmanager
def running_stores(
    directory: Path,
    *,
    cdn_tls: CertPair | None = None,
    api_tls: CertPair | None = None,
    ca: PrivateCA | None = None,
    api_arguments: Sequence[str] = (),
) -> Iterator[Stores]:
    """Both servers, stopped at the end.

    Args:
        directory: a folder of their own.
        cdn_tls: the CDN's certificate, to try a wrong one; else one of `ca` for 127.0.0.1.
        api_tls: the release API's, likewise.
        ca: what clients trust; a new one if not given.
        api_arguments: more flags for the release API.
    """
    authority = ca or PrivateCA.create()
    write, read = Credential.new(), Credential.new()
    folder = directory / "cdn"
    (cdn_tls or authority.issue(dns_names=["localhost"], ips=["127.0.0.1"])).write(folder)
    config = folder / "s3.json"
    config.write_text(seaweedfs.s3_config(bucket=BUCKET, prefix=PREFIX, write=write, read=read))
    ports = seaweedfs.Ports.free()
    command = seaweedfs.argv(
        folder / "data",
        ports,
        config=config,
        certificate=folder / "tls.crt",
        key=folder / "tls.key",
        bucket=BUCKET,
    )
    with release_api.release_api_server(
        directory, tls=api_tls, ca=authority, arguments=api_arguments
    ) as api:
        cdn = SeaweedFS(
            command,
            endpoint=f"https://127.0.0.1:{ports.s3}",
            ca_file=api.ca_path,
            bucket=BUCKET,
            prefix=PREFIX,
            read=read,
            log=folder / "log",
        )
        try:
            cdn.start()
            keyring = Keyring.new(v1="fleet-1", v2="cluster-1")
            yield Stores(directory, authority, api, cdn, write, read, keyring)
        finally:
            cdn.kill()


def until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition, and fail saying what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with running_stores(tmp_path_factory.mktemp("stores")) as both:
        yield both
        both.assert_no_secret_in(both.api.log_text())


@pytest.fixture
def own_stores(tmp_path: Path) -> Iterator[Stores]:
    with running_stores(tmp_path / "stores") as both:
        yield both
