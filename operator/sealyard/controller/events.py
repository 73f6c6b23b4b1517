"""Posts the events of a plan on their object, each once."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sealyard.controller.kubernetes_api import ApiError, Document, KubernetesApi
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import CUSTOM_RESOURCES, EVENTS
from sealyard.core.plan import Event

REPORTING_CONTROLLER = "sealyard.io/operator"
REMEMBERED = 4096
NOTE_LIMIT = 1024
"""Bytes, not characters: the API server refuses an event with a longer note."""

logger = logging.getLogger(__name__)


class EventPoster:
    """Posts events, and forgets none of the last few thousand, so that a retry does not repeat one.

    Args:
        api: the API server.
        instance: which replica says so: the name of its pod.
        clock: the time that stands in the events.
    """

    def __init__(
        self, api: KubernetesApi, instance: str, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._api = api
        self._instance = instance
        self._clock = clock or (lambda: datetime.now(UTC))
        self._posted: dict[tuple[str, str, str], None] = {}

    async def post(self, record: ObjectRecord, events: Iterable[Event]) -> None:
        """Post what is new. An event that cannot be posted is logged: no work depends on it."""
        for event in events:
            identity = (record.uid, event.reason.value, event.message)
            if identity in self._posted:
                continue
            self._remember(identity)
            try:
                await self._api.create_event(record.key.namespace, self._document(record, event))
            except ApiError as error:
                # Nobody can read it in a namespace that is being deleted.
                logger.warning(
                    "the event %s (%s) was not posted: %s",
                    event.reason.value,
                    event.message,
                    error,
                    extra={"key": str(record.key)},
                )

    def _remember(self, identity: tuple[str, str, str]) -> None:
        self._posted[identity] = None
        if len(self._posted) > REMEMBERED:
            del self._posted[next(iter(self._posted))]

    def _document(self, record: ObjectRecord, event: Event) -> Document:
        resource = CUSTOM_RESOURCES[record.key.kind]
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{record.key.name[:200]}.{uuid.uuid4().hex[:16]}",
                "namespace": record.key.namespace,
            },
            "eventTime": self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": REPORTING_CONTROLLER,
            "reportingInstance": self._instance[:128],
            "type": event.type,
            "reason": event.reason.value,
            "action": "Reconcile",
            "note": event.message.encode()[:NOTE_LIMIT].decode(errors="ignore"),
            "regarding": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "namespace": record.key.namespace,
                "name": record.key.name,
                "uid": record.uid,
            },
        }


def instance_name() -> str:
    """The name of the pod that this runs in (its host name)."""
    return os.uname().nodename
