"""What a PUT stores and a GET gives back, and what neither lets through."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from sealyard.api.release_api import ReleasePage, etag, manifest_path, small_path
from support.release_api import PUBLISHER, ReleaseApi, connect, encrypted, log_in, raw_request
from support.releases import LEGACY, SEALED, Sample, other_core, rewrapped, sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}

Version = Callable[[str], str]


def put_small(
    client: httpx.Client, release: Sample, name: str, body: bytes, **headers: str
) -> httpx.Response:
    path = small_path(release.model, release.version, name)
    return client.put(path, content=body, headers={**OCTETS, **headers})


def put_manifest(client: httpx.Client, release: Sample, raw: bytes | None = None) -> httpx.Response:
    path = manifest_path(release.model, release.version)
    return client.put(path, content=release.raw if raw is None else raw, headers=JSON)


def put_all(client: httpx.Client, release: Sample) -> None:
    for name, small in release.smalls.items():
        assert put_small(client, release, name, small).status_code == 201
    assert put_manifest(client, release).status_code == 201


def answered(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("error", "")


def test_a_release_from_first_to_last(
    publisher: httpx.Client, verifier: httpx.Client, version: Version
) -> None:
    release = sample(version=version("1.0.0"))
    manifest = manifest_path(release.model, release.version)
    assert answered(verifier.get(manifest)) == (404, "NotFound")
    assert answered(put_manifest(publisher, release)) == (409, "SmallPartMissing")
    put_all(publisher, release)
    for client in (publisher, verifier):
        got = client.get(manifest)
        assert (got.status_code, got.content) == (200, release.raw)
        assert got.headers["etag"] == etag(release.sha256)
        assert got.headers["content-type"] == "application/json"
    for name, small in release.smalls.items():
        got = verifier.get(small_path(release.model, release.version, name))
        assert (got.status_code, got.content) == (200, small)
        assert got.headers["etag"] == etag(hashlib.sha256(small).hexdigest())
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["cache-control"] == "no-store"


def test_small_parts_before_and_after_the_manifest(
    publisher: httpx.Client, verifier: httpx.Client, version: Version
) -> None:
    release = sample(version=version("1.0.0"))
    first, second = b"a" * 400, b"b" * 400
    sealed, legacy = release.smalls[SEALED], release.smalls[LEGACY]

    def put(name: str, body: bytes, **headers: str) -> tuple[int, str]:
        return answered(put_small(publisher, release, name, body, **headers))

    assert put(SEALED, first) == (201, "")
    assert put(SEALED, first) == (200, "")
    assert put(SEALED, second, **{"If-Match": etag("0" * 64)}) == (412, "PreconditionFailed")
    assert put(SEALED, second) == (200, "")
    assert put(LEGACY, legacy) == (201, "")
    assert answered(put_manifest(publisher, release)) == (409, "SmallPartDiffers")
    assert put(SEALED, sealed) == (200, "")
    assert answered(put_manifest(publisher, release)) == (201, "")

    tag = etag(hashlib.sha256(sealed).hexdigest())
    new = rewrapped(sealed)
    assert put(SEALED, sealed) == (200, "")
    assert put(SEALED, new) == (409, "SmallPartFixed")
    assert put(SEALED, new, **{"If-Match": etag("0" * 64)}) == (412, "PreconditionFailed")
    assert put(SEALED, other_core(sealed), **{"If-Match": tag}) == (409, "SmallPartFixed")
    assert put(SEALED, new, **{"If-Match": tag}) == (200, "")
    assert put(SEALED, new, **{"If-Match": tag}) == (200, "")  # its answer was lost
    assert put(SEALED, sealed, **{"If-Match": tag}) == (412, "PreconditionFailed")
    assert put(LEGACY, legacy[:-1] + b"\0", **{"If-Match": "*"}) == (409, "SmallPartFixed")
    assert put("more", first) == (409, "SmallPartFixed")
    got = verifier.get(small_path(release.model, release.version, SEALED))
    assert got.content == new


def test_a_manifest_is_for_ever(
    publisher: httpx.Client, verifier: httpx.Client, version: Version
) -> None:
    release = sample(version=version("1.0.0"))
    put_all(publisher, release)
    assert answered(put_manifest(publisher, release)) == (200, "")
    other = release.raw.replace(b"0.98", b"0.99")
    assert answered(put_manifest(publisher, release, other)) == (409, "ManifestExists")
    got = verifier.get(manifest_path(release.model, release.version))
    assert got.content == release.raw


@pytest.mark.parametrize(
    "mend",
    [
        lambda _: b"",
        lambda _: b"null",
        lambda raw: raw[:-1],
        lambda raw: raw + b" ",
        lambda raw: raw.replace(b":", b": ", 1),
        lambda raw: raw.replace(b'"coins"', b'"screws"'),
        lambda raw: raw.replace(b"release/v1", b"release/v2"),
        lambda _: b"[" * 200_000,
        lambda _: b"\xff" * 100,
    ],
)
def test_what_is_no_manifest_of_this_release(
    publisher: httpx.Client, version: Version, mend: Callable[[bytes], bytes]
) -> None:
    release = sample(version=version("1.0.0"))
    got = put_manifest(publisher, release, mend(release.raw))
    assert answered(got) == (400, "InvalidManifest")


@pytest.mark.parametrize(
    ("kind", "body", "headers", "expected"),
    [
        ("small", b"", OCTETS, (400, "InvalidSmallPart")),
        ("small", bytes(319), OCTETS, (400, "InvalidSmallPart")),
        ("small", bytes(3073), OCTETS, (413, "TooLarge")),
        ("small", bytes(320), JSON, (415, "WrongContentType")),
        ("small", bytes(320), {}, (415, "WrongContentType")),
        ("manifest", bytes(256 * 1024 + 1), JSON, (413, "TooLarge")),
        ("manifest", b"{}", OCTETS, (415, "WrongContentType")),
    ],
)
def test_bodies_that_are_refused(
    publisher: httpx.Client,
    kind: str,
    body: bytes,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    path = small_path("coins", "0.0.2", "v") if kind == "small" else manifest_path("coins", "0.0.2")
    assert answered(publisher.put(path, content=body, headers=headers)) == expected


def test_an_endless_body_is_neither_kept_nor_read(api: ReleaseApi, anonymous: httpx.Client) -> None:
    token = log_in(anonymous, PUBLISHER)
    head = (
        f"PUT {small_path('coins', '0.0.3', 'v')} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    with encrypted(api) as connection:
        connection.sendall(head.encode() + chunk)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
        # What follows is let go for a while, and then the server hangs up.
        sent = 0
        with suppress(OSError):
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent < 1 << 30


HOSTILE_PATHS = [
    "/releases/../../etc/passwd/1.0.0/manifest",
    "/releases/..%2f..%2fetc/1.0.0/manifest",
    "/releases/%2e%2e/1.0.0/manifest",
    "/releases/a%00b/1.0.0/manifest",
    "/releases/coins/..%2f1.0.0/manifest",
    "/releases/coins/1.0.0+build/manifest",
    "/releases/coins/%2e%2e/manifest",
    "/releases/COINS/1.0.0/manifest",
    "/releases/coins%0a/1.0.0/manifest",
    "/releases/coins/1.0.0%0a/manifest",
    "/releases/coins/1.0.0/variants/../small",
    "/releases/coins/1.0.0/variants/%2e%2e/small",
    "/releases/coins/1.0.0/variants/a%2fb/small",
    "/releases/coins/1.0.0/variants/a%5cb/small",
    "/releases/coins/1.0.0/variants/%ff/small",
    "/releases//1.0.0/manifest",
    "//releases/coins/1.0.0/manifest",
    "/releases/coins/1.0.0/manifest/",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_paths_that_lead_nowhere(
    api: ReleaseApi, anonymous: httpx.Client, method: str, path: str
) -> None:
    token = log_in(anonymous, PUBLISHER if method == "PUT" else "verifier@example.org")
    status, body = raw_request(
        api,
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    assert (status, b'"InvalidName"' in body or b'"NotFound"' in body) in {(400, True), (404, True)}


@pytest.mark.parametrize(
    "request_text",
    [
        "rubbish\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + "b" * 70_000 + "\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n",
    ],
)
def test_what_is_no_http(api: ReleaseApi, request_text: str) -> None:
    status, body = raw_request(api, request_text)
    assert status == 400
    assert b'"InvalidRequest"' in body


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, "NotFound")),
        ("GET", "/nothing", (404, "NotFound")),
        ("GET", "/docs", (404, "NotFound")),
        ("GET", "/login", (405, "MethodNotAllowed")),
        ("DELETE", manifest_path("coins", "1.0.0"), (405, "MethodNotAllowed")),
        ("POST", "/releases", (405, "MethodNotAllowed")),
        ("GET", "/releases?limit=0", (400, "InvalidRequest")),
        ("GET", "/releases?limit=501", (400, "InvalidRequest")),
        ("GET", "/releases?limit=x", (400, "InvalidRequest")),
        ("GET", "/releases?after=coins", (400, "InvalidName")),
        ("GET", "/releases?after=../1.0.0", (400, "InvalidName")),
        ("GET", "/releases?after=" + "a" * 300, (400, "InvalidRequest")),
    ],
)
def test_requests_that_are_not_understood(
    verifier: httpx.Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert answered(verifier.request(method, path)) == expected


def test_health_needs_no_login(anonymous: httpx.Client) -> None:
    for path in ("/healthz", "/readyz"):
        assert anonymous.get(path).json() == {"status": "ok"}


def test_all_pages_together_are_the_list(
    publisher: httpx.Client, verifier: httpx.Client, version: Version
) -> None:
    releases = [sample("pages", version(f"{major}.0.0")) for major in (1, 2, 3)]
    for release in releases:
        put_all(publisher, release)
    seen: list[tuple[str, str]] = []
    after: dict[str, str] = {}
    for _ in range(1000):
        got = verifier.get("/releases", params={"limit": 2, **after})
        page = ReleasePage.model_validate_json(got.content)
        assert len(page.releases) <= 2
        seen += [
            (entry.version, entry.manifest_sha256)
            for entry in page.releases
            if entry.model == "pages"
        ]
        if page.next is None:
            break
        after = {"after": page.next}
    assert seen == [(release.version, release.sha256) for release in releases]


def test_of_many_manifests_at_once_exactly_one_wins(api: ReleaseApi, version: Version) -> None:
    release = sample(version=version("1.0.0"))
    others = [release.raw.replace(b"0.98", f"0.{n}".encode()) for n in range(81, 89)]
    barrier = threading.Barrier(len(others))

    def put(raw: bytes) -> int:
        with connect(api, PUBLISHER) as client:
            barrier.wait(60)
            return put_manifest(client, release, raw).status_code

    with connect(api, PUBLISHER) as client:
        for name, small in release.smalls.items():
            put_small(client, release, name, small)
        with ThreadPoolExecutor(len(others)) as pool:
            statuses = list(pool.map(put, others))
        assert sorted(statuses) == [201] + [409] * (len(others) - 1)
        stored = client.get(manifest_path(release.model, release.version)).content
    assert stored == others[statuses.index(201)]


def test_of_many_rewraps_at_once_exactly_one_wins(
    api: ReleaseApi, publisher: httpx.Client, version: Version
) -> None:
    release = sample(version=version("1.0.0"))
    put_all(publisher, release)
    sealed = release.smalls[SEALED]
    tag = etag(hashlib.sha256(sealed).hexdigest())
    barrier = threading.Barrier(8)

    def put(n: int) -> int:
        with connect(api, PUBLISHER) as client:
            barrier.wait(60)
            new = sealed[:224] + bytes([n]) * 96
            return put_small(client, release, SEALED, new, **{"If-Match": tag}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(1, 9)))
    assert sorted(statuses) == [200] + [412] * 7
