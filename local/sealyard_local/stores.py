"""The two stores of the demo and of the end-to-end tests, as pods of the embedded cluster.

Both are the real servers: SeaweedFS as the CDN, and the release API. They get a private CA, logins
and keys that are made here and nowhere else, and lie in Secrets only.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sealyard.api.release_target import CdnSpec
from sealyard.sealing.keyring import Keyring
from sealyard_local import seaweedfs
from sealyard_local.pki import PrivateCA
from sealyard_local.ports import free_ports
from sealyard_local.seaweedfs import Credential
from sealyard_release_api.accounts import NewUser, users_document
from sealyard_release_api.tokens import new_key_set

NAMESPACE = "stores"
BUCKET = "models"
PREFIX = str(CdnSpec.model_fields["prefix"].default)
_RUN_AS = 65532


@dataclass(frozen=True, slots=True)
class Login:
    """An account of the release API."""

    email: str
    role: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that is known about the two stores, secrets included."""

    ca: PrivateCA
    api_port: int
    cdn_ports: seaweedfs.Ports
    publisher: Login
    verifier: Login
    reader: Login
    """A third login, for a person who pulls."""
    write: Credential
    read: Credential
    keyring: Keyring = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """New keys, new passwords, free ports."""
        [api_port] = free_ports(1)
        return cls(
            ca=PrivateCA.create("Sealyard demo CA"),
            api_port=api_port,
            cdn_ports=seaweedfs.Ports.free(),
            publisher=Login("publisher@example.com", "Publisher"),
            verifier=Login("verifier@example.com", "Verifier"),
            reader=Login("reader@example.com", "Verifier"),
            write=Credential.new(),
            read=Credential.new(),
            keyring=Keyring.new(v1="fleet-1", v2="cluster-1"),
        )

    @property
    def api_url(self) -> str:
        """Where the release API answers."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def cdn_endpoint(self) -> str:
        """Where the CDN answers."""
        return f"https://127.0.0.1:{self.cdn_ports.s3}"

    def accounts(self) -> list[NewUser]:
        """The accounts of all logins, for any model."""
        return [
            NewUser(email=login.email, role=login.role, models=["*"], password=login.password)
            for login in (self.publisher, self.verifier, self.reader)
        ]

    def manifests(self) -> list[dict[str, Any]]:
        """The namespace of the stores and everything in it."""
        api_tls, cdn_tls = (
            self.ca.issue(dns_names=["localhost"], ips=["127.0.0.1"]) for _ in range(2)
        )
        return [
            _namespace(NAMESPACE),
            secret(
                NAMESPACE,
                "release-api",
                {
                    "users.json": users_document(self.accounts()).encode(),
                    "jwt-keys.json": new_key_set().encode(),
                    "tls.crt": api_tls.cert_pem,
                    "tls.key": api_tls.key_pem,
                },
            ),
            secret(
                NAMESPACE,
                "cdn",
                {
                    "s3.json": seaweedfs.s3_config(
                        bucket=BUCKET, prefix=PREFIX, write=self.write, read=self.read
                    ).encode(),
                    "tls.crt": cdn_tls.cert_pem,
                    "tls.key": cdn_tls.key_pem,
                },
            ),
            _deployment(
                "release-api",
                "sealyard/release-api:0.1.0",
                [
                    "sealyard-release-api",
                    "serve",
                    "--data-dir=/data",
                    "--secrets-dir=/secrets",
                    "--host=127.0.0.1",
                    f"--port={self.api_port}",
                ],
                self.api_port,
            ),
            _deployment(
                "cdn",
                "chrislusf/seaweedfs:4.48",
                seaweedfs.argv(
                    Path("/data"),
                    self.cdn_ports,
                    config=Path("/secrets/s3.json"),
                    certificate=Path("/secrets/tls.crt"),
                    key=Path("/secrets/tls.key"),
                    bucket=BUCKET,
                    program="weed",
                ),
                self.cdn_ports.s3,
            ),
        ]

    def tenant_manifests(self, namespace: str) -> list[dict[str, Any]]:
        """The Secrets and the CA bundle that a ReleaseTarget of this namespace names."""
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "stores-ca", "namespace": namespace},
                "data": {"ca.crt": self.ca.ca_pem.decode()},
            },
            secret(
                namespace,
                "release-api-publisher",
                {
                    "api-publisher-email": self.publisher.email.encode(),
                    "api-publisher-password": self.publisher.password.encode(),
                },
            ),
            secret(
                namespace,
                "release-api-verifier",
                {
                    "api-verifier-email": self.verifier.email.encode(),
                    "api-verifier-password": self.verifier.password.encode(),
                },
            ),
            secret(
                namespace,
                "cdn-write",
                {
                    "cdn-write-access-key-id": self.write.access_key_id.encode(),
                    "cdn-write-secret-access-key": self.write.secret_access_key.encode(),
                },
            ),
            secret(
                namespace,
                "cdn-read",
                {
                    "cdn-read-access-key-id": self.read.access_key_id.encode(),
                    "cdn-read-secret-access-key": self.read.secret_access_key.encode(),
                },
            ),
            secret(namespace, "keyring", {"keyring.json": self.keyring.to_json()}),
        ]

    def write_reader_credentials(self, directory: Path) -> None:
        """The third login and the read-only CDN credential as files, for `sealyard pull`."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, value in {
            "api-verifier-email": self.reader.email.encode(),
            "api-verifier-password": self.reader.password.encode(),
            "cdn-read-access-key-id": self.read.access_key_id.encode(),
            "cdn-read-secret-access-key": self.read.secret_access_key.encode(),
            "keyring.json": self.keyring.to_json(),
            "ca.crt": self.ca.ca_pem,
        }.items():
            path = directory / name
            path.touch(mode=0o600)
            path.write_bytes(value)


def secret(namespace: str, name: str, content: dict[str, bytes]) -> dict[str, Any]:
    """A Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
    }


def _namespace(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }


def _deployment(name: str, image: str, command: list[str], port: int) -> dict[str, Any]:
    """One replica with its Secret at /secrets and an empty /data, as restricted as can be."""
    labels = {"app.kubernetes.io/name": name}
    container = {
        "name": name,
        "image": image,
        "command": command,
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - an emptyDir of its own
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "secrets", "mountPath": "/secrets", "readOnly": True},
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of its own
        ],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _RUN_AS,
            "runAsGroup": _RUN_AS,
            "fsGroup": _RUN_AS,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "secrets", "secret": {"secretName": name, "defaultMode": 0o440}},
            {"name": "data", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
