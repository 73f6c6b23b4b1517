"""The files of the signed index: what never changes, what moves by one, and nothing beside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sealyard.api.index import (
    CHANNEL_MAX_BYTES,
    ROOT_MAX_BYTES,
    SNAPSHOT_MAX_BYTES,
    TARGETS_MAX_BYTES,
    TIMESTAMP_MAX_BYTES,
    TUF_PATH,
    TUF_TARGETS_PATH,
)
from sealyard.api.release_api import MANIFEST_MAX_BYTES, etag
from sealyard_release_api.database import Database
from support.devices import Device, bearer, register
from support.index import Trust
from support.release_api import (
    ADMIN,
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    database_flags,
    raw_request,
    release_api_server,
)

pytestmark = pytest.mark.stores

JSON = {"Content-Type": "application/json"}


TRUST = Trust()
for _ in range(2):
    TRUST.rotate({})
metadata = TRUST.metadata


def put(client: httpx.Client, name: str, body: bytes) -> httpx.Response:
    return client.put(f"{TUF_PATH}/{name}", content=body, headers=JSON)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, new_database: Any) -> Iterator[ReleaseApi]:
    """A server whose index is this module's."""
    database: Database = new_database()
    with release_api_server(
        tmp_path_factory.mktemp("index"), arguments=database_flags(database)
    ) as api:
        yield api


@pytest.fixture(scope="module")
def writer(own: ReleaseApi) -> Iterator[httpx.Client]:
    with connect(own, PUBLISHER) as client:
        assert put(client, "1.root.json", TRUST.first).status_code == 201
        yield client


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_what_has_a_number_never_changes(writer: httpx.Client, role: str) -> None:
    name, body = f"7.{role}.json", metadata(role, 7)
    assert [put(writer, name, body).status_code for _ in range(2)] == [201, 200]
    assert refusal(put(writer, name, metadata(role, 7, "other"))) == (409, "TufExists")
    answer = writer.get(f"{TUF_PATH}/{name}")
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["etag"] == etag(hashlib.sha256(body).hexdigest())
    assert answer.headers["content-type"] == "application/json"


def test_roots_are_put_in_order(writer: httpx.Client) -> None:
    second, third = TRUST.chain["2.root.json"], TRUST.chain["3.root.json"]
    assert refusal(put(writer, "3.root.json", third)) == (409, "TufVersion")
    for name, body in (("2.root.json", second), ("3.root.json", third)):
        assert put(writer, name, body).status_code == 201
    assert refusal(writer.get(f"{TUF_PATH}/4.root.json")) == (404, "NotFound")
    assert refusal(put(writer, "2.root.json", second + b" ")) == (409, "TufExists")


def test_who_has_no_key_puts_no_metadata(writer: httpx.Client) -> None:
    stranger = Trust()
    for _ in range(3):
        stranger.rotate({})
    newest = 1
    while writer.get(f"{TUF_PATH}/{newest + 1}.root.json").status_code == 200:
        newest += 1
    bodies = {f"{newest + 1}.root.json": stranger.chain[f"{newest + 1}.root.json"]}
    for role in ("targets", "snapshot"):
        bodies[f"800.{role}.json"] = stranger.metadata(role, 800)
    found = writer.get(f"{TUF_PATH}/timestamp.json")
    following = found.json()["signed"]["version"] + 1 if found.status_code == 200 else 1
    bodies["timestamp.json"] = stranger.metadata("timestamp", following)
    for name, body in bodies.items():
        assert refusal(put(writer, name, body)) == (400, "InvalidMetadata"), name


def test_the_timestamp_is_swapped_by_one_writer_at_a_time(writer: httpx.Client) -> None:
    assert refusal(writer.get(f"{TUF_PATH}/timestamp.json")) == (404, "NotFound")
    for version in range(1, 4):
        rivals = [metadata("timestamp", version, str(n)) for n in range(6)]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda body: put(writer, "timestamp.json", body), rivals))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [201 if version == 1 else 200] + [409] * 5
        assert {answer.json()["error"] for answer in answers if answer.is_error} == {"TufVersion"}
        won = next(body for body, status in zip(rivals, statuses, strict=True) if status < 300)
        assert writer.get(f"{TUF_PATH}/timestamp.json").content == won
        assert put(writer, "timestamp.json", won).status_code == 200
    for version in (1, 3, 5):
        body = metadata("timestamp", version, "late")
        assert refusal(put(writer, "timestamp.json", body)) == (409, "TufVersion")


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("1.root.json", ROOT_MAX_BYTES),
        ("1.targets.json", TARGETS_MAX_BYTES),
        ("1.snapshot.json", SNAPSHOT_MAX_BYTES),
        ("timestamp.json", TIMESTAMP_MAX_BYTES),
        (f"targets/coins/1.0.0/{'0' * 64}.manifest.json", MANIFEST_MAX_BYTES),
        (f"targets/coins/channels/{'0' * 64}.stable.json", CHANNEL_MAX_BYTES),
    ],
)
def test_each_file_has_its_bound(
    own: ReleaseApi, writer: httpx.Client, name: str, longest: int
) -> None:
    status, body = raw_request(
        own,
        f"PUT {TUF_PATH}/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {writer.headers['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {longest + 1}\r\n\r\n",
    )
    assert (status, b'"TooLarge"' in body) == (413, True)
    assert refusal(put(writer, name, b" " * longest)) == (400, "InvalidMetadata")


