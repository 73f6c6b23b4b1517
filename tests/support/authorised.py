"""A release API with the courier's Jobs that authorise: what is listed, and who may open it."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from sealyard.api.answers import parse_answer
from sealyard.api.grants import GrantInput
from sealyard.api.index import ListedRelease
from sealyard.api.model import Model
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import (
    GrantTask,
    IndexTask,
    Owner,
    RemoteApi,
    Task,
    to_environment,
)
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import IndexClient
from sealyard.delivery.index.keys import new_key
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.tuf_files import TufFiles
from support import release_api
from support.index import SigningKey, Trust, wish
from support.programs import COURIER, PROGRAM_SECONDS, Ended
from support.releases import LEGACY, SEALED, Sample, sample
from support.sealing import KEYRING
from support.secret_search import SecretSearch, has_web_token, keyring_secrets

LOGINS = {
    Purpose.API_PUBLISHER: (release_api.PUBLISHER, release_api.PASSWORD),
    Purpose.API_VERIFIER: (release_api.VERIFIER, release_api.PASSWORD),
}


@dataclass
class Target:
    """A ReleaseTarget without a CDN, which none of these Jobs reaches.

    Attributes:
        api: the server; several targets may share it, one after the other.
        folder: what is mounted.
        trust: its keys, and the chain that names them.
    """

    api: release_api.ReleaseApi
    folder: Path
    trust: Trust = field(init=False)
    pems: dict[Purpose, bytes] = field(init=False)
    runs: int = 0

    def __post_init__(self) -> None:
        self.pems = {purpose: new_key() for purpose in (Purpose.RELEASE_KEY, Purpose.FRESHNESS_KEY)}
        self.trust = Trust(
            release=SigningKey.parse(self.pems[Purpose.RELEASE_KEY], "release key"),
            freshness=SigningKey.parse(self.pems[Purpose.FRESHNESS_KEY], "freshness key"),
        )
        values: dict[Purpose, tuple[bytes, ...]] = {
            **{purpose: tuple(one.encode() for one in pair) for purpose, pair in LOGINS.items()},
            **{purpose: (pem,) for purpose, pem in self.pems.items()},
            Purpose.KEYRING: (KEYRING.to_json(),),
        }
        for purpose, contents in values.items():
            for key, content in zip(SECRET_USES[purpose].keys, contents, strict=True):
                self.write_secret(purpose, key, content)
        (self.folder / "ca/api").mkdir(parents=True)
        (self.folder / "ca/api/ca.crt").write_bytes(self.api.ca.ca_pem)
        (self.folder / "scratch").mkdir()

    def write_secret(self, purpose: Purpose, key: str, content: bytes) -> None:
        path = self.folder / "secrets" / purpose / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def remote(self, secret_name: str) -> RemoteApi:
        return RemoteApi(url=self.api.url, secret_name=secret_name, ca_bundle_name="stores-ca")

    def put(
        self,
        model: str | None = None,
        version: str = "1.0.0",
        *,
        variants: Sequence[str] = (SEALED, LEGACY),
    ) -> Sample:
        """A release whose small parts and manifest are there."""
        made = sample(model or f"m-{secrets.token_hex(6)}", version, variants=variants)
        with release_api.connect(self.api, release_api.PUBLISHER) as client:
            path = f"/releases/{made.model}/{made.version}"
            for variant, small in made.smalls.items():
                binary = {"Content-Type": "application/octet-stream"}
                url = f"{path}/variants/{variant}/small"
                assert client.put(url, content=small, headers=binary).status_code == 201
            text = {"Content-Type": "application/json"}
            answer = client.put(f"{path}/manifest", content=made.raw, headers=text)
            assert answer.status_code == 201
        return made

    def index_task(self, **changes: Any) -> IndexTask:
        task = IndexTask(
            owner=Owner(namespace="coins", name="stores", uid="uid"),
            attempt=1,
            input_sha256="0" * 64,
            index_lifetime_seconds=604_800,
            publisher=self.remote("release-api-publisher"),
            release_key_secret_name="trust-release-key",
            freshness_key_secret_name="trust-freshness-key",
            root_config_map_name="trust-root",
        )
        return task.model_copy(update=changes)

    def grant_task(self) -> GrantTask:
        return GrantTask(
            owner=Owner(namespace="coins", name="stores", uid="uid"),
            attempt=1,
            input_sha256="0" * 64,
            verifier=self.remote("release-api-verifier"),
            publisher=self.remote("release-api-publisher"),
            keyring_secret_name="keyring",
        )

    def start(self, task: IndexTask | GrantTask, document: Model, *, parts: int = 1) -> Running:
        """The real Job, with a document mounted in so many parts."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        raw = rfc8785.dumps(document.to_wire())
        size = -(-len(raw) // parts)
        (folder / "input").mkdir(parents=True)
        for number in range(parts):
            part = raw[number * size : (number + 1) * size]
            (folder / "input" / f"{number:04}").write_bytes(part)
        (folder / "trust-root").mkdir()
        for name, root in self.trust.chain.items():
            (folder / "trust-root" / name).write_bytes(root)
        task = task.model_copy(update={"input_sha256": hashlib.sha256(raw).hexdigest()})
        return Running(self, self._started(task, folder), folder)

    def _started(self, task: Task, folder: Path) -> subprocess.Popen[bytes]:
        command = [
            COURIER,
            *("--secrets", str(self.folder / "secrets"), "--ca", str(self.folder / "ca")),
            *("--scratch", str(self.folder / "scratch")),
            *("--input", str(folder / "input"), "--trust-root", str(folder / "trust-root")),
            *("--termination-message", str(folder / "termination-log")),
        ]
        environment = {"PATH": os.environ["PATH"], TASK_VARIABLE: to_environment(task)}
        with (folder / "output").open("wb") as output:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def index(self, *wanted: Any, **changes: Any) -> Ended:
        """Run the index Job on releases, channels and withdrawals."""
        return self.start(self.index_task(**changes), wish(*wanted)).wait()

    def grant(self, wanted: GrantInput) -> Ended:
        """Run the grant Job."""
        return self.start(self.grant_task(), wanted, parts=3).wait()

    @contextmanager
    def connected(self, purpose: Purpose = Purpose.API_VERIFIER) -> Iterator[ReleaseApi]:
        """A client of this process, as a Job has one."""
        with ReleaseApi(
            self.api.url,
            SecretFiles.mounted(purpose, self.folder / "secrets", purpose.value),
            bundle=CaBundle(self.api.ca_path, "ConfigMap stores-ca"),
            retry=Retry(attempts=1),
            login_gap_seconds=0.01,
        ) as client:
            yield client

    def device(
        self,
        api: ReleaseApi,
        *,
        root: bytes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> IndexClient:
        """A device's client of the index; it remembers what it saw."""
        return IndexClient(
            TufFiles(api.session),
            root or self.trust.first,
            Cache(self.folder / "device"),
            clock=clock,
        )

    def stored(self) -> dict[str, bytes]:
        """The metadata of the index as it lies in the database, by its names."""
        with self._database() as database:
            rows = database.execute("SELECT role, version, body FROM index_metadata").fetchall()
        return {_name(role, version): body for role, version, body in rows}

    def tamper(self, name: str, body: bytes, *, version: int | None = None) -> None:
        """Change what lies there behind the server's back, as whoever has broken into it."""
        number, _, role = name.removesuffix(".json").rpartition(".")
        sha256 = hashlib.sha256(body).hexdigest()
        with self._database() as database:
            if role == "timestamp":
                database.execute("DELETE FROM index_metadata WHERE role = 'timestamp'")
            database.execute(
                "INSERT OR REPLACE INTO index_metadata VALUES (?, ?, ?, ?, 'now', 'thief')",
                (role, int(number or version or 1), sha256, body),
            )
            database.commit()

    def tamper_targets(self, body: bytes) -> None:
        """Put these bytes in the place of every target file, behind the server's back."""
        with self._database() as database:
            database.execute("UPDATE index_targets SET body = ?", (body,))
            database.commit()

    def forget_index(self) -> None:
        """Nothing was ever listed."""
        with self._database() as database:
            for table in ("index_metadata", "index_targets"):
                database.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two names
            database.commit()

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.api.data_dir / "release-api.db", timeout=30)

    def assert_no_secret_in(self, text: str) -> None:
        known: dict[str, bytes | str] = {
            "password": release_api.PASSWORD,
            **{purpose.value: pem for purpose, pem in self.pems.items()},
            **keyring_secrets(KEYRING),
        }
        SecretSearch(known).assert_none_in(text)
        assert not has_web_token(text), "a JSON Web Token is in the output"


def _name(role: str, version: int) -> str:
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


@dataclass
class Running:
    """A Job that runs; `wait` for it or kill it."""

    target: Target
    process: subprocess.Popen[bytes]
    folder: Path

    def wait(self) -> Ended:
        try:
            self.process.wait(PROGRAM_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
        output = (self.folder / "output").read_text()
        message = self.folder / "termination-log"
        text = message.read_text() if message.exists() else ""
        self.target.assert_no_secret_in(output + text)
        return Ended(self.process.returncode, output, parse_answer(text))


def listed(made: Sample, not_after: str | None = None) -> ListedRelease:
    """A sample as the index is to list it."""
    return ListedRelease(
        model=made.model, version=made.version, manifest_sha256=made.sha256, not_after=not_after
    )
