"""The settings of the server: flags, or environment variables of the same name. No secrets."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sealyard.api.device_api import origin_of
from sealyard.errors import InvalidError
from sealyard_release_api.database import Database, Postgres, Sqlite
from sealyard_release_api.tokens import MAX_TOKEN_SECONDS

ENVIRONMENT_PREFIX = "SEALYARD_RELEASE_API_"
_LISTS = frozenset({"origins"})
_ORIGIN = re.compile(r"https://[A-Za-z0-9\[][A-Za-z0-9.\[\]:-]*")
_PATHS = frozenset({"data_dir", "secrets_dir", "database_url_file", "database_ca_file"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server runs. Every field is a flag of `serve`, where it is explained."""

    data_dir: Path = Path("/var/lib/sealyard/release-api")
    secrets_dir: Path = Path("/run/sealyard/secrets/release-api")
    database_url_file: Path | None = None
    database_ca_file: Path | None = None
    host: str = "0.0.0.0"  # noqa: S104 - it serves a cluster, behind TLS and logins
    port: int = 8443
    metrics_port: int | None = None
    token_seconds: int = MAX_TOKEN_SECONDS
    issuer: str | None = None
    origins: tuple[str, ...] = ()
    account_attempts: int = 10
    address_attempts: int = 60
    attempt_window_seconds: int = 300
    login_threads: int = 2
    login_queue: int = 32
    max_requests: int = 256
    max_connections: int = 1024
    peer_seconds: int = 15
    grace_seconds: int = 20
    reload_seconds: int = 2

    def database(self) -> Database:
        """Where the tables are.

        Raises:
            InvalidError: one of the two flags of PostgreSQL is given without the other.
        """
        if self.database_url_file is None and self.database_ca_file is None:
            return Sqlite(self.data_dir)
        if self.database_url_file is None or self.database_ca_file is None:
            raise InvalidError(
                "--database-url-file, --database-ca-file: must be given both, or neither"
            )
        return Postgres(self.database_url_file, self.database_ca_file)


@dataclass(frozen=True, slots=True)
class _Number:
    low: int
    high: int
    help: str


_NUMBERS: Mapping[str, _Number] = {
    "port": _Number(0, 65535, "port to listen on; 0 takes a free one and logs it"),
    "metrics_port": _Number(
        0, 65535, "port of /metrics, without TLS; 0 takes a free one; none if not given"
    ),
    "token_seconds": _Number(30, MAX_TOKEN_SECONDS, "how long a token is good"),
    "account_attempts": _Number(1, 10_000, "wrong passwords for one account in a window"),
    "address_attempts": _Number(1, 100_000, "wrong logins from one address in a window"),
    "attempt_window_seconds": _Number(1, 86_400, "the window of both limits"),
    "login_threads": _Number(1, 64, "password hashes at a time; each needs its memory and a core"),
    "login_queue": _Number(1, 10_000, "logins that may wait for one of these threads"),
    "max_requests": _Number(1, 100_000, "requests at a time; more are answered with 503"),
    "max_connections": _Number(1, 100_000, "connections at a time; more are hung up on"),
    "peer_seconds": _Number(1, 600, "how long a head or body may take, or the next request"),
    "grace_seconds": _Number(1, 600, "how long requests may take to end after SIGTERM"),
    "reload_seconds": _Number(1, 600, "how often the mounted Secret is looked at"),
}


def add_database_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the database is."""
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the SQLite database")
    parser.add_argument(
        "--database-url-file",
        metavar="FILE",
        help="file with postgresql://user:password@host/database: PostgreSQL instead of SQLite",
    )
    parser.add_argument(
        "--database-ca-file", metavar="FILE", help="CAs that the PostgreSQL server is verified with"
    )


def add_secrets_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where the mounted Secret is."""
    parser.add_argument(
        "--secrets-dir",
        metavar="DIR",
        help="folder with users.json, jwt-keys.json, tls.crt and tls.key",
    )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting. What is not given is asked of the environment."""
    add_database_flags(parser)
    add_secrets_flag(parser)
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--issuer", help="stands in for the issuer of jwt-keys.json")
    parser.add_argument(
        "--origin",
        action="append",
        dest="origins",
        metavar="URL",
        help="https://host[:port] at which devices reach this server; may be given several times "
        "(in the variable, ORIGINS, with commas between); where it listens, if not given",
    )
    for name, number in _NUMBERS.items():
        default = getattr(Settings(), name)
        shown = "" if default is None else f", default {default}"
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="N",
            help=f"{number.help} ({number.low} to {number.high}{shown})",
        )


def read_settings(flags: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """The settings of a command line and an environment; the command line wins.

    A command that has only some of the flags takes the rest from the environment.

    Raises:
        InvalidError: naming the flag or variable, its value and what would be right.
    """
    values: dict[str, object] = {}
    for name in Settings.__dataclass_fields__:
        flag = f"--{name.removesuffix('s') if name in _LISTS else name.replace('_', '-')}"
        variable = ENVIRONMENT_PREFIX + name.upper()
        given: str | list[str] | None = getattr(flags, name, None)
        if isinstance(given, list):
            given = ",".join(given)
        origin, text = (flag, given) if given is not None else (variable, environment.get(variable))
        if text is None:
            continue
        if not text:
            raise InvalidError(f"{origin}: must not be empty")
        values[name] = _value(name, origin, text)
    return Settings(**values)  # type: ignore[arg-type] # _value gives each field its own type


def parse_settings(arguments: Sequence[str]) -> Settings:
    """The settings of these flags of `serve` and the process's environment."""
    parser = Parser(prog="sealyard-release-api serve")
    add_flags(parser)
    return read_settings(parser.parse_args(arguments), os.environ)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are ours: one line, exit code 64."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting with 2."""
        raise InvalidError(f"{self.prog}: {message}")


def _origin(flag: str, text: str) -> str:
    wrong = InvalidError(f"{flag}: {text[:80]!r} must be https://host[:port], without a path")
    try:
        origin = origin_of(text)
    except ValueError:
        raise wrong from None
    if _ORIGIN.fullmatch(text) is None:
        raise wrong
    return origin


def _value(name: str, origin: str, text: str) -> object:
    if name in _LISTS:
        return tuple(_origin(origin, part.strip()) for part in text.split(","))
    if name in _PATHS:
        return Path(text)
    number = _NUMBERS.get(name)
    if number is None:
        return text
    if not (text.isascii() and text.isdecimal() and number.low <= int(text) <= number.high):
        raise InvalidError(
            f"{origin}: {text[:40]!r} must be a whole number from {number.low} to {number.high}"
        )
    return int(text)
