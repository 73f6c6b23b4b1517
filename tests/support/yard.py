"""A target and what follows it, by the whole loop over an API server in memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from sealyard.api.answers import Answer
from sealyard.controller.apply import Applier, Foreign
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.followers import COLLECT_SECONDS, Followers
from sealyard.controller.kubernetes_api import Document
from sealyard.controller.loop import ControlLoop
from sealyard.controller.namespaces import Namespaces
from sealyard.controller.resources import CUSTOM_RESOURCES, JOBS, PODS, Key
from sealyard.controller.runtime import RECONCILERS
from sealyard.controller.workqueue import WorkQueue
from support.builders import SETTINGS, task_of
from support.controller import FakeApi, FakeTimers
from support.raw_objects import TIME, raw_pod, raw_release, raw_target
from support.specs import TRUST

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
        self.leaving: set[Key] = set()
        """What was deleted while something held it."""
        self.now = NOW
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
            namespaces=Namespaces(self.api, self.timers.time),
            reconcilers=RECONCILERS,
            settings=SETTINGS,
            clock=lambda: self.now,
        )

    async def settle(self) -> None:
        """Look at everything, and let time pass, until nothing is written any more."""
        for _ in range(20):
            before = len(self.api.writes)
            self.timers.advance(COLLECT_SECONDS)
            every_key = self.caches.keys()
            for key in every_key:
                await self.loop.reconcile(key)
            self._let_go()
            if len(self.api.writes) == before:
                return
        raise AssertionError(self.api.writes[-5:])

    def _let_go(self) -> None:
        for key in tuple(self.leaving):
            if not self.api.objects[key]["metadata"]["finalizers"]:
                self.leaving.remove(key)
                self._forget(key)

    def waiting(self) -> dict[str, Document]:
        """The grant or index Job that has not ended, by its role."""
        return {
            raw["metadata"]["labels"]["sealyard.io/role"]: raw
            for raw in self.api.jobs.values()
            if raw["metadata"]["uid"] not in self.ended
            and raw["metadata"]["labels"]["sealyard.io/role"] != "probe"
        }

    def input_of(self, job: Document) -> dict[str, Any]:
        """What a Job is given."""
        name = job["metadata"]["name"]
        parts = sorted(one for one in self.api.config_maps if one.startswith(f"{name}-input-"))
        text = "".join(t for part in parts for t in self.api.config_maps[part]["data"].values())
        document: dict[str, Any] = json.loads(text)
        return document

    async def do(self, role: str) -> dict[str, Any]:
        """Let the Job that waits succeed. Gives what it was given."""
        waiting = self.waiting()
        assert role in waiting
        raw = waiting[role]
        document = self.input_of(raw)
        result = {"inputSha256": task_of(raw)["inputSha256"], "devices": 1, "granted": 1}
        result |= {"unchanged": 0, "version": 1, "expires": "2100-01-01T00:00:00Z"}
        result |= {"releases": 1, "channels": 1, "changed": True}
        await self._end(raw, 0, Answer(message="done", result=result))
        return document

    async def fail(self, role: str, code: int) -> None:
        """Let the Job that waits fail; what it was told may be done or not."""
        await self._end(self.waiting()[role], code, Answer(message="why it failed"))

    async def _end(self, raw: Document, code: int, answer: Answer) -> None:
        name = raw["metadata"]["name"]
        self.api.version += 2
        how = "Failed" if code else "Complete"
        ended = {"type": how, "status": "True", "lastTransitionTime": TIME}
        raw["metadata"]["resourceVersion"] = str(self.api.version)
        raw["status"] = {"conditions": [ended], "completionTime": TIME}
        state = {"terminated": {"exitCode": code, "message": answer.encode().decode()}}
        phase = "Failed" if code else "Succeeded"
        pod = raw_pod(
            f"{name}-x", f"{name}-x", self.api.version, job_uid=raw["metadata"]["uid"],
            status={"phase": phase, "containerStatuses": [{"name": "main", "state": state}]},
        )  # fmt: skip
        self.ended.add(raw["metadata"]["uid"])
        self.caches.note(PODS, pod)
        self.caches.note(JOBS, raw)
        await self.settle()

    def add(self, raw: Document) -> None:
        """Somebody applies an object."""
        key = Key(raw["kind"], "ns", raw["metadata"]["name"])
        self.api.objects[key] = raw
        self.caches.note(CUSTOM_RESOURCES[key.kind], self.api.touch(key))

    def remove(self, key: Key) -> None:
        """Somebody deletes an object, which goes once nothing holds it."""
        metadata = self.api.objects[key]["metadata"]
        if metadata.get("finalizers"):
            metadata["deletionTimestamp"] = TIME
            self.leaving.add(key)
            self.caches.note(CUSTOM_RESOURCES[key.kind], self.api.touch(key))
            return
        self._forget(key)

    def _forget(self, key: Key) -> None:
        uid = self.api.objects.pop(key)["metadata"]["uid"]
        self.caches.remove(CUSTOM_RESOURCES[key.kind], "ns", key.name, uid)

    def change(self, key: Key, **fields: Any) -> None:
        """Somebody changes a spec."""
        self.api.objects[key]["spec"] |= fields
        self.caches.note(CUSTOM_RESOURCES[key.kind], self.api.touch(key))

    def status(self, key: Key) -> dict[str, Any]:
        """The status of an object, empty while it has none."""
        status: dict[str, Any] = self.api.objects[key].get("status") or {}
        return status


async def a_yard(*objects: Document) -> Yard:
    """One that has looked at everything."""
    yard = Yard(*objects)
    await yard.settle()
    return yard


def release(name: str = "release", number: str = "1.0.0", *, uid: str | None = None) -> Document:
    """A release that was just proven to open."""
    digest = hashlib.sha256(number.encode()).hexdigest()
    raw = raw_release(name, uid or f"uid-{name}", number=number)
    return raw | {"status": VERIFIED | {"manifestSha256": digest}}
