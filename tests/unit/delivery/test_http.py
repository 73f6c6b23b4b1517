"""Which URLs there are clients for."""

from __future__ import annotations

import pytest

from sealyard.delivery.http import check_url
from sealyard.errors import InvalidError


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example:8443/sealyard/", "https://api.example:8443/sealyard"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
        ("https://[::1]:65535", "https://[::1]:65535"),
    ],
)
def test_what_is_understood(url: str, checked: str) -> None:
    assert check_url("CDN", url) == checked


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "https://",
        "https://:443",
        "https://somebody:hunter2@api.example",
        "https://api.example?token=hunter2",
        "https://api.example:0",
        "https://api.example:65536",
        "https://api..example",
        f"https://{'a' * 64}.example",
        "https://[::1",
    ],
)
def test_what_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_url("CDN", url)
    assert str(caught.value) == (
        "CDN: its URL must be https://host[:port][/path], without user and query"
    )
