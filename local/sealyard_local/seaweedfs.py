"""SeaweedFS as a CDN: a real S3 server over TLS that enforces who may write and who may read.

The demo runs `argv` as a pod of the embedded cluster, tests run it as a process of their own
(`SeaweedFS`). Both get the same rights from `s3_config`: the write credential can put objects and
drive multipart uploads, the read credential can get objects, neither can do the other's part, list
or delete, and nobody can do anything without one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sealyard_local.ports import free_block
from sealyard_local.processes import die_with_parent

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_GRPC_OFFSET = 10_000
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_WRITE_ACTIONS = ["s3:PutObject", "s3:AbortMultipartUpload"]
_READ_ACTIONS = ["s3:GetObject"]


@dataclass(frozen=True, slots=True)
class Credential:
    """An S3 access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """A new random one."""
        return cls(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens: S3 for the world, the rest for itself; gRPC at 10,000 more on each."""

    s3: int
    master: int
    volume: int
    filer: int
    admin: int

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody uses, and no other process is given."""
        return cls(*free_block(_GRPC_OFFSET))


def s3_config(*, bucket: str, prefix: str, write: Credential, read: Credential) -> str:
    """The content of `s3.json`: two identities with a policy each.

    Args:
        bucket: the only bucket.
        prefix: what the keys of all objects begin with, without a slash at its end.
        write: what may put objects under the prefix, and nothing else.
        read: what may get objects under the prefix, and nothing else.
    """
    resource = f"arn:aws:s3:::{bucket}/{prefix}/*"
    return json.dumps(
        {
            "identities": [
                _identity("writer", write),
                _identity("reader", read),
            ],
            "policies": [
                _policy("writer", _WRITE_ACTIONS, resource),
                _policy("reader", _READ_ACTIONS, resource),
            ],
        },
        indent=1,
    )


def argv(
    directory: Path,
    ports: Ports,
    *,
    config: Path,
    certificate: Path,
    key: Path,
    bucket: str,
    ip: str = "127.0.0.1",
    program: str | None = None,
) -> list[str]:
    """The command line of the server.

    Args:
        directory: where everything is kept; made if it is not there.
        ports: where it listens.
        config: the file with what `s3_config` gives.
        certificate: PEM, for the S3 port, which speaks nothing but TLS.
        key: PEM.
        bucket: made at the start.
        ip: the address that it listens on.
        program: `weed`; the one of this environment by default.
    """
    return [
        program or str(Path(sys.executable).with_name("weed")),
        "-logtostderr=true",
        "mini",
        f"-dir={directory}",
        f"-ip={ip}",
        f"-ip.bind={ip}",
        f"-bucket={bucket}",
        "-master.telemetry=false",
        # Without this the filer hands out every object to whoever asks.
        "-disableHttp",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-master.port={ports.master}",
        f"-volume.port={ports.volume}",
        f"-filer.port={ports.filer}",
        f"-s3.port={ports.s3}",
        f"-master.port.grpc={ports.master + _GRPC_OFFSET}",
        f"-volume.port.grpc={ports.volume + _GRPC_OFFSET}",
        f"-filer.port.grpc={ports.filer + _GRPC_OFFSET}",
        f"-s3.port.grpc={ports.s3 + _GRPC_OFFSET}",
        f"-admin.port={ports.admin}",
        f"-admin.port.grpc={ports.admin + _GRPC_OFFSET}",
        f"-s3.cert.file={certificate}",
        f"-s3.key.file={key}",
        f"-s3.config={config}",
    ]


class SeaweedFS:
    """A server process of one's own; ends with the thread that started it.

    Args:
        command: from `argv`.
        endpoint: its URL.
        ca_file: what its certificate verifies against.
        bucket: the one in `command`.
        prefix: the one of `s3_config`.
        read: the read credential, which asks whether it is ready.
        log: where its output goes.
    """

    def __init__(
        self,
        command: list[str],
        *,
        endpoint: str,
        ca_file: Path,
        bucket: str,
        prefix: str,
        read: Credential,
        log: Path,
    ) -> None:
        self.endpoint = endpoint
        self._command = command
        self._ca_file = ca_file
        self._bucket = bucket
        self._prefix = prefix
        self._read = read
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended, or did not answer within a minute; with the end of its output.
        """
        with self._log.open("ab") as log:
            self._started_at = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Whatever ends us, also SIGKILL, ends it.
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
                # Nothing of AWS in our own environment becomes a setting of the server.
                env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it as Kubernetes would: SIGTERM, and SIGKILL if that is not enough."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        client = self._client()
        while not (self._has_volumes() and self._answers(client)):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"SeaweedFS ended while starting:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"SeaweedFS did not answer within {_START_SECONDS:g} s:\n{self._tail()}"
                )
            time.sleep(0.05)
        client.close()

    def _has_volumes(self) -> bool:
        """Whether it can reach what it stored before: its parts find each other after it listens.

        On a busy machine that takes seconds, in which every object is an InternalError. No port of
        it tells, once the unauthenticated ones are closed; its log does.
        """
        with self._log.open("rb") as log:
            log.seek(self._started_at)
            return b" added volume server " in log.read()

    def _answers(self, client: S3Client) -> bool:
        """Whether it judges requests and has its bucket, which it makes after it listens."""
        try:
            client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/ready")
        except ClientError as error:
            return error.response["Error"]["Code"] == "NoSuchKey"
        except BotoCoreError:
            return False
        return True

    def _client(self) -> S3Client:
        return boto3.session.Session(
            aws_access_key_id=self._read.access_key_id,
            aws_secret_access_key=self._read.secret_access_key,
            region_name="us-east-1",
        ).client(
            "s3",
            endpoint_url=self.endpoint,
            verify=str(self._ca_file),
            config=Config(
                connect_timeout=5,
                read_timeout=5,
                retries={"total_max_attempts": 1},
                proxies={},
                s3={"addressing_style": "path"},
            ),
        )

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


def _identity(name: str, credential: Credential) -> dict[str, object]:
    return {
        "name": name,
        "credentials": [
            {"accessKey": credential.access_key_id, "secretKey": credential.secret_access_key}
        ],
        "policyNames": [name],
    }


def _policy(name: str, actions: list[str], resource: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": [resource]}
    content = {"Version": "2012-10-17", "Statement": [statement]}
    return {"name": name, "content": json.dumps(content)}
