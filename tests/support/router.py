"""The router as a process, with a broker and a storage of its own, and streams of messages."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealyard.api.annotation_route import IdentitySpec, RolesSpec
from sealyard.api.filing import RemoteStream, RouteTask
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import Owner, RemoteFolder, to_environment
from sealyard.errors import UnavailableError
from sealyard.jobs.mounts import Mounts
from sealyard_local.ports import free_block
from support.annotation_store import files_of, newest_of, objects_of
from support.annotations import a_box
from support.dataset_store import BUCKET, DatasetStore
from support.filing import a_message, an_image
from support.rabbitmq import READER, Broker
from support.streams import publish

PROGRAM = str(Path(sys.executable).parent / "sealyard-router")
CLASSES = ["coin", "note"]
OPERATIONS = ["created", "edited", "edited", "validated", "deleted"]


@dataclass
class RouterProcess:
    """A router that runs, or did."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def ended(self, seconds: float = 60) -> int:
        """Wait for the end; gives the exit code."""
        return self.process.wait(seconds)

    @property
    def message(self) -> str:
        """The termination message's."""
        answer: dict[str, str] = json.loads((self.folder / "termination-log").read_text())
        return answer["message"]

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    def get(self, path: str) -> tuple[int, str]:
        """What its HTTP server answers; 0 where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, urllib.error.URLError):
            return 0, ""

    def metric(self, name: str) -> float:
        """The value of a metric; -1 where there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return -1.0


