"""The search that other tests rely on finds what it must, and nothing else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sealyard_local.pki import PrivateCA
from support.secret_search import (
    PIECE,
    SHORTEST,
    SecretSearch,
    has_web_token,
    secrets_of_private_key,
    spellings_of,
)

KEY = bytes.fromhex("0a5c22f3fbff003c3e26") + bytes(range(200, 222))
PASSWORD = 'correct horse "battery" <staple> é%/'
SECRETS = {"the key": KEY, "the password": PASSWORD}
SEARCH = SecretSearch(SECRETS)
NOISE = base64.b64encode(os.urandom(3000)).decode()


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("before", range(14))
def test_every_spelling_is_found_wherever_it_stands(name: str, before: int) -> None:
    spellings = list(spellings_of(SECRETS[name]))
    assert len(spellings) >= 15
    for how, text in spellings:
        found = SEARCH.found_in(b"." * before + text + b".")
        assert any(one.startswith(name) for one in found), how


@pytest.mark.parametrize("name", SECRETS)
def test_a_piece_of_a_spelling_is_found(name: str) -> None:
    for how, text in spellings_of(SECRETS[name]):
        for at in range(len(text) - PIECE + 1):
            assert SEARCH.found_in(f"{NOISE}:".encode() + text[at : at + PIECE] + b":"), how


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_base64_is_found_at_any_place_of_what_was_encoded(before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + KEY + after)
        assert SEARCH.found_in(encoded)
        assert SEARCH.found_in(quote(encoded, safe=""))
        columns = "\n  ".join(encoded.decode()[at : at + 16] for at in range(0, len(encoded), 16))
        assert SEARCH.found_in(columns)


def test_it_is_found_in_what_other_programs_write() -> None:
    environment = {"PATH": os.environ["PATH"], "SECRET": PASSWORD}
    pieces = [
        json.dumps({"a": [PASSWORD]}),
        json.dumps({"a": json.dumps(PASSWORD)}),
        yaml.safe_dump({"a": {"b": PASSWORD}}, allow_unicode=True),
        yaml.safe_dump({"a": KEY * 5}),
        base64.encodebytes(b"padding" + KEY),
        f"Authorization: Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}",
        f"https://example.org/?password={quote(PASSWORD)}",
        repr(KEY),
        str(list(KEY)),
        subprocess.run(["env"], env=environment, capture_output=True, check=True).stdout,
    ]
    for piece in pieces:
        assert SEARCH.found_in(piece), piece
        with pytest.raises(AssertionError, match=r"^that holds the (key|password), ") as caught:
            SEARCH.assert_none_in(piece, "that")
        assert not SEARCH.found_in(str(caught.value))


def test_a_private_key_is_found_in_its_pem_however_it_is_laid_out() -> None:
    pair = PrivateCA.create().issue(ips=["127.0.0.1"])
    search = SecretSearch(secrets_of_private_key("tls.key", pair.key_pem))
    pem = pair.key_pem.decode()
    for said in (
        *(pem, json.dumps(pem), yaml.safe_dump({"a": {"tls.key": pem}}), pem.split("\n")[2]),
        base64.b64encode(pair.key_pem),  # as a Secret holds it
    ):
        assert search.found_in(said), said
    assert not search.found_in(pair.cert_pem)


def test_nothing_else_is_found() -> None:
    others = [
        NOISE,
        "x" * 10_000,
        os.urandom(100_000),
        os.urandom(50_000).hex(),
        str(list(os.urandom(20_000))),
        "correct horse battery",
        "",
        b"short",
    ]
    for other in others:
        SEARCH.assert_none_in(other)
    assert not SecretSearch({}).found_in(NOISE)


def test_what_is_too_short_is_not_looked_for() -> None:
    with pytest.raises(ValueError, match="a secret of 15 bytes is too short"):
        SecretSearch({"x": "x" * (SHORTEST - 1)})
    assert SecretSearch({"x": "0123456789abcdef"}).found_in("-0123456789abcdef-")


def test_a_web_token_is_seen_without_being_known() -> None:
    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    header, claims = b'{"alg":"EdDSA"}', b'{"sub":"somebody"}'
    token = ".".join(part(one) for one in (header, claims, os.urandom(64)))
    assert has_web_token(f"Bearer {token}")
    assert has_web_token(json.dumps({"token": token}).encode())
    assert not has_web_token(part(header))
    assert not has_web_token(NOISE)
