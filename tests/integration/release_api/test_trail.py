"""What is seen of the server from outside: the audit trail, the metrics and the contract."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sealyard_release_api.openapi import OPERATIONS, Operation
from sealyard_release_api.roles import ALLOWED, WITHOUT_TOKEN, Role
from support.release_api import ADMIN, PUBLISHER, VERIFIER, ReleaseApi

pytestmark = pytest.mark.stores

AUDITED = [operation for operation in OPERATIONS if operation.action is not None]
NAMES = {
    "{model}": "coins",
    "{version}": "0.0.9",
    "{variant}": "v",
    "{email}": "nobody@example.org",
    "{device}": "0" * 32,
    "{file}": "timestamp.json",
    "{folder}": "channels",
    "{target}": f"{'0' * 64}.stable.json",
}


def named(operation: Operation) -> str:
    path = operation.path
    for name, value in NAMES.items():
        path = path.replace(name, value)
    return path


def line_of(api: ReleaseApi, answer: httpx.Response) -> dict[str, Any]:
    """The one audit line of a request, which is there before its answer is."""
    request_id = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", request_id)

    def mine(line: dict[str, Any]) -> bool:
        return line["logger"].endswith(".audit") and line.get("requestId") == request_id

    (found,) = [line for line in api.log_lines() if mine(line)]
    return found


@pytest.mark.parametrize("operation", AUDITED, ids=lambda operation: operation.action)
def test_every_request_leaves_one_line(
    *,
    api: ReleaseApi,
    anonymous: httpx.Client,
    publisher: httpx.Client,
    verifier: httpx.Client,
    admin: httpx.Client,
    operation: Operation,
) -> None:
    clients = {None: anonymous, PUBLISHER: publisher, VERIFIER: verifier, ADMIN: admin}
    for who, client in clients.items():
        query = "?limit=x" if "limit" in operation.parameters else ""
        answer = client.request(operation.method, named(operation) + query)
        line = line_of(api, answer)
        assert line["event"] == operation.action
        assert line["status"] == answer.status_code
        assert line.get("reason") == answer.json().get("error")
        assert line["address"] == "127.0.0.1"
        if operation.action not in WITHOUT_TOKEN:
            assert line.get("who") == who
        if "{device}" in operation.path and answer.status_code not in {401, 403}:
            assert line["device"] == "0" * 32
        if "{version}" in operation.path and answer.status_code not in {401, 403}:
            assert (line["model"], line["version"]) == ("coins", "0.0.9")


def test_a_request_id_of_the_client_is_not_believed(anonymous: httpx.Client) -> None:
    answers = [
        anonymous.get("/releases", headers={"X-Request-Id": "mine"}).headers["x-request-id"]
        for _ in range(2)
    ]
    assert "mine" not in answers
    assert len(set(answers)) == 2


def test_the_contract_is_served_and_names_the_roles(anonymous: httpx.Client) -> None:
    document = anonymous.get("/openapi.json").json()
    for operation in AUDITED:
        described = document["paths"][operation.path][operation.method.lower()]
        roles = [role for role in Role if operation.action in ALLOWED[role]]
        assert described.get("x-roles", []) == roles


def test_metrics_have_a_port_of_their_own(api: ReleaseApi, anonymous: httpx.Client) -> None:
    def refused() -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(api.metrics())
            for sample in family.samples
            if sample.name == "sealyard_release_api_requests_total"
            and sample.labels
            == {"event": "list-releases", "status": "401", "reason": "TokenRefused"}
        )

    before = refused()
    answer = anonymous.get("/releases")
    line_of(api, answer)  # written after it is counted
    assert refused() == before + 1
    assert anonymous.get("/metrics").status_code == 404
    families = {family.name for family in text_string_to_metric_families(api.metrics())}
    assert families >= {
        "sealyard_release_api_requests",
        "sealyard_release_api_request_seconds",
        "sealyard_release_api_running_requests",
    }