@dataclass
class Yard:
    """A route: its broker and stream, its storage, and the routers that were started on it.

    Attributes:
        store: where it files; a folder serves where it is None.
    """

    folder: Path
    broker: Broker
    stream: str
    store: DatasetStore | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the task."""
    routers: list[RouterProcess] = field(default_factory=list)
    password: str | None = None
    """The broker's, if it is to be another than the right one."""
    key_set: bytes | None = None
    """The keys that tokens are judged by."""

    @property
    def volume(self) -> Path:
        """The folder that stands for the claim."""
        return self.folder / "annotations"

    @property
    def prefix(self) -> str:
        return f"{self.stream}/"

    def remote(self, prefix: str) -> RemoteFolder:
        assert self.store is not None
        return self.store.remote(prefix)

    def task(self) -> RouteTask:
        task = RouteTask(
            owner=Owner(namespace="default", name="trays", uid="uid-1"),
            attempt=1,
            source=RemoteStream(
                host=self.broker.host,
                port=self.broker.stream_port,
                virtual_host="/",
                stream=self.stream,
                secret_name="queue",
                ca_bundle_name="queue-ca",
            ),
            identity=IdentitySpec(claim="Trusted"),
            roles=RolesSpec(),
            storage=self.remote(self.prefix) if self.store is not None else None,
            classes=CLASSES,
            validation_percent=20,
            max_picture_bytes=64 << 20,
        )
        return task.model_copy(update=self.changes)

    def mounts(self, folder: Path) -> Mounts:
        """Make what the operator would mount for a router, in a folder."""
        for name in ("scratch", "ca/queue", "ca/annotations", "ca/pictures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.volume.mkdir(exist_ok=True)
        secrets = {Purpose.QUEUE: (READER, self.password or self.broker.passwords[READER])}
        (folder / "ca/queue/ca.crt").write_bytes(self.broker.ca.ca_pem)
        if self.store is not None:
            owner = self.store.owner
            pair = (owner.access_key_id, owner.secret_access_key)
            secrets |= {Purpose.ANNOTATIONS: pair, Purpose.PICTURES: pair}
            for name in ("annotations", "pictures"):
                (folder / f"ca/{name}/ca.crt").write_bytes(self.store.ca.ca_pem)
        if self.key_set is not None:
            secrets[Purpose.IDENTITY_KEYS] = (self.key_set.decode(),)
        for purpose, values in secrets.items():
            place = folder / "secrets" / purpose.value
            place.mkdir(parents=True)
            for key, value in zip(SECRET_USES[purpose].keys, values, strict=True):
                (place / key).write_text(value)
        return Mounts(
            annotations=self.volume,
            scratch=folder / "scratch",
            secrets=folder / "secrets",
            ca=folder / "ca",
            termination_message=folder / "termination-log",
        )

    def start(self, *wrapper: str) -> RouterProcess:
        """Start a router; `wrapper` is what runs before it."""
        folder = self.folder / f"router-{len(self.routers)}"
        self.mounts(folder)
        [port, *_] = free_block()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(*wrapper, PROGRAM),
                    *("--secrets", str(folder / "secrets")),
                    *("--ca", str(folder / "ca")),
                    *("--scratch", str(folder / "scratch")),
                    *("--annotations", str(self.volume)),
                    *("--termination-message", str(folder / "termination-log")),
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "SEALYARD_HTTP_PORT": str(port),
                    TASK_VARIABLE: to_environment(self.task()),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.routers.append(RouterProcess(process, folder, port))
        return self.routers[-1]

    def files(self) -> dict[str, bytes]:
        """All that is in the storage, read without anything of the router's."""
        if self.store is None:
            return files_of(self.volume)
        return objects_of(self.store.client, BUCKET, self.prefix)

    def end(self) -> int:
        """Where the journal ends."""
        if self.store is None:
            entries = sorted((self.volume / "journal").glob("[0-9]*.jsonl"))
            newest = entries[-1].read_bytes() if entries else b""
        else:
            newest = newest_of(self.store.client, BUCKET, f"{self.prefix}journal/")
        return int(json.loads(newest.splitlines()[0])["end"]) if newest else 0

    def wait_filed(self, end: int, *, seconds: float = 120) -> None:
        """Wait until everything before an offset is filed."""
        deadline = time.monotonic() + seconds
        while (found := self.end()) < end:
            assert time.monotonic() < deadline, f"{found} of {end}:\n{self.routers[-1].log[-4000:]}"
            time.sleep(0.1)

    def wait_metric(self, router: RouterProcess, name: str, value: float) -> None:
        """Wait until a metric of a router has a value."""
        deadline = time.monotonic() + 600
        while (found := router.metric(name)) != value:
            assert time.monotonic() < deadline, f"{name} is {found}, must be {value}"
            time.sleep(0.05)

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Publish messages in order, each confirmed."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return asyncio.run(publish(self.broker, self.stream, bodies, batch=20))
            except UnavailableError as error:
                # A broker that has just started may not have found its stream yet; none was sent.
                if "not available now" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


@contextmanager
def a_yard(
    folder: Path, broker: Broker, store: DatasetStore | None, **changes: Any
) -> Iterator[Yard]:
    """A route with a new stream; its routers are ended at the end."""
    stream = f"s-{os.urandom(6).hex()}"
    broker.create_stream(stream)
    folder.mkdir(parents=True, exist_ok=True)
    yard = Yard(folder, broker, stream, store, changes)
    try:
        yield yard
    finally:
        for router in yard.routers:
            if router.process.poll() is None:
                router.process.send_signal(signal.SIGKILL)
            router.process.wait()


def a_stream(count: int, seed: int = 1) -> list[bytes]:
    """Messages as a busy team sends them: new items, changes in any order, some sent twice, some
    by nobody, some poison, some of one revision that differ."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    images = [an_image(number) for number in range(8)]
    bodies: list[bytes] = []
    for number in range(count):
        drawn = chance.random()
        if drawn < 0.05:
            bodies.append(b"poison" * number)
        elif drawn < 0.10 and bodies:
            bodies.append(chance.choice(bodies[-50:]))
        else:
            bodies.append(
                a_message(
                    chance.choice(images),
                    id=f"tray-{chance.randrange(count // 4 + 1)}",
                    revision=chance.randrange(1, 8),
                    operation=chance.choice(
                        ["created", "edited", "edited", "validated", "deleted"]
                    ),
                    role=chance.choice(["Operator", "Operator", "Validator", "Admin", None]),
                    boxes=[a_box(chance.choice([*CLASSES, *CLASSES, *CLASSES, "cion"]))],
                    annotator=f"annotator-{chance.randrange(5)}@example.org",
                )
            )
    return bodies


def states_of(files: Iterable[str]) -> dict[str, str]:
    """Where each item is that is filed."""
    return {
        key.split("/")[2].rpartition("-")[0]: key.split("/")[0]
        for key in files
        if key.startswith(("validated/images/", "seed/images/"))
    }
