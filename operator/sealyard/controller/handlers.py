"""kopf's part: watches. A handler notes the change in the caches and queues what it concerns.

Nothing is decided here, and kopf writes nothing: no finalizer, no annotation, no event.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import kopf

from sealyard.controller.caches import Caches
from sealyard.controller.resources import WATCHED, Key, Resource

EVENTS_AT_ONCE = 64
IDLE_SECONDS = 0.02
"""How long kopf keeps a task per object; it holds one of the places above meanwhile."""

CHUNK_SIZE = 500
WATCH_SECONDS = 300  # a whole number: it goes into a URL as it stands
INACTIVITY_SECONDS = 75.0
"""A healthy watch brings a bookmark each minute."""

Credentials = Callable[[], Any]

logger = logging.getLogger(__name__)


class _Backoffs:
    """Seconds between the attempts of kopf's requests. They never end: an API server that is away
    for an hour is no reason to stop watching."""

    def __iter__(self) -> Iterator[float]:
        return chain((0.5, 1.0, 2.0, 3.0), repeat(5.0))


class _NoDifferences(kopf.DiffBaseStorage):  # type: ignore[misc]
    """kopf would keep the last seen state in an annotation, and build it on every event."""

    def build(self, **_: Any) -> dict[str, Any]:
        """Nothing is compared."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Nothing is stored."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


class _NoProgress(kopf.ProgressStorage):  # type: ignore[misc]
    """kopf would keep the state of its handlers in annotations; ours have none."""

    def fetch(self, **_: Any) -> None:
        """Nothing is stored."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""

    def purge(self, **_: Any) -> None:
        """Nothing is stored."""

    def touch(self, **_: Any) -> None:
        """Nothing is stored."""

    def clear(self, *, essence: dict[str, Any]) -> dict[str, Any]:
        """There is nothing of ours in it."""
        return essence


def make_registry(
    caches: Caches, concerns: Callable[[set[Key]], None], credentials: Credentials
) -> kopf.OperatorRegistry:
    """The handlers: one per watched resource, and the login.

    Args:
        caches: what every event goes into.
        concerns: told which custom resources an event concerns.
        credentials: an async function that gives `kopf.ConnectionInfo`.
    """
    registry = kopf.OperatorRegistry()

    async def login(**_: Any) -> Any:
        return await credentials()

    async def note(event: dict[str, Any], param: Resource, **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            metadata = raw["metadata"]
            namespace = metadata.get("namespace", "")
            concerns(caches.remove(param, namespace, metadata["name"], metadata["uid"]))
        else:
            concerns(caches.note(param, raw))

    kopf.on.login(registry=registry)(login)
    for resource in WATCHED:
        kopf.on.event(
            group=resource.group,
            version=resource.version,
            plural=resource.plural,
            registry=registry,
            param=resource,
        )(note)
    return registry


def make_settings() -> kopf.OperatorSettings:
    """kopf with everything off that we do not use."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.worker_limit = EVENTS_AT_ONCE
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.watching.chunk_size = CHUNK_SIZE
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + 30
    settings.watching.connect_timeout = 10.0
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.networking.error_backoffs = _Backoffs()
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.persistence.progress_storage = _NoProgress()
    for resource in WATCHED:
        if resource.label_selector:
            selected = (resource.group, resource.version, resource.plural)
            settings.watching.label_selectors[selected] = resource.label_selector
    return settings
