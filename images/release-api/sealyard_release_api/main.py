"""The `sealyard-release-api` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from sealyard.errors import SealyardError
from sealyard.jobs.process import keep_private
from sealyard_release_api import log, openapi, server, users
from sealyard_release_api.accounts import hash_password
from sealyard_release_api.backup import back_up
from sealyard_release_api.config import (
    ENVIRONMENT_PREFIX,
    Parser,
    add_database_flags,
    add_flags,
    read_settings,
)
from sealyard_release_api.tokens import KeySet, new_key_set

_KEYS_MAX_BYTES = 1 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit code is that of the error, if there is one."""
    try:
        flags = _parser().parse_args(arguments)
        keep_private(0o077)
        _COMMANDS[flags.command](flags)
    except SealyardError as error:
        sys.stderr.write(f"sealyard-release-api: {error}\n")
        return error.exit_code
    return 0


def _serve(flags: argparse.Namespace) -> None:
    settings = read_settings(flags, os.environ)
    log.configure()
    server.run(settings)


def _user(flags: argparse.Namespace) -> None:
    users.run(flags, read_settings(flags, os.environ), sys.stdout)


def _backup(flags: argparse.Namespace) -> None:
    back_up(read_settings(flags, os.environ).database(), Path(flags.file))


def _hash_password(_flags: argparse.Namespace) -> None:
    password = users.password_of(sys.stdin.buffer.read(8192))
    sys.stdout.write(hash_password(password) + "\n")


def _new_keys(flags: argparse.Namespace) -> None:
    sys.stdout.write(new_key_set(flags.issuer, flags.audience))


def _public_keys(_flags: argparse.Namespace) -> None:
    keys = KeySet.parse(sys.stdin.buffer.read(_KEYS_MAX_BYTES))
    sys.stdout.write(keys.public_set())


def _openapi(_flags: argparse.Namespace) -> None:
    sys.stdout.write(json.dumps(openapi.document(version("sealyard")), indent=2) + "\n")


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "serve": _serve,
    "user": _user,
    "backup": _backup,
    "hash-password": _hash_password,
    "new-keys": _new_keys,
    "public-keys": _public_keys,
    "openapi": _openapi,
}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="sealyard-release-api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve",
        help="serve the release API",
        description="Serve the release API. Every flag can also be given as an environment "
        f"variable: --data-dir as {ENVIRONMENT_PREFIX}DATA_DIR, and so on.",
    )
    add_flags(serve)
    users.add_commands(
        commands.add_parser("user", help="add, change, disable and list accounts of the database")
    )
    backup = commands.add_parser(
        "backup", help="copy the SQLite database to a new file while the server runs"
    )
    backup.add_argument("file", metavar="FILE", help="must not exist yet")
    add_database_flags(backup)
    commands.add_parser(
        "hash-password",
        help="read a password from standard input, print its hash for users.json",
    )
    keys = commands.add_parser("new-keys", help="print a new jwt-keys.json")
    keys.add_argument("--issuer", default="sealyard-release-api", help="whom tokens are from")
    keys.add_argument("--audience", default="sealyard-release-api", help="whom tokens are for")
    commands.add_parser(
        "public-keys",
        help="read a jwt-keys.json from standard input, print what annotation routes verify with",
    )
    commands.add_parser("openapi", help="print the contract as OpenAPI")
    return parser


if __name__ == "__main__":
    sys.exit(main())
