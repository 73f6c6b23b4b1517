"""Which accounts there are: those of the mounted Secret, and those of the database.

Each account has one owner. Whoever `users.json` names belongs to the Secret, and is changed there;
everybody else belongs to the database. Only disabling is for both, lies in the database, and wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sealyard.errors import InvalidError, MissingError
from sealyard_release_api import managed
from sealyard_release_api.accounts import User
from sealyard_release_api.managed import State
from sealyard_release_api.store import Author, Store


class Origin(StrEnum):
    """Where an account is kept."""

    SECRET = "secret"  # noqa: S105 - a place, not a secret
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is now."""

    user: User
    origin: Origin
    state: State

    @property
    def generation(self) -> str:
        """What a token of this account must carry."""
        return self.user.generation(self.state.changes)


class Directory:
    """All accounts. Its methods block; call them from a thread.

    Args:
        declared: the accounts of `users.json` as they are now, by normal email.
        store: the database.
    """

    def __init__(self, declared: Callable[[], Mapping[str, User]], store: Store) -> None:
        self._declared = declared
        self._store = store

    def find(self, email: str) -> Account | None:
        """The account of a normal email, disabled or not."""
        if not email.isprintable():  # no account has such a one, and PostgreSQL takes no NUL
            return None
        with self._store.reading() as transaction:
            return self._account(email, *managed.find(transaction, email))

    def page(self, *, after: str, limit: int) -> list[Account]:
        """The accounts in the order of their emails, behind one of them."""
        declared = self._declared()
        with self._store.reading() as transaction:
            kept = {u.email: u for u in managed.users(transaction, after=after, limit=limit)}
            emails = sorted({*kept, *(email for email in declared if email > after)})[:limit]
            states = managed.states(transaction, emails)
        found = (
            self._account(email, kept.get(email), states.get(email, State())) for email in emails
        )
        return [account for account in found if account is not None]

    def add(self, user: User, author: Author) -> None:
        """Keep a new account in the database.

        Raises:
            InvalidError: there is one of this email.
        """
        with self._store.writing(_lock(user.email)) as transaction:
            kept, _ = managed.find(transaction, user.email)
            if kept is not None or user.email in self._declared():
                raise InvalidError(f"user {user.email!r}: exists already")
            managed.add(transaction, user, author)

    def change(self, email: str, change: Callable[[User], User], author: Author) -> None:
        """Change an account of the database, which ends its tokens.

        Raises:
            InvalidError: it belongs to the Secret.
            MissingError: there is none.
        """
        with self._store.writing(_lock(email)) as transaction:
            if email in self._declared():
                raise InvalidError(f"user {email!r}: is from users.json; change it in the Secret")
            kept, _ = managed.find(transaction, email)
            if kept is None:
                raise MissingError(f"user {email!r}: there is none")
            managed.replace(transaction, change(kept), author)

    def set_disabled(self, email: str, *, disabled: bool, author: Author) -> Account | None:
        """Disable an account wherever it is from, or enable it; None if there is none.

        What is as it is wished already is left alone, so that a lost answer can be asked for again.
        """
        if not email.isprintable():
            return None
        with self._store.writing(_lock(email)) as transaction:
            account = self._account(email, *managed.find(transaction, email))
            if account is None or account.state.disabled == disabled:
                return account
            managed.changed(transaction, email, author, disabled=disabled)
            return self._account(email, *managed.find(transaction, email))

    def _account(self, email: str, kept: User | None, state: State) -> Account | None:
        declared = self._declared().get(email)
        if declared is not None:
            return Account(declared, Origin.SECRET, state)
        return Account(kept, Origin.DATABASE, state) if kept is not None else None


def _lock(email: str) -> str:
    return f"account {email}"
