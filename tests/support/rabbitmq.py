"""A real RabbitMQ with its streams, on loopback, which speaks nothing but TLS.

The program of the system serves; on Debian and what descends from it, it is fetched otherwise, with
its Erlang, into the user's cache, which takes no root. Each broker has its own port mapper, cookie
and folder: any number of them run side by side.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
import pytest

from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.ports import free_block
from sealyard_local.processes import die_with_parent
from support.debian_packages import CAN_UNPACK, unpacked

_SERVER = Path("usr/lib/rabbitmq/bin")
_SYSTEM = Path("/") / _SERVER / "rabbitmq-server"
MISSING = (
    None
    if CAN_UNPACK or (_SYSTEM.exists() and shutil.which("erl"))
    else "RabbitMQ is missing: install rabbitmq-server, or have apt-get and dpkg to unpack it"
)
"""Why there can be no broker on this machine; None where there can."""
_PACKAGES = re.compile(r"rabbitmq-server|erlang-|libsctp")
_START_SECONDS = 300.0
_STOP_SECONDS = 30.0
_READY = "Server startup complete"

ADMIN = "admin"
READER = "router"
"""May read everything, and nothing else."""
WRITER = "tool"
"""May write everything, and nothing else."""
SENDER = "sender"
"""May write to exchanges whose name begins with `exchange-`: to no stream by itself."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a user may do in the virtual host, as regular expressions over names."""

    configure: str = "^$"
    write: str = "^$"
    read: str = "^$"


PERMISSIONS: dict[str, Permission] = {
    ADMIN: Permission(".*", ".*", ".*"),
    READER: Permission(read=".*"),
    WRITER: Permission(write=".*"),
    SENDER: Permission(write="^exchange-"),
    "stranger": Permission(),
}