def test_a_long_list_of_targets_is_taken(writer: httpx.Client) -> None:
    body = metadata("targets", 900, "x" * (TARGETS_MAX_BYTES - 2000))
    assert put(writer, "900.targets.json", body).status_code == 201
    assert writer.get(f"{TUF_PATH}/900.targets.json").content == body


@pytest.mark.parametrize(
    "path",
    [
        "/tuf/",
        "/tuf/root.json",
        "/tuf/1.timestamp.json",
        "/tuf/0.root.json",
        "/tuf/../users",
        "/tuf/..%2f..%2fetc%2fpasswd",
        "/tuf/%2e%2e/releases",
        "/tuf/1.root.json%00",
        "/tuf/1.root.json/",
        "/tuf/targets",
        "/tuf/targets/coins/1.0.0/manifest.json",
        f"/tuf/targets/coins/../{'0' * 64}.manifest.json",
        f"/tuf/targets/../../{'0' * 64}.manifest.json",
        f"/tuf/targets/coins/%2e%2e/{'0' * 64}.manifest.json",
        f"/tuf/targets/%2e%2e/1.0.0/{'0' * 64}.manifest.json",
        f"/tuf/targets/coins/channels/{'0' * 64}.%2e%2e%2fx.json",
        f"/tuf/targets/coins/channels/{'0' * 64}.stable.json%0a",
        f"/tuf/targets/coins/1.0.0/deep/{'0' * 64}.manifest.json",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_there_are_no_paths_beside(
    own: ReleaseApi, writer: httpx.Client, method: str, path: str
) -> None:
    # As it stands: an HTTP client would take the dots out.
    status, body = raw_request(
        own,
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {writer.headers['authorization']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    )
    assert (status, json.loads(body)["error"]) in {
        (400, "InvalidName"),
        (404, "NotFound"),
        (405, "MethodNotAllowed"),
    }


def test_a_target_lies_under_its_digest(writer: httpx.Client) -> None:
    content = b'{"channel": "stable"}'
    digest = hashlib.sha256(content).hexdigest()
    path = f"{TUF_TARGETS_PATH}/coins/channels/{digest}.stable.json"
    answers = [writer.put(path, content=content, headers=JSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == {"sha256": digest, "sizeBytes": len(content)}
    assert writer.get(path).content == content
    wrong = writer.put(path, content=content + b" ", headers=JSON)
    assert refusal(wrong) == (400, "InvalidMetadata")


@pytest.mark.parametrize("email", [PUBLISHER, VERIFIER, ADMIN, "device"])
def test_every_role_reads_and_a_publisher_writes(
    own: ReleaseApi, writer: httpx.Client, email: str
) -> None:
    put(writer, "500.snapshot.json", metadata("snapshot", 500))
    target = f"targets/coins/1.0.0/{'0' * 64}.manifest.json"
    with connect(own, None if email == "device" else email) as client:
        if email == "device":
            device = Device()
            register(writer, device, "screws")
            client.headers.update(bearer(client, device))
        assert client.get(f"{TUF_PATH}/500.snapshot.json").status_code == 200
        assert client.get(f"{TUF_PATH}/{target}").status_code == 404
        for name in ("500.snapshot.json", target):
            answer = put(client, name, b"{}")
            assert answer.status_code == (400 if email == PUBLISHER else 403)


def test_a_publisher_puts_targets_of_its_own_models_only(api: ReleaseApi) -> None:
    with connect(api, "coins@example.org") as client:
        for model, status in (("coins-2", 400), ("screws", 403)):
            path = f"targets/{model}/1.0.0/{'0' * 64}.manifest.json"
            assert put(client, path, b"{}").status_code == status


def test_a_publisher_of_some_models_puts_no_metadata(api: ReleaseApi) -> None:
    with connect(api, "coins@example.org") as client:
        assert refusal(put(client, "1.root.json", TRUST.first)) == (403, "Forbidden")
