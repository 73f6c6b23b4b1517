"""The rows of accounts in the database; who may change which is decided in `directory`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from sealyard_release_api.accounts import User
from sealyard_release_api.roles import Role
from sealyard_release_api.schema import ACCOUNT_STATES, ACCOUNTS
from sealyard_release_api.store import Author, Transaction


@dataclass(frozen=True, slots=True)
class State:
    """What the database says of an account, wherever the account itself is kept.

    Attributes:
        disabled: whether it may not log in.
        changes: how often it was changed in the database; part of its tokens' generation.
    """

    disabled: bool = False
    changes: int = 0


def find(transaction: Transaction, email: str) -> tuple[User | None, State]:
    """The account that is kept here, if there is one, and the state of the email's account."""
    row = transaction.connection.execute(
        select(ACCOUNTS).where(ACCOUNTS.c.email == email)
    ).one_or_none()
    return (_user(row) if row else None), states(transaction, [email]).get(email, State())


def states(transaction: Transaction, emails: Sequence[str]) -> dict[str, State]:
    """The states of those accounts that were ever changed here."""
    rows = transaction.connection.execute(
        select(ACCOUNT_STATES).where(ACCOUNT_STATES.c.email.in_(emails))
    )
    return {row.email: State(row.disabled, row.changes) for row in rows}


def users(transaction: Transaction, *, after: str, limit: int) -> Iterable[User]:
    """Accounts that are kept here, in the order of their emails, behind one of them."""
    rows = transaction.connection.execute(
        select(ACCOUNTS).where(ACCOUNTS.c.email > after).order_by(ACCOUNTS.c.email).limit(limit)
    )
    return [_user(row) for row in rows]


def add(transaction: Transaction, user: User, author: Author) -> None:
    """Keep a new account."""
    transaction.connection.execute(insert(ACCOUNTS).values(email=user.email, **_values(user)))
    changed(transaction, user.email, author)


def replace(transaction: Transaction, user: User, author: Author) -> None:
    """Keep an account in the place of the one that is there."""
    transaction.connection.execute(
        update(ACCOUNTS).where(ACCOUNTS.c.email == user.email).values(**_values(user))
    )
    changed(transaction, user.email, author)


def changed(
    transaction: Transaction, email: str, author: Author, *, disabled: bool | None = None
) -> None:
    """Count a change, which ends the account's tokens; disable or enable it where that is said."""
    found = states(transaction, [email]).get(email)
    before = found or State()
    values: dict[str, Any] = {
        "disabled": before.disabled if disabled is None else disabled,
        "changes": before.changes + 1,
        "changed_at": author.at,
        "changed_by": author.email,
    }
    if found is None:
        statement = insert(ACCOUNT_STATES).values(email=email, **values)
        transaction.connection.execute(statement)
    else:
        where = ACCOUNT_STATES.c.email == email
        transaction.connection.execute(update(ACCOUNT_STATES).where(where).values(**values))


def _values(user: User) -> dict[str, Any]:
    return {
        "role": user.role.value,
        "models": list(user.models),
        "password_hash": user.password_hash,
    }


def _user(row: Any) -> User:
    return User(
        email=row.email,
        role=Role(row.role),
        models=tuple(row.models),
        password_hash=row.password_hash,
    )
