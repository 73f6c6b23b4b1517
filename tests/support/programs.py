"""The programs that deliver, `sealyard-courier` and `sealyard`, and a release for them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealyard.api.answers import Answer, parse_answer
from sealyard.api.model_release import Platform, SealingFormatName, VariantSpec
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
from sealyard.api.training_run import Metrics

if TYPE_CHECKING:
    from support.stores import Stores

BUCKET = "models"
PREFIX = "sealyard"
COURIER = str(Path(sys.executable).with_name("sealyard-courier"))
SEALYARD = str(Path(sys.executable).with_name("sealyard"))
PROGRAM_SECONDS = 120


def _without_progress(text: str) -> list[str]:
    progress = re.compile(r'\{"progress": |[^{]*: [0-9]+ %, ')
    return [line for line in text.splitlines() if not progress.match(line)]


@dataclass(frozen=True)
class Ended:
    """A program that has ended."""

    code: int
    output: str
    answer: Answer | None
    peak_mebibytes: int = 0
    warnings: str = ""
    """What `sealyard` said on stderr though it succeeded; `output` is its stdout then."""

    @property
    def said(self) -> list[str]:
        """The lines of `output`, less those of progress, which only a slow machine sees."""
        return _without_progress(self.output)

    @property
    def warned(self) -> list[str]:
        """The lines of `warnings`, likewise."""
        return _without_progress(self.warnings)

    @property
    def result(self) -> dict[str, Any]:
        assert self.code == 0, self.output
        assert self.answer is not None
        assert self.answer.result is not None
        return self.answer.result

    @property
    def message(self) -> str:
        assert self.answer is not None, self.output
        return self.answer.message


@dataclass
class Running:
    """A program that runs; `wait` for it or kill it."""

    process: subprocess.Popen[bytes]
    folder: Path
    stores: Stores

    def wait(self) -> Ended:
        deadline = time.monotonic() + PROGRAM_SECONDS
        peak = 0
        while self.process.poll() is None:
            peak = max(peak, _peak_kibibytes(self.process.pid))
            if time.monotonic() > deadline:
                self.process.kill()
            time.sleep(0.01)
        output = (self.folder / "output").read_text()
        message = self.folder / "termination-log"
        text = message.read_text() if message.exists() else ""
        self.stores.assert_no_secret_in(output + text)
        return Ended(self.process.returncode, output, parse_answer(text), peak >> 10)


def _peak_kibibytes(pid: int) -> int:
    """The most memory it has had. (`ru_maxrss` would count ours too, from before its exec.)"""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


@dataclass
class Job:
    """A release to publish: plaintexts in a workspace, and the mounts of its Jobs."""

    stores: Stores
    folder: Path
    model: str
    version: str
    sealing: SealingFormatName
    variants: list[ExportedVariant] = field(default_factory=list)
    runs: int = 0

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def release_path(self) -> str:
        return f"{self.model}-0123456789"

    @property
    def record(self) -> Path:
        return self.workspace / self.release_path / "publish.json"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def flat_secrets(self) -> Path:
        """All keys in one folder, as `sealyard pull` takes them."""
        flat = self.folder / "flat"
        flat.mkdir(exist_ok=True)
        for path in self.secrets.glob("*/*"):
            (flat / path.name).write_bytes(path.read_bytes())
        return flat

    def add(self, name: str, content: bytes, platform: Platform | None = None) -> None:
        """Export a variant, for all machines if none are named."""
        path = f"{self.release_path}/exports/{name}.onnx"
        (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (self.workspace / path).write_bytes(content)
        self.variants.append(
            ExportedVariant(
                spec=VariantSpec(name=name, format="onnx", precision="fp32"),
                image_size=128,
                path=path,
                sha256=hashlib.sha256(content).hexdigest(),
                size_bytes=len(content),
                platform=platform,
            )
        )

    def content(self, variant: ExportedVariant) -> bytes:
        return (self.workspace / variant.path).read_bytes()

    def publish_task(self, **changes: Any) -> PublishTask:
        task = PublishTask(
            owner=Owner(namespace="coins", name=self.model, uid="uid"),
            attempt=1,
            model=self.model,
            version=self.version,
            sealing_format=self.sealing,
            split=SplitSpec(),
            variants=self.variants,
            source=SourceRecord(
                training_run="coins",
                training_run_uid="11111111-2222-3333-4444-555555555555",
                dataset_digest="d" * 64,
                metrics=Metrics(map50=0.98, map50_95=0.81),
            ),
            release_path=self.release_path,
            api=self.stores.remote_api("release-api-publisher"),
            cdn=self.stores.remote_cdn("cdn-write"),
            keyring_secret_name="keyring",
        )
        return task.model_copy(update=changes)

    def verify_task(self, manifest_sha256: str, **changes: Any) -> VerifyTask:
        task = VerifyTask(
            owner=Owner(namespace="coins", name=self.model, uid="uid"),
            attempt=1,
            model=self.model,
            version=self.version,
            manifest_sha256=manifest_sha256,
            variants=self.variants,
            api=self.stores.remote_api("release-api-verifier"),
            cdn=self.stores.remote_cdn("cdn-read"),
            keyring_secret_name="keyring",
        )
        return task.model_copy(update=changes)

    def start(self, task: Task, *mounts: str) -> Running:
        """Start the courier on a task, with mounts beside those that most tasks have."""
        message = self.folder / f"run-{self.runs + 1}" / "termination-log"
        return self._started(
            [
                COURIER,
                *("--workspace", str(self.workspace)),
                *("--secrets", str(self.secrets)),
                *("--ca", str(self.folder / "ca")),
                *("--termination-message", str(message)),
                *mounts,
            ],
            {TASK_VARIABLE: to_environment(task)},
        )

    def _started(self, command: list[str], environment: dict[str, str]) -> Running:
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return Running(process, folder, self.stores)

    def run(self, task: Task) -> Ended:
        return self.start(task).wait()

    def publish(self, **changes: Any) -> Ended:
        return self.run(self.publish_task(**changes))

    def verify(self, manifest_sha256: str, **changes: Any) -> Ended:
        return self.run(self.verify_task(manifest_sha256, **changes))

    @property
    def places(self) -> tuple[str, ...]:
        """Where `sealyard` finds the stores and all secrets."""
        return (
            *("--api", self.stores.api.url, "--api-ca", str(self.folder / "ca/api/ca.crt")),
            *("--cdn", self.stores.cdn.endpoint, "--cdn-ca", str(self.folder / "ca/cdn/ca.crt")),
            *("--bucket", BUCKET, "--secrets-dir", str(self.flat_secrets)),
        )

    def pull(self, *arguments: str) -> Ended:
        """Run `sealyard pull` on this release."""
        return self.command(*self.pull_arguments(), *arguments)

    def pull_arguments(self) -> list[str]:
        """What `sealyard` needs to pull this release, but for keys and places."""
        return ["pull", self.model, self.version, *self.places, "--prefix", PREFIX]

    def start_pull(self, *arguments: str) -> Running:
        """Start `sealyard pull` on this release; `output` has both of its streams."""
        return self._started([SEALYARD, *self.pull_arguments(), *arguments], {"COLUMNS": "200"})

    def prove(self, *arguments: str) -> Ended:
        """Run `sealyard verify` on this release, with its keyring."""
        keyring = str(self.secrets / "keyring" / "keyring.json")
        return self.command(
            "verify", self.model, self.version, *self.places, "--keyring", keyring, *arguments
        )

    def upload(self, folder: Path, *arguments: str) -> Ended:
        """Run `sealyard publish` on a folder that `sealyard seal` has filled."""
        return self.command("publish", str(folder), *self.places, *arguments)

    def command(self, *arguments: str) -> Ended:
        """Run `sealyard` with these arguments."""
        return self.program(SEALYARD, *arguments)

    def program(self, *command: str) -> Ended:
        """Run a command that ends in `sealyard` and its arguments."""
        done = subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        self.stores.assert_no_secret_in(stdout + stderr)
        if done.returncode:
            return Ended(done.returncode, stdout + stderr, None)
        return Ended(0, stdout, None, warnings=stderr)


def upload_begun(job: Job) -> bool:
    """Whether a publication is sending parts."""
    try:
        variants = json.loads(job.record.read_text())["variants"]
    except (FileNotFoundError, ValueError):
        return False
    return any("upload" in variant for variant in variants.values())
