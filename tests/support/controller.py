"""An API server in memory, and a clock that a test turns, for what needs no real ones."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from sealyard.controller.kubernetes_api import ApiError, Document
from sealyard.controller.resources import Key, Resource
from sealyard.core.status import merged
from support.raw_objects import TIME

RUN = Key("TrainingRun", "ns", "run")
RELEASE = Key("ModelRelease", "ns", "release")
TARGET = Key("ReleaseTarget", "ns", "target")


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a condition that nothing announces."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may hang on anything, the clock included
            await asyncio.sleep(0.001)


class FakeApi:
    """Keeps Jobs and custom resources, counts what is written, and fails on request."""

    def __init__(self, *objects: Document) -> None:
        self.version = 100
        self.jobs: dict[tuple[str, str], Document] = {}
        self.objects = {
            Key(one["kind"], "ns", one["metadata"]["name"]): copy.deepcopy(one) for one in objects
        }
        self.config_maps: dict[str, Document] = {}
        self.ending_namespaces: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.writes: list[tuple[str, Any]] = []
        self.events: list[Document] = []
        self.reviews: list[tuple[str, str]] = []
        self.review_status: Document = {"authenticated": False}
        self.reviews_go_on = asyncio.Event()
        self.reviews_go_on.set()
        self.failures: dict[str, list[int]] = {}

    def fail(self, operation: str, *statuses: int) -> None:
        """The next calls of this operation are answered with these statuses."""
        self.failures.setdefault(operation, []).extend(statuses)

    def touch(self, key: Key) -> Document:
        """Somebody else changes an object."""
        raw = self.objects[key]
        raw["metadata"]["resourceVersion"] = self._next_version()
        return copy.deepcopy(raw)

    async def list_chunk(
        self, resource: Resource, namespace: str | None, token: str, *, metadata_only: bool
    ) -> Document:
        self._enter("list")
        everything = [*self.objects.values(), *self.jobs.values()]
        found = [
            one
            for one in everything
            if one["kind"] == resource.kind
            and namespace in {None, one["metadata"].get("namespace")}
        ]
        start = int(token or 0)
        items: list[Document] | None = copy.deepcopy(found[start : start + 1])
        if metadata_only:
            # An empty list of metadata comes as null, unlike one of whole objects.
            items = [{"metadata": item["metadata"]} for item in items or ()] or None
        more = {"continue": str(start + 1)} if start + 1 < len(found) else {}
        return {"metadata": {"resourceVersion": str(self.version), **more}, "items": items}

    async def create_job(self, resource: Resource, manifest: Document) -> Document:
        assert resource.kind == manifest["kind"]
        self._enter("create_job")
        name = manifest["metadata"]["name"]
        identity = (manifest["metadata"]["namespace"], name)
        if identity in self.jobs:
            raise ApiError(409, f'jobs.batch "{name}" already exists')
        raw = copy.deepcopy(manifest)
        raw["metadata"].update(
            uid=f"uid-{name}",
            resourceVersion=self._next_version(),
            creationTimestamp=TIME,
        )
        self.jobs[identity] = raw
        self.writes.append(("create", name))
        return copy.deepcopy(raw)

    async def read(self, resource: Resource, namespace: str, name: str) -> Document:
        self._enter("read")
        if (namespace, name) not in self.jobs:
            raise ApiError(404, "not found")
        assert resource.kind == self.jobs[namespace, name]["kind"]
        return copy.deepcopy(self.jobs[namespace, name])

    async def apply(self, resource: Resource, manifest: Document) -> Document:
        assert resource.kind == manifest["kind"]
        self._enter("apply")
        name = manifest["metadata"]["name"]
        known = self.jobs.get((manifest["metadata"]["namespace"], name))
        uid = known["metadata"]["uid"] if known else f"uid-{name}"
        if manifest["metadata"].get("uid", uid) != uid:
            raise ApiError(409, "the uid is another")
        raw = copy.deepcopy(manifest)
        raw["metadata"].update(
            uid=uid, resourceVersion=self._next_version(), creationTimestamp=TIME
        )
        self.jobs[raw["metadata"]["namespace"], name] = raw
        self.writes.append(("apply", name))
        return copy.deepcopy(raw)

    async def delete_job(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        after_its_pods: bool = False,
    ) -> Document:
        self._enter("delete_job")
        if (namespace, name) not in self.jobs:
            raise ApiError(404, "not found")
        assert resource.kind == self.jobs[namespace, name]["kind"]
        if self.jobs[namespace, name]["metadata"]["uid"] != uid:
            raise ApiError(409, "the uid is another")
        self.writes.append(("delete", name))
        if after_its_pods:
            job = self.jobs[namespace, name]
            job["metadata"].update(resourceVersion=self._next_version(), deletionTimestamp=TIME)
            return copy.deepcopy(job)
        del self.jobs[namespace, name]
        return {"kind": "Status", "status": "Success"}

    async def create_config_map(self, manifest: Document) -> None:
        self._enter("create_config_map")
        name = manifest["metadata"]["name"]
        if name in self.config_maps:
            raise ApiError(409, f'configmaps "{name}" already exists')
        self.config_maps[name] = copy.deepcopy(manifest)
        self.writes.append(("input", name))

    async def patch_metadata(
        self, resource: Resource, namespace: str, name: str, metadata: Document
    ) -> Document:
        self._enter("patch_metadata")
        raw = self.objects[Key(resource.kind, namespace, name)]
        if metadata["resourceVersion"] != raw["metadata"]["resourceVersion"]:
            raise ApiError(409, "the object has been modified")
        raw["metadata"] |= metadata | {"resourceVersion": self._next_version()}
        self.writes.append(("metadata", metadata["finalizers"]))
        return copy.deepcopy(raw)

    async def namespace_ends(self, namespace: str) -> bool:
        self._enter("namespace_ends")
        return namespace in self.ending_namespaces

    async def patch_status(
        self, resource: Resource, namespace: str, name: str, patch: Document
    ) -> Document:
        self._enter("patch_status")
        raw = self.objects.get(Key(resource.kind, namespace, name))
        if raw is None:
            raise ApiError(404, "not found")
        if patch["metadata"]["resourceVersion"] != raw["metadata"]["resourceVersion"]:
            raise ApiError(409, "the object has been modified")
        raw["status"] = merged(raw.get("status") or {}, patch["status"])
        raw["metadata"]["resourceVersion"] = self._next_version()
        self.writes.append(("status", patch["status"]))
        return copy.deepcopy(raw)

    async def apply_progress(
        self, resource: Resource, namespace: str, name: str, body: Document
    ) -> Document:
        self._enter("apply_progress")
        raw = self.objects[Key(resource.kind, namespace, name)]
        raw["status"] = merged(raw.get("status") or {}, body["status"])
        raw["metadata"]["resourceVersion"] = self._next_version()
        self.writes.append(("progress", body["status"]))
        return copy.deepcopy(raw)

    async def create_event(self, namespace: str, event: Document) -> None:
        self._enter("create_event")
        assert namespace == event["metadata"]["namespace"]
        self.events.append(event)

    async def review_token(self, token: str, audience: str) -> Document:
        self._enter("review_token")
        self.reviews.append((token, audience))
        await self.reviews_go_on.wait()
        return self.review_status

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _enter(self, operation: str) -> None:
        self.asked[operation] += 1
        if self.failures.get(operation):
            status = self.failures[operation].pop(0)
            raise ApiError(status, f"{operation} was refused with {status}")


class FakeTimers:
    """An event loop's clock that a test turns."""

    class _Timer:
        def __init__(self, when: float) -> None:
            self._when = when
            self.cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

        def when(self) -> float:
            return self._when

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Any, Any]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any, *args: Any) -> FakeTimers._Timer:
        timer = self._Timer(when)
        self._timers.append((when, next(self._order), timer, lambda: callback(*args)))
        return timer

    def advance(self, seconds: float) -> None:
        """Let the time pass, and call what is due."""
        self.now += seconds
        due = sorted(entry for entry in self._timers if entry[0] <= self.now)
        self._timers = [entry for entry in self._timers if entry[0] > self.now]
        for _, _, timer, call in due:
            if not timer.cancelled:
                call()
