"""`sealyard-release-api user`: the accounts of the database, from a shell beside the server."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from sealyard.errors import InvalidError, MissingError
from sealyard_release_api.accounts import (
    NewUser,
    User,
    first_fault,
    hash_password,
    normal_email,
)
from sealyard_release_api.config import Settings, add_database_flags, add_secrets_flag
from sealyard_release_api.directory import Account, Directory
from sealyard_release_api.log import timestamp
from sealyard_release_api.mounted import read_accounts
from sealyard_release_api.roles import ACCOUNT_ROLES
from sealyard_release_api.store import Author, Store

_PASSWORD_MAX_BYTES = 8192
_PAGE = 500


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `user`."""
    commands = parser.add_subparsers(dest="user_command", required=True)
    for name, summary in (
        ("add", "add an account; its password is read from standard input"),
        ("passwd", "change a password, which is read from standard input; ends all tokens"),
        ("set", "change the role or the models of an account; ends all tokens"),
        ("disable", "let an account in no more, wherever it is from; ends all tokens"),
        ("enable", "let a disabled account in again"),
        ("list", "list all accounts: email, role, models, where it is kept, enabled or disabled"),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        add_database_flags(command)
        add_secrets_flag(command)
        if name != "list":
            command.add_argument("email")
        if name in {"add", "passwd"}:
            command.add_argument(
                "--password-file", metavar="FILE", help="instead of standard input"
            )
        if name in {"add", "set"}:
            command.add_argument("--role", required=name == "add", help=", ".join(ACCOUNT_ROLES))
            command.add_argument(
                "--model",
                action="append",
                metavar="PATTERN",
                help="a name, a prefix followed by *, or * for all; may be given several times",
            )


def run(flags: argparse.Namespace, settings: Settings, output: TextIO) -> None:
    """Carry out one subcommand.

    Raises:
        InvalidError: the account exists already, belongs to the Secret, or a field is wrong.
        MissingError: there is no such account, or no `users.json`.
    """
    with _directory(settings) as directory:
        if flags.user_command == "list":
            _list(directory, output)
            return
        email = normal_email(flags.email)
        author = Author("sealyard-release-api user", timestamp(time.time()))
        if flags.user_command == "add":
            new = NewUser(email, flags.role, flags.model or [], _password(flags.password_file))
            directory.add(new.hashed(), author)
        elif flags.user_command == "passwd":
            password_hash = hash_password(_password(flags.password_file))
            directory.change(email, lambda user: _with(user, password_hash=password_hash), author)
        elif flags.user_command == "set":
            changes = {"role": flags.role, "models": flags.model}
            given = {name: value for name, value in changes.items() if value is not None}
            if not given:
                raise InvalidError("user set: --role or --model must be given")
            directory.change(email, lambda user: _with(user, **given), author)
        else:
            disabled = flags.user_command == "disable"
            if directory.set_disabled(email, disabled=disabled, author=author) is None:
                raise MissingError(f"user {email!r}: there is none")


def password_of(raw: bytes) -> str:
    """One line; a line end that is there is no part of it.

    Raises:
        InvalidError: it is not UTF-8.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise InvalidError("password: must be UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _password(file: str | None) -> str:
    if file is None:
        return password_of(sys.stdin.buffer.read(_PASSWORD_MAX_BYTES))
    try:
        with Path(file).open("rb") as opened:
            return password_of(opened.read(_PASSWORD_MAX_BYTES))
    except OSError as error:
        raise MissingError(f"--password-file: {file}: {error.strerror}") from None


@contextmanager
def _directory(settings: Settings) -> Iterator[Directory]:
    declared = read_accounts(settings.secrets_dir).users
    store = Store.open(settings.database())
    try:
        yield Directory(lambda: declared, store)
    finally:
        store.close()


def _list(directory: Directory, output: TextIO) -> None:
    after = ""
    while page := directory.page(after=after, limit=_PAGE):
        output.writelines("\t".join(_columns(account)) + "\n" for account in page)
        after = page[-1].user.email


def _columns(account: Account) -> tuple[str, ...]:
    return (
        account.user.email,
        account.user.role.value,
        ",".join(account.user.models) or "-",
        account.origin.value,
        "disabled" if account.state.disabled else "enabled",
    )


def _with(user: User, **changes: object) -> User:
    try:
        return User.model_validate({**user.model_dump(), **changes})
    except ValidationError as error:
        raise InvalidError(f"user {user.email!r}: {first_fault(error)}") from None
