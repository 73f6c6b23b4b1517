"""The `sealyard-release-api` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sealyard.errors import InvalidError, SealyardError
from sealyard_release_api import log
from sealyard_release_api.accounts import hash_password
from sealyard_release_api.config import ENVIRONMENT_PREFIX, Parser, add_flags, read_settings
from sealyard_release_api.server import run
from sealyard_release_api.tokens import new_key_set


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit code is that of the error, if there is one."""
    try:
        return _dispatch(_parser().parse_args(arguments))
    except SealyardError as error:
        sys.stderr.write(f"sealyard-release-api: {error}\n")
        return error.exit_code


def _dispatch(flags: argparse.Namespace) -> int:
    if flags.command == "serve":
        settings = read_settings(flags, os.environ)
        log.configure()
        os.umask(0o077)
        run(settings)
    elif flags.command == "hash-password":
        sys.stdout.write(hash_password(_password()) + "\n")
    else:
        sys.stdout.write(new_key_set(flags.issuer, flags.audience))
    return 0


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
    commands.add_parser(
        "hash-password",
        help="read a password from standard input, print its hash for users.json",
    )
    keys = commands.add_parser("new-keys", help="print a new jwt-keys.json")
    keys.add_argument("--issuer", default="sealyard-release-api", help="whom tokens are from")
    keys.add_argument("--audience", default="sealyard-release-api", help="whom tokens are for")
    return parser


def _password() -> str:
    """One line of standard input; a line end that is there is no part of it."""
    raw = sys.stdin.buffer.read(8192)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise InvalidError("password: must be UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


if __name__ == "__main__":
    sys.exit(main())
