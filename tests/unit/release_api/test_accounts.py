from __future__ import annotations

import json
from typing import Any

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from sealyard.errors import InvalidError
from sealyard_release_api.accounts import (
    Accounts,
    NewUser,
    User,
    hash_password,
    users_document,
)
from sealyard_release_api.roles import Action, Role

PASSWORD = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASH = CHEAP.hash(PASSWORD)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "email": "publisher@example.org",
        "role": "Publisher",
        "models": ["*"],
        "passwordHash": HASH,
        **changes,
    }


def parse(*entries: dict[str, Any]) -> Accounts:
    return Accounts.parse(json.dumps({"users": entries}).encode())


def argon2i() -> str:
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=Type.I).hash(PASSWORD)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "users.json: is not JSON"),
        (b"[]", "users.json:"),
        (b"{}", "users: Field required"),
        (b'{"users": []}', "users: "),
        (json.dumps({"users": [entry(role="Root")]}).encode(), "users.0.role"),
        (
            json.dumps({"users": [entry(role="Device")]}).encode(),
            "must be one of Admin, Publisher, Verifier",
        ),
        (
            json.dumps({"users": [entry(email="nobody")]}).encode(),
            "users.0.email: must be an email",
        ),
        (json.dumps({"users": [entry(email="a b@c")]}).encode(), "users.0.email"),
        (json.dumps({"users": [entry(models=[])]}).encode(), "users.0.models"),
        (json.dumps({"users": [entry(models=["a*b"])]}).encode(), "users.0.models.0"),
        (json.dumps({"users": [entry(models=[""])]}).encode(), "users.0.models.0"),
        (json.dumps({"users": [entry(passwordHash=PASSWORD)]}).encode(), "argon2id PHC string"),
        (json.dumps({"users": [entry(passwordHash=argon2i())]}).encode(), "must be argon2id"),
        (
            json.dumps({"users": [entry(passwordHash=HASH.replace("m=64", "m=999999"))]}).encode(),
            "must cost at most",
        ),
        (json.dumps({"users": [entry(password="x")]}).encode(), "users.0.password"),
        (
            json.dumps({"users": [entry(), entry(email=" Publisher@Example.org")]}).encode(),
            "each email must stand there once",
        ),
    ],
)
def test_a_wrong_file_is_named_and_not_repeated(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidError) as error:
        Accounts.parse(raw)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert PASSWORD not in str(error.value)
    assert "$argon2" not in str(error.value)


def test_the_right_password_and_no_other() -> None:
    accounts = parse(entry(email=" PUBLISHER@example.org"))
    user = accounts.users["publisher@example.org"]
    assert accounts.proves(user, PASSWORD)
    assert not accounts.proves(user, PASSWORD + " ")
    assert not accounts.proves(user, "")


def test_nobody_has_no_password() -> None:
    accounts = parse(entry())
    assert not accounts.proves(None, PASSWORD)
    assert not accounts.proves(None, "")


def test_an_unknown_account_costs_what_the_costliest_costs() -> None:
    costly = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash(PASSWORD)
    accounts = parse(entry(), entry(email="b@example.org", passwordHash=costly))
    decoy = extract_parameters(accounts.decoy)
    assert (decoy.time_cost, decoy.memory_cost) == (2, 128)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "Verifier"},
        {"models": ["coins"]},
        {"passwordHash": CHEAP.hash(PASSWORD)},
        {"email": "other@example.org"},
    ],
)
def test_any_change_is_another_generation(changes: dict[str, Any]) -> None:
    before = User.model_validate(entry()).generation(0)
    assert User.model_validate(entry(**changes)).generation(0) != before
    assert User.model_validate(entry()).generation(0) == before


def test_what_was_changed_and_changed_back_is_another_generation() -> None:
    user = User.model_validate(entry())
    assert len({user.generation(changes) for changes in range(3)}) == 3


@pytest.mark.parametrize(
    ("patterns", "model", "allowed"),
    [
        (["*"], "coins", True),
        (["coins"], "coins", True),
        (["coins"], "coins-2", False),
        (["coins-*"], "coins-2", True),
        (["coins-*"], "coins", False),
        (["a", "coins*"], "coins", True),
        (["a", "b*"], "coins", False),
    ],
)
def test_models(patterns: list[str], model: str, allowed: bool) -> None:
    user = User.model_validate(entry(models=patterns))
    assert user.principal.may(Action.PUT_MANIFEST, model) is allowed


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        (Role.PUBLISHER, Action.PUT_SMALL, True),
        (Role.PUBLISHER, Action.GET_SMALL, False),
        (Role.PUBLISHER, Action.PUT_MANIFEST, True),
        (Role.PUBLISHER, Action.GET_MANIFEST, True),
        (Role.PUBLISHER, Action.LIST, True),
        (Role.VERIFIER, Action.PUT_SMALL, False),
        (Role.VERIFIER, Action.GET_SMALL, True),
        (Role.VERIFIER, Action.PUT_MANIFEST, False),
        (Role.VERIFIER, Action.GET_MANIFEST, True),
        (Role.VERIFIER, Action.LIST, True),
        (Role.VERIFIER, Action.LIST_USERS, False),
        (Role.VERIFIER, Action.SET_USER_STATE, False),
        (Role.PUBLISHER, Action.LIST_USERS, False),
        (Role.PUBLISHER, Action.SET_USER_STATE, False),
        (Role.ADMIN, Action.PUT_SMALL, False),
        (Role.ADMIN, Action.GET_SMALL, False),
        (Role.ADMIN, Action.PUT_MANIFEST, False),
        (Role.ADMIN, Action.GET_MANIFEST, False),
        (Role.ADMIN, Action.LIST, False),
        (Role.ADMIN, Action.LIST_USERS, True),
        (Role.ADMIN, Action.SET_USER_STATE, True),
        (Role.VALIDATOR, Action.LIST, False),
        (Role.VALIDATOR, Action.GET_METADATA, False),
        (Role.OPERATOR, Action.GET_MANIFEST, False),
        (Role.OPERATOR, Action.GET_TARGET, False),
    ],
)
def test_roles(role: Role, action: Action, allowed: bool) -> None:
    assert User.model_validate(entry(role=role)).principal.may(action) is allowed


@pytest.mark.parametrize("role", ["Admin", "Validator", "Operator"])
def test_who_works_on_no_model_needs_none(role: str) -> None:
    assert User.model_validate(entry(role=role, models=[])).models == ()
    without = {name: value for name, value in entry(role=role).items() if name != "models"}
    assert User.model_validate(without).models == ()


def test_a_document_of_new_users_is_read_back() -> None:
    text = users_document([NewUser("a@example.org", "Verifier", ["coins*"], PASSWORD)])
    accounts = Accounts.parse(text.encode())
    user = accounts.users["a@example.org"]
    assert accounts.proves(user, PASSWORD)
    assert (user.role, user.models) == (Role.VERIFIER, ("coins*",))
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (NewUser("a@example.org", "Root", ["*"], PASSWORD), "Publisher, Verifier"),
        (NewUser("a@example.org", "Verifier", [""], PASSWORD), "models.0"),
        (NewUser("a@example.org", "Verifier", ["*"], "short"), "12 to 1024 characters"),
    ],
)
def test_new_users_that_are_refused(user: NewUser, says: str) -> None:
    with pytest.raises(InvalidError, match=says) as error:
        users_document([user])
    assert user.password not in str(error.value)
    assert user.password not in repr(user)


def test_hashes_are_argon2id_with_a_salt_of_their_own() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert first != second
    parameters = extract_parameters(first)
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
