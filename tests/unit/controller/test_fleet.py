"""A target and what follows it, by the whole loop over an API server in memory."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sealyard.api.answers import Answer
from sealyard.controller.apply import Applier, Foreign
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.followers import COLLECT_SECONDS, Followers
from sealyard.controller.kubernetes_api import ApiError, Document
from sealyard.controller.loop import ControlLoop
from sealyard.controller.resources import CUSTOM_RESOURCES, JOBS, PODS, Key
from sealyard.controller.runtime import RECONCILERS
from sealyard.controller.workqueue import WorkQueue
from support.builders import SETTINGS, TRUST, task_of
from support.controller import (
    RELEASE,
    TARGET,
    TIME,
    FakeApi,
    FakeTimers,
    raw_channel,
    raw_device,
    raw_pod,
    raw_release,
    raw_target,
)

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
CHANNEL = Key("ReleaseChannel", "ns", "stable")
DEVICE = Key("Device", "ns", "dev")
VERIFIED = {
    "phase": "Indexing",
    "manifestSha256": "a" * 64,
    "tasks": [
        {"name": name, "started": 1, "done": True} for name in ("export-onnx", "publish", "verify")
    ],
}


class Yard:
    """The operator and what it works on. It can be started anew, with empty hands."""

    def __init__(self, *objects: Document) -> None:
        self.api = FakeApi(raw_target(spec={"trust": TRUST}), *objects)
        self.ended: set[str] = set()
        self.start()

    def start(self) -> None:
        """A new process: all that it knows is what the API server has."""
        self.timers = FakeTimers()
        self.caches = Caches()
        self.caches.followers = Followers(self.timers.time)
        for key, raw in self.api.objects.items():
            self.caches.note(CUSTOM_RESOURCES[key.kind], raw)
        for raw in self.api.jobs.values():
            self.caches.note(JOBS, raw)
        foreign = Foreign(self.timers.time)
        poster = EventPoster(self.api, "pod-0")
        self.loop = ControlLoop(
            queue=WorkQueue(asyncio.get_running_loop()),
            caches=self.caches,
            applier=Applier(self.api, self.caches, foreign, poster, lambda _: None),
            foreign=foreign,
            reconcilers=RECONCILERS,
            settings=SETTINGS,
            clock=lambda: NOW,
        )

    async def settle(self) -> None:
        """Look at everything, and let time pass, until nothing is written any more."""
        for _ in range(20):
            before = len(self.api.writes)
            self.timers.advance(COLLECT_SECONDS)
            every_key = self.caches.keys()
            for key in every_key:
                await self.loop.reconcile(key)
            if len(self.api.writes) == before:
                return
        raise AssertionError(self.api.writes[-5:])

    def waiting(self) -> dict[str, Document]:
        """The grant or index Job that has not ended, by its role."""
        return {
            raw["metadata"]["labels"]["sealyard.io/role"]: raw
            for raw in self.api.jobs.values()
            if raw["metadata"]["uid"] not in self.ended
            and raw["metadata"]["labels"]["sealyard.io/role"] != "probe"
        }

    async def do(self, role: str) -> dict[str, Any]:
        """Let the Job that waits succeed. Gives what it was given."""
        waiting = self.waiting()
        assert list(waiting) == [role]
        raw = waiting[role]
        name = raw["metadata"]["name"]
        parts = sorted(one for one in self.api.config_maps if one.startswith(f"{name}-input-"))
        text = "".join(t for part in parts for t in self.api.config_maps[part]["data"].values())
        result = {"inputSha256": task_of(raw)["inputSha256"], "devices": 1, "granted": 1}
        result |= {"unchanged": 0, "version": 1, "expires": "2100-01-01T00:00:00Z"}
        result |= {"releases": 1, "channels": 1, "changed": True}
        self.api.version += 2
        ended = {"type": "Complete", "status": "True", "lastTransitionTime": TIME}
        raw["metadata"]["resourceVersion"] = str(self.api.version)
        raw["status"] = {"conditions": [ended], "completionTime": TIME}
        message = Answer(message="done", result=result).encode().decode()
        state = {"terminated": {"exitCode": 0, "message": message}}
        pod = raw_pod(
            f"{name}-x", f"{name}-x", self.api.version, job_uid=raw["metadata"]["uid"],
            status={"phase": "Succeeded", "containerStatuses": [{"name": "main", "state": state}]},
        )  # fmt: skip
        self.ended.add(raw["metadata"]["uid"])
        self.caches.note(PODS, pod)
        self.caches.note(JOBS, raw)
        await self.settle()
        document: dict[str, Any] = json.loads(text)
        return document

    def change(self, key: Key, **fields: Any) -> None:
        """Somebody changes a spec."""
        self.api.objects[key]["spec"] |= fields
        self.caches.note(CUSTOM_RESOURCES[key.kind], self.api.touch(key))

    def status(self, key: Key) -> dict[str, Any]:
        status: dict[str, Any] = self.api.objects[key].get("status") or {}
        return status


async def a_yard(*objects: Document) -> Yard:
    yard = Yard(*objects)
    await yard.settle()
    return yard


def release(**more: Any) -> Document:
    return raw_release() | {"status": VERIFIED} | more


async def test_from_verified_to_listed() -> None:
    yard = await a_yard(release(), raw_channel(), raw_device(channels=["stable"]))
    assert yard.status(RELEASE)["phase"] == "Indexing"
    granted = await yard.do("grant")
    assert [one["version"] for one in granted["releases"]] == ["1.0.0"]
    assert yard.status(DEVICE)["phase"] == "Authorised"
    index = await yard.do("index")
    assert [one["version"] for one in index["channels"]] == ["1.0.0"]
    assert yard.status(RELEASE)["phase"] == "Released"
    assert yard.status(RELEASE)["summary"]["channels"] == "stable"
    assert yard.status(CHANNEL)["listed"]["version"] == "1.0.0"
    assert yard.status(CHANNEL)["devices"] == 1
    assert yard.waiting() == {}


async def test_a_second_device_makes_nobody_wait() -> None:
    yard = await a_yard(release(), raw_channel(), raw_device())
    await yard.do("grant")
    await yard.do("index")
    second = raw_device("other", "device-2", number=2)
    yard.api.objects[Key("Device", "ns", "other")] = second
    yard.caches.note(CUSTOM_RESOURCES["Device"], second)
    await yard.settle()
    assert yard.status(DEVICE)["phase"] == "Authorised"
    assert yard.status(Key("Device", "ns", "other"))["phase"] == "Pending"
    # It is the same for an operator that has forgotten what the last Job was given.
    yard.start()
    await yard.settle()
    assert yard.status(DEVICE)["phase"] == "Authorised"
    assert yard.status(RELEASE)["phase"] == "Released"


async def test_an_operator_killed_between_a_job_and_its_input_gives_it() -> None:
    yard = Yard(release(), raw_device())
    yard.api.fail("create_config_map", 0)
    with pytest.raises(ApiError):
        await yard.settle()
    assert yard.api.config_maps == {}
    [job] = yard.waiting().values()
    yard.start()
    await yard.settle()
    assert list(yard.waiting().values()) == [job]
    assert list(yard.api.config_maps) == [f"{job['metadata']['name']}-input-0"]
    assert (await yard.do("grant"))["devices"]


async def test_input_that_cannot_be_made_again_is_no_reason_to_wait_for_ever() -> None:
    yard = Yard(release(), raw_device())
    yard.api.fail("create_config_map", 0)
    with pytest.raises(ApiError):
        await yard.settle()
    [job] = yard.waiting().values()
    yard.change(DEVICE, suspend=True)
    yard.start()
    await yard.settle()
    assert ("delete", job["metadata"]["name"]) in yard.api.writes
    [told] = (await yard.do("grant"))["devices"]
    assert told["suspended"] is True


async def test_revoked_and_fallen_back() -> None:
    newer = raw_release("newer", "release-2", number="1.1.0") | {
        "status": VERIFIED | {"manifestSha256": "b" * 64}
    }
    yard = await a_yard(release(), newer, raw_channel(), raw_device(channels=["stable"]))
    await yard.do("grant")
    await yard.do("index")
    key = Key("ModelRelease", "ns", "newer")
    yard.change(key, revoked=True)
    await yard.settle()
    urgent = await yard.do("index")
    assert [one["version"] for one in urgent["withdrawnReleases"]] == ["1.1.0"]
    assert yard.status(key)["phase"] == "Revoked"
    assert yard.status(CHANNEL)["wanted"] == "1.0.0"
    await yard.do("grant")
    await yard.do("index")
    assert yard.status(CHANNEL)["listed"]["version"] == "1.0.0"
    assert yard.status(CHANNEL)["previous"]["version"] == "1.1.0"


async def a_held_release() -> Yard:
    yard = await a_yard(release())
    await yard.do("index")
    yard.change(RELEASE, deletionPolicy="Withdraw")
    await yard.settle()
    metadata = yard.api.objects[RELEASE]["metadata"]
    assert metadata["finalizers"] == ["sealyard.io/withdraw"]
    metadata["deletionTimestamp"] = TIME
    return yard


async def test_withdrawn_before_it_is_deleted() -> None:
    yard = await a_held_release()
    yard.change(RELEASE)
    await yard.settle()
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] != []
    document = await yard.do("index")
    assert [one["version"] for one in document["withdrawnReleases"]] == ["1.0.0"]
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] == []
    assert yard.api.events[-1]["reason"] == "Withdrawn"


async def test_its_namespace_goes_and_so_does_it() -> None:
    yard = await a_held_release()
    yard.api.ending_namespaces.add("ns")
    yard.change(RELEASE)
    await yard.loop.reconcile(RELEASE)
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] == []
    assert yard.api.events[-1]["reason"] == "NotWithdrawn"


async def test_the_target_looks_again_when_changes_have_settled() -> None:
    yard = await a_yard(release(), raw_device())
    yard.change(DEVICE, suspend=True)
    assert await yard.loop.reconcile(TARGET) == pytest.approx(COLLECT_SECONDS)
