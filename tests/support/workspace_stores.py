"""Workspaces in a real S3 server: as a task names them, and the mounts of a Job that has one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteWorkspace
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.workspace_store import WorkspaceStore
from sealyard.jobs.mirror import FILES, INDEX
from support.dataset_store import BUCKET, DatasetStore
from support.job_programs import Pod

PREFIX = "teams/vision/"
SECRET_NAME = "workspace-writer"
AT_ONCE = Retry(attempts=1)


@dataclass(frozen=True)
class Workspaces:
    """A folder of a server, and what is mounted to reach it."""

    server: DatasetStore
    mounts: Path

    @classmethod
    def on(cls, server: DatasetStore, root: Path) -> Workspaces:
        """With the credential and the CA bundle below `root`, as the operator mounts them."""
        for purpose in ("workspace", "weights"):
            secret, ca = root / "secrets" / purpose, root / "ca" / purpose
            for folder in (secret, ca):
                folder.mkdir(parents=True)
            (secret / "workspace-access-key-id").write_text(server.writer.access_key_id)
            (secret / "workspace-secret-access-key").write_text(server.writer.secret_access_key)
            (ca / "ca.crt").write_bytes(server.ca.ca_pem)
        return cls(server, root)

    def remote(self, **changes: Any) -> RemoteWorkspace:
        """As a task names it."""
        folder = self.server.remote(PREFIX, secret_name=SECRET_NAME)
        return RemoteWorkspace(**folder.model_dump(), cache_bytes=1 << 30).model_copy(
            update=changes
        )

    def open(self, endpoint: str | None = None) -> WorkspaceStore:
        """A client of it, which tries nothing again."""
        return WorkspaceStore(
            S3Place(endpoint or self.server.endpoint, "us-east-1", BUCKET),
            PREFIX,
            SecretFiles.mounted(Purpose.WORKSPACE, self.mounts / "secrets", SECRET_NAME),
            bundle=CaBundle.mounted(self.mounts / "ca/workspace", "stores-ca"),
            retry=AT_ONCE,
        )

    def pod(self, root: Path, uid: str, dataset: Path | None) -> Pod:
        """A pod whose workspace goes with it."""
        root.mkdir()
        return Pod(
            root=root,
            workspace=root / "workspace",
            dataset=dataset,
            uid=uid,
            secrets=self.mounts / "secrets",
            ca=self.mounts / "ca",
        )

    def index(self, key: str) -> dict[str, Any]:
        """What the index of a folder says; nothing while there is none."""
        name = f"{PREFIX}{key}/{INDEX}"
        try:
            answer = self.server.client.get_object(Bucket=BUCKET, Key=name)
        except self.server.client.exceptions.NoSuchKey:
            return {"holder": "", "files": {}}
        document: dict[str, Any] = json.loads(answer["Body"].read())
        return document

    def objects(self, key: str) -> dict[str, int]:
        """The sizes of the files of a folder, by the names that the index has for them."""
        folder = f"{PREFIX}{key}/{FILES}"
        listed = self.server.client.list_objects_v2(Bucket=BUCKET, Prefix=folder)
        return {one["Key"].removeprefix(folder): one["Size"] for one in listed.get("Contents", ())}
