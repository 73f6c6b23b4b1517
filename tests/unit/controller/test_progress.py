"""The endpoint over plain HTTP and a fake API server; the real ones are in tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sealyard.api.progress import ProgressReport
from sealyard.controller.caches import Caches
from sealyard.controller.progress import ProgressEndpoint
from sealyard.controller.progress_auth import (
    POD_UID_EXTRA,
    REVIEWS_AT_ONCE,
    WAITING_REVIEWS,
    BusyError,
    TokenReviewer,
)
from sealyard.controller.progress_status import duration, progress_body
from sealyard.controller.progress_writer import SECONDS_PER_OBJECT, ProgressWriter
from sealyard.controller.report_kinds import PROGRESS
from sealyard.controller.resources import JOBS, PODS, RUNS, Key
from support.controller import RUN, FakeApi, FakeTimers, until
from support.raw_objects import raw_job, raw_pod, raw_run

TOKEN = "header.payload.signature"
FORGED = "header.payload.of-another"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUNNING = {"phase": "Running", "jobRef": {"name": "run-train-1", "uid": "job-1"}}


def genuine(pod_uid: str = "pod-1", audience: str = "sealyard") -> dict[str, Any]:
    return {
        "authenticated": True,
        "audiences": [audience],
        "user": {
            "username": "system:serviceaccount:ns:default",
            "extra": {POD_UID_EXTRA: [pod_uid]},
        },
    }


def report(run: str = "run", uid: str = "run-1", **more: Any) -> dict[str, Any]:
    return {
        "run": {"namespace": "ns", "name": run, "uid": uid},
        "epoch": 3,
        "epochs": 16,
        "fraction": 0.2,
        **more,
    }


class Shell:
    """The endpoint and the writer over a fake API server."""

    def __init__(self, status: dict[str, Any] = RUNNING) -> None:
        raw = raw_run(status=status)
        self.api = FakeApi(raw)
        self.api.review_status = genuine()
        self.caches = Caches()
        self.caches.note(RUNS, raw)
        self.caches.note(JOBS, raw_job())
        self.caches.note(PODS, raw_pod())
        self.timers = FakeTimers()
        self.concerns: set[Key] = set()
        self.reviewer = TokenReviewer(self.api, self.timers.time)
        self.writer = ProgressWriter(
            self.api, self.caches, self.timers, lambda: NOW, self.concerns.update
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[TestClient[Any, Any]]:
        endpoint = ProgressEndpoint(self.caches, self.reviewer, self.writer)
        async with TestClient(TestServer(endpoint.make_app())) as client:
            yield client

    async def post(self, body: Any) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            self.served() as client,
            client.post("/v1/progress", json=body, headers=headers) as answer,
        ):
            assert (await answer.json())["message"]
            return answer.status


async def test_the_pod_of_the_newest_attempt_is_believed() -> None:
    shell = Shell()
    assert await shell.post(report()) == 202
    assert shell.api.reviews == [(TOKEN, "sealyard")]


@pytest.mark.parametrize(
    "review",
    [
        {"authenticated": False, "error": "expired"},
        {},
        genuine(audience="https://kubernetes.default.svc"),
        {"authenticated": True, "audiences": ["sealyard"], "user": {"username": "somebody"}},
    ],
    ids=["refused", "no answer", "another audience", "no pod"],
)
async def test_a_token_that_is_good_for_nothing(review: dict[str, Any]) -> None:
    shell = Shell()
    shell.api.review_status = review
    assert await shell.post(report()) == 401


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "rubbish",
        "two.parts",
        "a.part.too.many",
        "an.empty.",
        "not.of+these.letters",
        TOKEN + "x" * 20_000,
    ],
)
async def test_what_is_no_token_is_not_even_reviewed(token: str | None) -> None:
    shell = Shell()
    statuses = {401, 400}  # the web server itself refuses a header of 20 kB
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        shell.served() as client,
        client.post("/v1/progress", json=report(), headers=headers) as answer,
    ):
        assert answer.status in statuses
    assert shell.api.reviews == []


@pytest.mark.parametrize(
    ("pod_uid", "body"),
    [
        ("pod-of-nobody", report()),
        ("pod-2", report()),
        ("pod-1", report(uid="run of another life")),
        ("pod-1", report(run="another")),
    ],
    ids=["unknown pod", "pod of a former attempt", "another uid", "another run"],
)
async def test_a_pod_may_speak_for_its_own_run_only(pod_uid: str, body: dict[str, Any]) -> None:
    shell = Shell()
    shell.caches.note(PODS, raw_pod("b", "pod-2", job_uid="job-0"))
    shell.api.review_status = genuine(pod_uid)
    assert await shell.post(body) == 403


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_finished_run_takes_no_more(phase: str) -> None:
    assert await Shell(RUNNING | {"phase": phase}).post(report()) == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        (report(fraction=1.5), 400),
        (report(epochs=0), 400),
        ("words", 400),
        (report(metrics={"map50": "nan?"}), 400),
    ],
)
async def test_what_is_no_report_is_refused(body: Any, status: int) -> None:
    assert await Shell().post(body) == status


async def test_a_large_body_is_not_read() -> None:
    shell = Shell()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        shell.served() as client,
        client.post("/v1/progress", data=b"x" * 10_000, headers=headers) as answer,
    ):
        assert answer.status == 413


async def test_an_api_server_that_is_away_is_no_refusal() -> None:
    shell = Shell()
    shell.api.fail("review_token", 0)
    assert await shell.post(report()) == 503
    assert await shell.post(report()) == 202


async def test_reviews_are_remembered_for_a_while() -> None:
    shell = Shell()
    for _ in range(3):
        assert await shell.reviewer.pod_uid(TOKEN) == "pod-1"
    assert len(shell.api.reviews) == 1
    shell.timers.advance(61)
    await shell.reviewer.pod_uid(TOKEN)
    assert len(shell.api.reviews) == 2
    shell.api.review_status = {}
    for _ in range(3):
        assert await shell.reviewer.pod_uid(FORGED) is None
    assert len(shell.api.reviews) == 3
    shell.timers.advance(11)
    await shell.reviewer.pod_uid(FORGED)
    assert len(shell.api.reviews) == 4


async def test_only_so_many_wait_for_a_review() -> None:
    shell = Shell()
    assert await shell.reviewer.pod_uid(TOKEN) == "pod-1"
    shell.api.reviews_go_on.clear()
    taken = [
        asyncio.create_task(shell.reviewer.pod_uid(f"{TOKEN}-{number}"))
        for number in range(REVIEWS_AT_ONCE + WAITING_REVIEWS)
    ]
    await until(lambda: shell.reviewer._waiting == WAITING_REVIEWS)
    with pytest.raises(BusyError):
        await shell.reviewer.pod_uid(FORGED)
    headers = {"Authorization": f"Bearer {FORGED}"}
    async with (
        shell.served() as client,
        client.post("/v1/progress", json=report(), headers=headers) as answer,
    ):
        assert answer.status == 503
    assert await shell.post(report()) == 202, "who is known need not wait"
    for given_up in taken[-2:]:
        given_up.cancel()
    shell.api.reviews_go_on.set()
    assert await asyncio.gather(*taken[:-2]) == ["pod-1"] * (len(taken) - 2)
    assert await shell.reviewer.pod_uid(FORGED) == "pod-1"
    assert shell.reviewer._waiting == 0


def parsed(epoch: int) -> ProgressReport:
    return ProgressReport.model_validate(report(epoch=epoch))


async def test_a_run_is_written_at_most_every_ten_seconds_and_the_latest_wins() -> None:
    shell = Shell()
    running = asyncio.create_task(shell.writer.run())
    shell.writer.submit(PROGRESS, RUN, parsed(1), "pod-1")
    await until(lambda: len(shell.api.writes) == 1)
    for epoch in (2, 3, 4):
        shell.writer.submit(PROGRESS, RUN, parsed(epoch), "pod-1")
    shell.timers.advance(SECONDS_PER_OBJECT - 0.1)
    await asyncio.sleep(0.01)
    assert len(shell.api.writes) == 1
    shell.timers.advance(0.1)
    await until(lambda: len(shell.api.writes) == 2)
    assert [written["progress"]["epoch"] for _, written in shell.api.writes] == [1, 4]
    record = shell.caches.object(RUN)
    assert record
    assert record.parse()["status"]["progress"]["epoch"] == 4, "known at once"
    shell.writer.close()
    await running


async def test_over_all_runs_twenty_a_second() -> None:
    shell = Shell()
    turns = [shell.writer._take_turn(Key("TrainingRun", "ns", str(n))) for n in range(40)]
    assert turns[0] == 0.0
    assert turns[20] == pytest.approx(1.0)
    assert turns[39] == pytest.approx(1.95)
    shell.timers.advance(5)
    assert shell.writer._take_turn(RUN) == 0.0


async def test_a_run_that_ended_meanwhile_is_left_alone() -> None:
    shell = Shell()
    shell.caches.note(RUNS, raw_run(version=9, status=RUNNING | {"phase": "Succeeded"}))
    running = asyncio.create_task(shell.writer.run())
    shell.writer.submit(PROGRESS, RUN, parsed(1), "pod-1")
    await until(lambda: not len(shell.writer._queue) and not shell.writer._pending)
    shell.writer.close()
    await running
    assert shell.api.writes == []


async def test_a_write_that_fails_ends_nothing() -> None:
    shell = Shell()
    shell.api.fail("apply_progress", 500)
    running = asyncio.create_task(shell.writer.run())
    shell.writer.submit(PROGRESS, RUN, parsed(1), "pod-1")
    await until(lambda: not shell.api.failures["apply_progress"])
    shell.writer.submit(PROGRESS, RUN, parsed(2), "pod-1")
    shell.timers.advance(SECONDS_PER_OBJECT)
    await until(lambda: len(shell.api.writes) == 1)
    shell.writer.close()
    await running


async def test_an_answer_that_is_no_object_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shell = Shell()
    del shell.api.objects[RUN]["metadata"]["name"]
    running = asyncio.create_task(shell.writer.run())
    shell.writer.submit(PROGRESS, RUN, parsed(1), "pod-1")
    await until(lambda: "progress was not written: KeyError: 'name'" in caplog.text)
    shell.api.objects[RUN]["metadata"]["name"] = "run"
    shell.writer.submit(PROGRESS, RUN, parsed(2), "pod-1")
    shell.timers.advance(SECONDS_PER_OBJECT)
    await until(lambda: len(shell.api.writes) == 2)
    shell.writer.close()
    await running


def test_where_an_attempt_went_on_is_shown_while_it_runs() -> None:
    status = progress_body(ProgressReport.model_validate(report(resumedFromEpoch=2)), NOW)["status"]
    assert status["resumedFromEpoch"] == 2


def test_what_is_written() -> None:
    metrics = {"map50": 0.9, "map50_95": 0.7777}
    full = ProgressReport.model_validate(report(fraction=0.379, etaSeconds=245, metrics=metrics))
    body = progress_body(full, NOW)
    assert body["metadata"] == {"name": "run", "namespace": "ns", "uid": "run-1"}
    assert body["status"] == {
        "progress": {
            "epoch": 3,
            "epochs": 16,
            "percent": 37,
            "etaSeconds": 245,
            "metrics": {"map50": 0.9, "map50_95": 0.7777},
            "updatedAt": "2026-11-23T12:00:00Z",
        },
        "summary": {"progress": "37 %", "epoch": "3/16", "eta": "4m", "map50_95": "0.778"},
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (7500, "2h5m"),
     (86_400, "1d"), (270_000, "3d3h")],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text