@dataclass
class Broker:
    """A broker; `start`, `stop` and `kill` may follow in any order, on the same ports and data.

    Attributes:
        directory: a folder of its own.
        ca: what its certificate is of.
        tls: its certificate; replace it while it is stopped.
        settings: more lines of rabbitmq.conf.
        permissions: its users.
    """

    directory: Path
    ca: PrivateCA
    tls: CertPair
    settings: Mapping[str, str] = field(default_factory=dict)
    permissions: Mapping[str, Permission] = field(default_factory=lambda: dict(PERMISSIONS))
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    host: str = "localhost"

    def __post_init__(self) -> None:
        self.stream_port, self.amqps_port, self._mapper_port, self._node_port, _ = free_block()
        self._root = _programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._is_registered = False
        self.passwords |= {user: secrets.token_urlsafe(16) for user in self.permissions}
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca_path.write_bytes(self.ca.ca_pem)

    @property
    def ca_path(self) -> Path:
        """What a client trusts, in PEM."""
        return self.directory / "ca.crt"

    @property
    def log(self) -> str:
        """Everything that it has said."""
        return (self.directory / "log").read_text(errors="replace")

    def context(self) -> ssl.SSLContext:
        """For clients: verifies chain and name."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def start(self) -> None:
        """Start it, and wait until users and streams are there; from a thread that lasts."""
        self._configure()
        if self._mapper is None:
            epmd = self._find("epmd")
            self._mapper = self._spawn(epmd, "-port", str(self._mapper_port))
        begin = len(self.log) if (self.directory / "log").exists() else 0
        self._process = self._spawn(self._root / _SERVER / "rabbitmq-server", "-noinput")
        deadline = time.monotonic() + _START_SECONDS
        while _READY not in self.log[begin:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise AssertionError(f"RabbitMQ did not start:\n{self.log[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM: it closes the connections and its files."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        if not self._is_registered:
            # That it has streams at all, RabbitMQ 3.10 writes down some time after the first was
            # made. Killed before, it never finds them again.
            self.ctl("eval", "[ok = dets:sync(Table) || Table <- dets:all()].")
            self._is_registered = True
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay, and it says nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and what belongs to it, for good."""
        self._end(signal.SIGKILL)
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None

    def ctl(self, *arguments: str) -> str:
        """What rabbitmqctl prints."""
        done = subprocess.run(
            [self._root / _SERVER / "rabbitmqctl", "--quiet", *arguments],
            env=self._environment(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def channel(
        self, user: str = ADMIN
    ) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        """AMQP 0-9-1, as whoever publishes through an exchange."""
        connection = pika.BlockingConnection(
            pika.ConnectionParameters(
                self.host,
                self.amqps_port,
                credentials=pika.PlainCredentials(user, self.passwords[user]),
                ssl_options=pika.SSLOptions(self.context(), self.host),
            )
        )
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def create_stream(
        self, name: str, *, max_bytes: int | None = None, segment_bytes: int | None = None
    ) -> None:
        """A stream.

        Args:
            name: its name.
            max_bytes: what it is cut to, by whole segments, as it grows.
            segment_bytes: the size of those.
        """
        arguments: dict[str, Any] = {"x-queue-type": "stream"}
        if max_bytes is not None:
            arguments["x-max-length-bytes"] = max_bytes
        if segment_bytes is not None:
            arguments["x-stream-max-segment-size-bytes"] = segment_bytes
        with self.channel() as channel:
            channel.queue_declare(name, durable=True, arguments=arguments)

    def delete_stream(self, name: str) -> None:
        """Delete a stream."""
        with self.channel() as channel:
            channel.queue_delete(name)

    def create_exchange(self, name: str, *, stream: str) -> None:
        """An exchange all of whose messages go into a stream."""
        with self.channel() as channel:
            channel.exchange_declare(name, "fanout", durable=True)
            channel.queue_bind(stream, name)

    def _configure(self) -> None:
        self.tls.write(self.directory)
        (self.directory / "enabled_plugins").write_text("[rabbitmq_stream].\n")
        lines = {
            "listeners.tcp": "none",
            "listeners.ssl.default": f"127.0.0.1:{self.amqps_port}",
            "stream.listeners.tcp": "none",
            "stream.listeners.ssl.default": f"127.0.0.1:{self.stream_port}",
            "stream.advertised_host": self.host,
            "stream.advertised_tls_port": str(self.stream_port),
            "ssl_options.cacertfile": str(self.ca_path),
            "ssl_options.certfile": str(self.directory / "tls.crt"),
            "ssl_options.keyfile": str(self.directory / "tls.key"),
            "ssl_options.verify": "verify_none",
            "load_definitions": str(self.directory / "definitions.json"),
            "disk_free_limit.absolute": "1MB",
            "log.console": "true",
            "log.file": "false",
            **self.settings,
        }
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (self.directory / "rabbitmq.conf").write_text(text)
        users = [
            {"name": name, "password": password, "tags": []}
            for name, password in self.passwords.items()
        ]
        permissions = [
            {
                "user": user,
                "vhost": "/",
                "configure": permission.configure,
                "write": permission.write,
                "read": permission.read,
            }
            for user, permission in self.permissions.items()
        ]
        definitions = {"vhosts": [{"name": "/"}], "users": users, "permissions": permissions}
        (self.directory / "definitions.json").write_text(json.dumps(definitions))

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PATH": f"{self._root / 'usr/lib/erlang/bin'}:{os.environ['PATH']}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_ALLOW_INPUT": "1",  # in the foreground, and no shell in between
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "no-such-file"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
            ),
        }

    def _find(self, program: str) -> str:
        found = shutil.which(program, path=self._environment()["PATH"])
        assert found is not None, f"there is no {program}"
        return found

    def _spawn(self, *command: str | Path) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_broker(
    directory: Path,
    *,
    ca: PrivateCA | None = None,
    tls: CertPair | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Broker]:
    """A broker, ended at the end; skips the test where there can be none.

    Args:
        directory: a folder of its own, such as `tmp_path / "broker"`.
        ca: what clients trust; a new one if not given.
        tls: its certificate; one of the CA for localhost if not given.
        settings: more lines of rabbitmq.conf, such as `stream.frame_max`.
    """
    if MISSING is not None:
        pytest.skip(MISSING)
    ca = ca or PrivateCA.create()
    tls = tls or ca.issue(dns_names=["localhost"], ips=["127.0.0.1"])
    broker = Broker(directory, ca, tls, settings or {})
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for a module: use streams of your own, and start it again where you end it."""
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def _programs() -> Path:
    """The root of the tree that has them."""
    if _SYSTEM.exists() and shutil.which("erl"):
        return Path("/")
    return unpacked("rabbitmq", ("rabbitmq-server",), _PACKAGES, prepare=_settle)


def _settle(tree: Path, root: Path) -> None:
    """Erlang's scripts name the folder that it was built for."""
    script = tree / "usr/lib/erlang/bin/erl"
    if script.exists():
        home = f"ROOTDIR={root / 'usr/lib/erlang'}"
        script.write_text(script.read_text().replace("ROOTDIR=/usr/lib/erlang", home))
