"""A real S3 server with datasets in it, and the mounts of a Job that may read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from sealyard.api.tasks import RemoteFolder
from sealyard.jobs.mounts import Mounts
from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.seaweedfs import Credential, Ports, SeaweedFS, argv

BUCKET = "datasets"
SECRET_NAME = "dataset-reader"


@dataclass
class DatasetStore:
    """Where it is, and who may do what there."""

    folder: Path
    endpoint: str
    ca: PrivateCA
    ca_file: Path
    owner: Credential
    reader: Credential
    writer: Credential
    """What a workspace needs: to list, get, put and delete."""
    server: SeaweedFS

    def remote(self, prefix: str, **changes: Any) -> RemoteFolder:
        """A folder of it as a task names it."""
        remote = RemoteFolder(
            endpoint=self.endpoint,
            region="us-east-1",
            bucket=BUCKET,
            prefix=prefix,
            secret_name=SECRET_NAME,
            ca_bundle_name="stores-ca",
        )
        return remote.model_copy(update=changes)

    def mounts(self, root: Path, **changes: Any) -> Mounts:
        """What the operator would mount: the reader's credential and the CA bundle."""
        secrets, ca = root / "secrets", root / "ca"
        for folder in (secrets / "dataset", ca / "dataset"):
            folder.mkdir(parents=True)
        (secrets / "dataset/dataset-access-key-id").write_text(self.reader.access_key_id)
        key = secrets / "dataset/dataset-secret-access-key"
        key.write_text(self.reader.secret_access_key + "\n")
        (ca / "dataset/ca.crt").write_bytes(self.ca.ca_pem)
        return Mounts(**{"secrets": secrets, "ca": ca, "workspace": root / "workspace", **changes})

    def certificate(self) -> CertPair:
        """One that a proxy before it may show."""
        return self.ca.issue(ips=["127.0.0.1"])

    def put(self, key: str, content: bytes) -> None:
        """Store an object, or replace it."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Store the files of a folder below a prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}{path.relative_to(folder).as_posix()}"
                self.put(key, path.read_bytes())

    @cached_property
    def client(self) -> Any:
        """The owner's."""
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            verify=str(self.ca_file),
            aws_access_key_id=self.owner.access_key_id,
            aws_secret_access_key=self.owner.secret_access_key,
            config=botocore.config.Config(proxies={}, s3={"addressing_style": "path"}),
        )


@contextmanager
def dataset_store(folder: Path) -> Iterator[DatasetStore]:
    """A server of its own, with an owner and a reader who may list and get."""
    authority = PrivateCA.create()
    authority.issue(dns_names=["localhost"], ips=["127.0.0.1"]).write(folder)
    ca_file = folder / "ca.crt"
    ca_file.write_bytes(authority.ca_pem)
    owner, reader, writer = Credential.new(), Credential.new(), Credential.new()
    config = folder / "s3.json"
    config.write_text(_config(owner=owner, reader=reader, writer=writer))
    ports = Ports.free()
    endpoint = f"https://127.0.0.1:{ports.s3}"
    command = argv(
        folder / "data",
        ports,
        config=config,
        certificate=folder / "tls.crt",
        key=folder / "tls.key",
        bucket=BUCKET,
    )
    server = SeaweedFS(
        command,
        endpoint=endpoint,
        ca_file=ca_file,
        bucket=BUCKET,
        prefix="none",
        read=reader,
        log=folder / "log",
    )
    with server:
        yield DatasetStore(folder, endpoint, authority, ca_file, owner, reader, writer, server)


def _config(**credentials: Credential) -> str:
    everything = ["arn:aws:s3:::*"]
    reading = ["s3:ListBucket", "s3:GetObject"]
    writing = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    actions = {"owner": ["s3:*"], "reader": reading, "writer": reading + writing}
    identities, policies = [], []
    for name, credential in credentials.items():
        keys = {
            "accessKey": credential.access_key_id,
            "secretKey": credential.secret_access_key,
        }
        identities.append({"name": name, "credentials": [keys], "policyNames": [name]})
        statement = {"Effect": "Allow", "Action": actions[name], "Resource": everything}
        content = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        policies.append({"name": name, "content": content})
    return json.dumps({"identities": identities, "policies": policies})
