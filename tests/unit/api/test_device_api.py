from __future__ import annotations

import hashlib

import pytest

from sealyard.api.device_api import granted_digest, origin_of, token_message


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example", "https://api.example"),
        ("https://API.example:443/path/", "https://api.example"),
        ("https://api.example:8443/", "https://api.example:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
    ],
)
def test_both_sides_write_an_origin_alike(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_what_is_signed_names_api_and_device() -> None:
    message = token_message("https://a", "0" * 32, b"n" * 32)
    assert message == b"sealyard/token/v1\0\0\x09https://a\0\x20" + b"0" * 32 + b"n" * 32


def test_the_digest_is_of_a_set_whatever_its_order() -> None:
    ids = ["ff" * 16, "00" * 16]
    expected = hashlib.sha256(bytes(16) + b"\xff" * 16).hexdigest()
    assert granted_digest(ids) == granted_digest(reversed(ids)) == expected
    assert granted_digest([]) == hashlib.sha256(b"").hexdigest()
