"""A router's reports: which pod may send them, and what they become."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sealyard.api.filing import FilingReport
from sealyard.controller.caches import Caches
from sealyard.controller.progress import ProgressEndpoint
from sealyard.controller.progress_auth import POD_UID_EXTRA, TokenReviewer
from sealyard.controller.progress_status import filing_body
from sealyard.controller.progress_writer import SECONDS_PER_OBJECT, ProgressWriter
from sealyard.controller.report_kinds import FILING
from sealyard.controller.resources import DEPLOYMENTS, PODS, ROUTES, Key
from support.controller import FakeApi, FakeTimers, until
from support.routers import ROUTE, raw_deployment, raw_route, raw_router_pod
from support.routes import FIGURES

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def report(name: str = "route", uid: str = "route-1", **more: Any) -> dict[str, Any]:
    return {"route": {"namespace": "ns", "name": name, "uid": uid}, **FIGURES, **more}


class Shell:
    """The endpoint and the writer over a fake API server."""

    def __init__(self) -> None:
        self.api = FakeApi(raw_route())
        self.caches = Caches()
        self.caches.note(ROUTES, raw_route())
        self.caches.note(DEPLOYMENTS, raw_deployment())
        self.caches.note(PODS, raw_router_pod())
        self.timers = FakeTimers()
        self.concerns: set[Key] = set()
        self.writer = ProgressWriter(
            self.api, self.caches, self.timers, lambda: NOW, self.concerns.update
        )

    async def post(self, body: Any, pod_uid: str = "pod-1") -> tuple[int, str]:
        self.api.review_status = {
            "authenticated": True,
            "audiences": ["sealyard"],
            "user": {"extra": {POD_UID_EXTRA: [pod_uid]}},
        }
        reviewer = TokenReviewer(self.api, self.timers.time)
        endpoint = ProgressEndpoint(self.caches, reviewer, self.writer)
        headers = {"Authorization": "Bearer header.payload.signature"}
        async with (
            TestClient(TestServer(endpoint.make_app())) as client,
            client.post("/v1/filing", json=body, headers=headers) as answer,
        ):
            return answer.status, (await answer.json())["message"]


async def test_the_router_is_believed() -> None:
    assert await Shell().post(report()) == (202, "taken in")


FOREIGN_POD = raw_router_pod("pod-3", deployment="somebody-else", created="2026-11-23T10:00:09Z")


@pytest.mark.parametrize(
    ("pod", "speaker", "body"),
    [
        (None, "pod-of-nobody", report()),
        (None, "pod-1", report(uid="route of another life")),
        (None, "pod-1", report("another")),
        (raw_router_pod("pod-2", route=("other", "route-2")), "pod-2", report()),
        (raw_router_pod("pod-2", created="2026-11-23T10:00:09Z"), "pod-1", report()),
        (FOREIGN_POD, "pod-3", report()),
    ],
    ids=[
        "unknown pod",
        "another uid",
        "another route",
        "another route's pod",
        "the former pod",
        "a pod of another Deployment",
    ],
)
async def test_a_pod_speaks_for_its_own_route_only(pod: Any, speaker: str, body: Any) -> None:
    shell = Shell()
    if pod:
        shell.caches.note(PODS, pod)
    status, message = await shell.post(body, speaker)
    assert (status, message) == (403, "this pod is not the router of that route")


async def test_a_deployment_of_another_life_speaks_for_nobody() -> None:
    shell = Shell()
    owner = ("AnnotationRoute", "route", "route-0")
    theirs = raw_deployment("deployment-0", 9, owner=owner)
    theirs["metadata"]["name"] = raw_deployment()["metadata"]["name"]
    shell.caches.note(DEPLOYMENTS, theirs)
    assert (await shell.post(report()))[0] == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (report(offset=-1), "not a report: offset"),
        (report(problem="Bored"), "not a report: problem"),
        (report(message="x" * 513), "not a report: message"),
        ({}, "not a report: offset, rejected, route, seed, unproven, validated"),
    ],
)
async def test_what_is_no_report_is_refused(body: Any, message: str) -> None:
    assert await Shell().post(body) == (400, message)


async def test_it_is_written_and_the_route_is_looked_at() -> None:
    shell = Shell()
    running = asyncio.create_task(shell.writer.run())
    for offset in (1, 2):
        parsed = FilingReport.model_validate(report(offset=offset))
        shell.writer.submit(FILING, ROUTE, parsed, "pod-1")
    await until(lambda: shell.api.writes)
    assert [(what, body["filing"]["offset"]) for what, body in shell.api.writes] == [
        ("progress", 2)
    ]
    assert shell.concerns == {ROUTE}
    shell.caches.note(PODS, raw_router_pod("pod-2", created="2026-11-23T10:00:09Z"))
    shell.writer.submit(FILING, ROUTE, parsed, "pod-1")
    shell.timers.advance(SECONDS_PER_OBJECT)
    await until(lambda: not shell.writer._pending)
    shell.writer.close()
    await running
    assert len(shell.api.writes) == 1, "it was replaced meanwhile"


def test_what_is_written() -> None:
    full = report(lost=3, problem="StorageFull", message="no space left on device")
    body = filing_body(FilingReport.model_validate(full), NOW)
    assert (body["kind"], body["metadata"]) == (
        "AnnotationRoute",
        {"name": "route", "namespace": "ns", "uid": "route-1"},
    )
    assert body["status"] == {
        "filing": {
            **FIGURES,
            "lost": 3,
            "problem": "StorageFull",
            "message": "no space left on device",
            "updatedAt": "2026-11-23T12:00:00Z",
        },
        "summary": {"lag": "3"},
    }
    unknown = FilingReport.model_validate(report(lag=None))
    assert filing_body(unknown, NOW)["status"]["summary"] == {"lag": "unknown"}
