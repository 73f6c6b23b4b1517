"""One release after the other of the same file: its tasks, and the programs that carry them out."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.children import Program
from benchmarks.plaintext import Plaintext
from benchmarks.servers import MOUNTED, REGION, Servers
from benchmarks.table import CheckError
from sealyard.api.answers import Answer, parse_answer
from sealyard.api.model_release import VariantSpec
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.release_target import SplitSpec
from sealyard.api.tasks import (
    ExportedVariant,
    Owner,
    PublishTask,
    SourceRecord,
    Task,
    VerifyTask,
    to_environment,
)
from sealyard_courier.deliver import run_publish, run_verify
from sealyard_local.stores import BUCKET, PREFIX

_VERSION: Final = "1.0.0"


@dataclass(slots=True)
class Releases:
    """Releases of one plaintext; each has a model name of its own.

    Attributes:
        servers: where they go.
        plain: in the workspace of `servers`.
        model: of the latest release.
        manifest_sha256: of it, once it is published.
    """

    servers: Servers
    plain: Plaintext
    model: str = field(default="", init=False)
    manifest_sha256: str = field(default="", init=False)

    def begin(self) -> None:
        """Empty the CDN, and let the next publication be of a new release."""
        self.servers.empty_cdn()
        self.model, self.manifest_sha256 = f"bench-{secrets.token_hex(6)}", ""
        self.servers.mounts.termination_message.unlink(missing_ok=True)

    def publish(self) -> None:
        """Publish in this process, by what the Job runs."""
        self._note(run_publish(self._publish_task(), self.servers.mounts))

    def check_published(self) -> None:
        """Verify in this process: both parts are fetched, opened, compared with the plaintext.

        Raises:
            SealyardError: it is not published, or opens to something else.
        """
        if not self.manifest_sha256:
            self._note(parse_answer(self.servers.mounts.termination_message.read_text()))
        run_verify(self._verify_task(), self.servers.mounts)

    def publish_program(self) -> Program:
        """The Job's program, which publishes."""
        return self._courier(self._publish_task())

    def verify_program(self) -> Program:
        """The Job's program, which verifies what is published."""
        return self._courier(self._verify_task())

    def pull_program(self, output: Path) -> Program:
        """`sealyard pull` of what is published."""
        servers = self.servers
        return Program(
            [
                _beside("sealyard"),
                *("pull", self.model, _VERSION),
                *("--api", servers.stores.api_url, "--api-ca", servers.ca_file),
                *("--cdn", servers.stores.cdn_endpoint, "--cdn-ca", servers.ca_file),
                *("--bucket", BUCKET, "--prefix", PREFIX, "--region", REGION),
                *("--secrets-dir", servers.reader, "--keyring", servers.reader / "keyring.json"),
                *("--output", output),
            ]
        )

    def _note(self, answer: Answer | None) -> None:
        if answer is None or answer.result is None:
            raise CheckError("the publication gave no result")
        self.manifest_sha256 = str(answer.result["manifestSha256"])

    def _courier(self, task: Task) -> Program:
        mounts = self.servers.mounts
        return Program(
            [
                _beside("sealyard-courier"),
                *("--workspace", mounts.workspace),
                *("--secrets", mounts.secrets, "--ca", mounts.ca),
                *("--termination-message", mounts.termination_message),
            ],
            environment={TASK_VARIABLE: to_environment(task)},
        )

    def _publish_task(self) -> PublishTask:
        return PublishTask(
            owner=self._owner(),
            attempt=1,
            model=self.model,
            version=_VERSION,
            sealing_format="sealed-v2",
            split=SplitSpec(),
            variants=[self._exported()],
            source=SourceRecord(
                training_run="bench", training_run_uid=self.model, dataset_digest="0" * 64
            ),
            release_path=self.model,
            api=self.servers.remote_api(),
            cdn=self.servers.remote_cdn(),
            keyring_secret_name=MOUNTED,
        )

    def _verify_task(self) -> VerifyTask:
        return VerifyTask(
            owner=self._owner(),
            attempt=1,
            model=self.model,
            version=_VERSION,
            manifest_sha256=self.manifest_sha256,
            variants=[self._exported()],
            api=self.servers.remote_api(),
            cdn=self.servers.remote_cdn(),
            keyring_secret_name=MOUNTED,
        )

    def _owner(self) -> Owner:
        return Owner(namespace="bench", name=self.model, uid=self.model)

    def _exported(self) -> ExportedVariant:
        return ExportedVariant(
            spec=VariantSpec(name="onnx-fp32", format="onnx", precision="fp32"),
            image_size=640,
            path=self.plain.path.name,
            sha256=self.plain.sha256,
            size_bytes=self.plain.size_bytes,
        )


def _beside(name: str) -> Path:
    """A program of this environment."""
    return Path(sys.executable).with_name(name)
