"""A release API with releases whose keys are to be rotated, and the Job that does it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealyard.api.model_release import SealingFormatName
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import Owner, RewrapTask
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import Keyring
from sealyard_local.seaweedfs import Credential
from support import release_api
from support.programs import BUCKET, Ended, Job, Running
from support.sealing import V2, content, manifest_of, seal
from support.stores import Stores

VARIANT = "onnx-fp32"


@dataclass(frozen=True)
class Published:
    """A release that was published by the real Job."""

    job: Job
    manifest_sha256: str

    def verify(self, keyring: Keyring) -> Ended:
        """Whether it opens with this keyring, as the real Job sees it."""
        _use(keyring, self.job)
        return self.job.verify(self.manifest_sha256)


class Rotation:
    """The keyrings of a rotation from key 1 to key 2, and the releases of a target."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        self.first = stores.keyring
        self.both = self.first.add("cluster-2", "v2").activate("cluster-2")
        self.second = self.both.retire("cluster-1")
        self._folder = folder
        self._published = 0
        # As the Job's manifest says: no Secret and no CA of the CDN is mounted.
        self.courier = stores.release(folder / "rewrap")
        for purpose in (Purpose.CDN_READ, Purpose.CDN_WRITE):
            for key in SECRET_USES[purpose].keys:
                (self.courier.secrets / purpose.value / key).unlink()
        (self.courier.folder / "ca/cdn/ca.crt").unlink()
        # From now on no output may hold the second key either.
        self._sealing_keyring, stores.keyring = stores.keyring, self.both

    def publish(self, *variants: str, sealing: SealingFormatName = V2) -> Published:
        """A release by the real Job, sealed under the first key, on both stores."""
        self._published += 1
        job = self.stores.release(self._folder / f"release-{self._published}", sealing)
        _use(self._sealing_keyring, job)
        for name in variants:
            job.add(name, os.urandom(20_000))
        return Published(job, job.publish().result["manifestSha256"])

    def put(self, count: int) -> list[str]:
        """Many small releases of one variant, straight to the release API. Gives their models."""
        models = [f"many-{number:03}" for number in range(count)]
        with release_api.connect(self.stores.api, release_api.PUBLISHER) as client:
            for model in models:
                artifact = seal(
                    V2,
                    content(5000),
                    context=ReleaseContext(model, "1.0.0", VARIANT),
                    keyring=self._sealing_keyring,
                    seed=model,
                )
                path = f"/releases/{model}/1.0.0"
                binary = {"Content-Type": "application/octet-stream"}
                text = {"Content-Type": "application/json"}
                puts = [
                    (f"{path}/variants/{VARIANT}/small", artifact.small, binary),
                    (f"{path}/manifest", manifest_of(artifact).encode(), text),
                ]
                for url, body, headers in puts:
                    assert client.put(url, content=body, headers=headers).status_code == 201
        return models

    def task(self) -> RewrapTask:
        return RewrapTask(
            owner=Owner(namespace="coins", name="stores", uid="uid"),
            attempt=1,
            verifier=self.stores.remote_api("release-api-verifier"),
            publisher=self.stores.remote_api("release-api-publisher"),
            keyring_secret_name="keyring",
        )

    def start(self, keyring: Keyring) -> Running:
        """The real Job, with this keyring in the Secret."""
        _use(keyring, self.courier)
        return self.courier.start(self.task())

    def run(self, keyring: Keyring) -> Ended:
        return self.start(keyring).wait()

    def client(self, purpose: Purpose) -> ReleaseApi:
        """A client of this process, as the Job has one."""
        return ReleaseApi(
            self.stores.api.url,
            SecretFiles.mounted(purpose, self.courier.secrets, purpose.value),
            bundle=CaBundle(self.stores.api.ca_path, "ConfigMap stores-ca"),
            login_gap_seconds=0.01,
        )

    def small(self, model: str, variant: str = VARIANT) -> bytes:
        with self._database() as database:
            row = database.execute(
                "SELECT body FROM small_parts WHERE model = ? AND variant = ?", (model, variant)
            ).fetchone()
        found: bytes = row[0]
        return found

    def smalls(self) -> dict[tuple[str, str], bytes]:
        """Everything that is stored, by model and variant."""
        with self._database() as database:
            rows = database.execute("SELECT model, variant, body FROM small_parts").fetchall()
        return {(model, variant): body for model, variant, body in rows}

    def store(self, model: str, small: bytes | None) -> None:
        """Change what is stored behind the server's back; None loses it."""
        with self._database() as database:
            if small is None:
                database.execute("DELETE FROM small_parts WHERE model = ?", (model,))
            else:
                database.execute(
                    "UPDATE small_parts SET body = ?, sha256 = ? WHERE model = ?",
                    (small, hashlib.sha256(small).hexdigest(), model),
                )
            database.commit()

    def requests(self, event: str = "put-small", **fields: Any) -> list[dict[str, Any]]:
        """The lines of the server's audit trail with these fields."""
        wanted = {"event": event, **fields}
        lines = self.stores.api.log_lines()
        return [line for line in lines if wanted.items() <= line.items()]

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.stores.api.data_dir / "release-api.db", timeout=30)


def _use(keyring: Keyring, job: Job) -> None:
    (job.secrets / Purpose.KEYRING.value / "keyring.json").write_bytes(keyring.to_json())


class Bucket:
    """The whole bucket as its owner sees it, which no credential of Sealyard may list."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._owner = Credential.new()
        config = stores.directory / "cdn" / "s3.json"
        document = json.loads(config.read_text())
        document["identities"].append(
            {
                "name": "owner",
                "credentials": [
                    {
                        "accessKey": self._owner.access_key_id,
                        "secretKey": self._owner.secret_access_key,
                    }
                ],
                "actions": ["Admin"],
            }
        )
        stores.cdn.stop()
        config.write_text(json.dumps(document))
        stores.cdn.start()

    def listing(self) -> list[tuple[str, str, int, str]]:
        """Key, ETag, size and time of every object."""
        client = self._stores.boto3(self._owner)
        found = client.list_objects_v2(Bucket=BUCKET)
        client.close()
        assert not found["IsTruncated"]
        return sorted(
            (one["Key"], one["ETag"], one["Size"], str(one["LastModified"]))
            for one in found["Contents"]
        )
