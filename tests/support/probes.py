"""Targets to be probed: credentials with all kinds of rights, and the Job that tries them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sealyard.api.probe import Check
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import Owner, ProbeTask
from sealyard_local.seaweedfs import Credential
from support.programs import BUCKET, PREFIX, Ended
from support.stores import Stores

GENERATION = 7
KEY = f"{PREFIX}/.sealyard-probe"
RIGHTS = {
    "put": ["s3:PutObject"],
    "put and get": ["s3:PutObject", "s3:GetObject"],
    "put and list": ["s3:PutObject", "s3:ListBucket"],
    "put and delete": ["s3:PutObject", "s3:DeleteObject"],
    "get": ["s3:GetObject"],
    "get and put": ["s3:GetObject", "s3:PutObject"],
    "get and delete": ["s3:GetObject", "s3:DeleteObject"],
    "everything": ["s3:*"],
}


class Rights:
    """A CDN that knows a credential for each of `RIGHTS`, and its owner, who sees everything."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self._owner = Credential.new()
        self._credentials = {name: Credential.new() for name in RIGHTS}
        resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/{PREFIX}/*"]
        config = stores.directory / "cdn" / "s3.json"
        document = json.loads(config.read_text())
        for name, credential in self._credentials.items():
            policy = name.replace(" ", "-")
            statement = {"Effect": "Allow", "Action": RIGHTS[name], "Resource": resources}
            content = {"Version": "2012-10-17", "Statement": [statement]}
            document["identities"].append(_identity(policy, credential, policyNames=[policy]))
            document["policies"].append({"name": policy, "content": json.dumps(content)})
        document["identities"].append(_identity("owner", self._owner, actions=["Admin"]))
        stores.cdn.stop()
        config.write_text(json.dumps(document))
        stores.cdn.start()

    def __getitem__(self, name: str) -> tuple[str, str]:
        """Both keys of the credential with these rights."""
        credential = self._credentials[name]
        return credential.access_key_id, credential.secret_access_key

    def objects(self) -> dict[str, bytes]:
        """Everything in the bucket."""
        client = self.stores.boto3(self._owner)
        try:
            found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
            return {
                one["Key"]: client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
                for one in found
            }
        finally:
            client.close()


class Probed:
    """The real Job with its mounts."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        # As the Job's manifest says: no keyring is mounted.
        self.courier = stores.release(folder)
        (self.courier.secrets / Purpose.KEYRING.value / "keyring.json").unlink()

    def task(self, **changes: Any) -> ProbeTask:
        stores = self.stores
        task = ProbeTask(
            owner=Owner(namespace="coins", name="stores", uid="uid"),
            attempt=1,
            generation=GENERATION,
            publisher=stores.remote_api("release-api-publisher"),
            verifier=stores.remote_api("release-api-verifier"),
            writer=stores.remote_cdn("cdn-write"),
            reader=stores.remote_cdn("cdn-read"),
        )
        return task.model_copy(update=changes)

    def run(self, task: ProbeTask | None = None) -> Ended:
        return self.courier.run(task or self.task())

    def mount(self, purpose: Purpose, *values: str) -> None:
        """Other values in the Secret of a purpose."""
        for key, value in zip(SECRET_USES[purpose].keys, values, strict=True):
            (self.courier.secrets / purpose.value / key).write_text(value)

    def trust(self, store: str, pem: bytes) -> None:
        """Another CA bundle for `api` or `cdn`."""
        path = self.courier.folder / "ca" / store / "ca.crt"
        path.write_bytes(pem)


def verdicts(ended: Ended, result: str) -> dict[str, str]:
    """The checks that have this result, with their messages."""
    checks = ended.result["checks"]
    assert [check["name"] for check in checks] == list(Check)
    return {
        check["name"]: check.get("message", "") for check in checks if check["result"] == result
    }


def _identity(name: str, credential: Credential, **rights: list[str]) -> dict[str, Any]:
    keys = {"accessKey": credential.access_key_id, "secretKey": credential.secret_access_key}
    return {"name": name, "credentials": [keys], **rights}
