"""What only a CDN can get wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.delivery.tls import CaBundle
from sealyard.errors import UnavailableError
from sealyard_local.pki import CertPair
from support import hostile
from support.hostile import Hostile
from support.hostile_clients import Act, fetch, store, store_in_parts


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, b"x", "without saying which"),
        ({"Content-Range": "bytes 5-5/9"}, b"x", "another range"),
        ({"Content-Range": "bytes 0-99999999999/9"}, b"x", "another range"),
        ({"Content-Range": "bytes 0-8/9"}, b"x", "broke off"),
    ],
)
def test_a_range_must_be_the_one_that_was_asked_for(
    *,
    headers: dict[str, str],
    body: bytes,
    said: str,
    pair: CertPair,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    with (
        Hostile(pair, hostile.answer(206, body, headers)) as server,
        pytest.raises(UnavailableError, match=said),
    ):
        fetch(server.url, secrets, bundle)


@pytest.mark.parametrize(
    "body",
    [
        b"rubbish",
        b"<a/>",
        b"<InitiateMultipartUploadResult/>",
        b"<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    ],
)
def test_a_store_that_answers_an_upload_with_rubbish_is_unavailable(
    body: bytes, pair: CertPair, secrets: Path, bundle: CaBundle
) -> None:
    with Hostile(pair, hostile.answer(200, body)) as server, pytest.raises(UnavailableError):
        store_in_parts(server.url, secrets, bundle)


@pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
@pytest.mark.parametrize("region", ["", "<Region>mars</Region>"])
@pytest.mark.parametrize("act", [fetch, store, store_in_parts])
def test_a_store_that_names_another_region_is_not_followed(
    *, code: str, region: str, act: Act, pair: CertPair, secrets: Path, bundle: CaBundle
) -> None:
    body = f"<Error><Code>{code}</Code>{region}<Endpoint>127.0.0.1:1</Endpoint></Error>"
    with (
        Hostile(pair, hostile.answer(400, body.encode())) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        act(server.url, secrets, bundle)
    assert server.url.removeprefix("https://") in str(caught.value)
