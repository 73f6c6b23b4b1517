"""Which pod is speaking? The API server knows the token's pod, the caches know its work."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable

from sealyard.api.filing import FilingReport
from sealyard.api.mounts import PROGRESS_AUDIENCE
from sealyard.api.progress import ProgressReport
from sealyard.controller.caches import Caches
from sealyard.controller.kubernetes_api import Document, KubernetesApi
from sealyard.controller.resources import ROUTES, RUNS, Key

POD_UID_EXTRA = "authentication.kubernetes.io/pod-uid"
KNOWN_SECONDS = 60.0
REFUSED_SECONDS = 10.0
REMEMBERED_TOKENS = 4096
REVIEWS_AT_ONCE = 8
WAITING_REVIEWS = 64
"""Tokens that may wait for a review; who comes later is told so at once, and reports again."""
MAX_TOKEN_LENGTH = 16_384
_JWT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
FINISHED_PHASES = frozenset({"Succeeded", "Failed"})
NOT_THE_TRAINER = "this pod does not run the newest attempt of that run"
NOT_THE_ROUTER = "this pod is not the router of that route"


class TokenReviewer:
    """Asks the API server whose token this is, and remembers the answer for a short while.

    Args:
        api: the API server.
        clock: monotonic seconds.
    """

    def __init__(self, api: KubernetesApi, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, str | None]] = OrderedDict()
        self._slots = asyncio.Semaphore(REVIEWS_AT_ONCE)
        self._waiting = 0

    async def pod_uid(self, token: str) -> str | None:
        """The uid of the pod that the token was made for; None where it is good for nothing here.

        Whoever reaches the endpoint may send tokens, so what has not the shape of a service
        account's (a JWT) costs no request, and no more than `WAITING_REVIEWS` wait for one.

        Raises:
            ApiError: the API server could not be asked.
            BusyError: too many tokens wait already.
        """
        if len(token) > MAX_TOKEN_LENGTH or not _JWT.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known[0]:
            return known[1]
        status = await self._review(token)
        uid: str | None = None
        if status.get("authenticated") and PROGRESS_AUDIENCE in (status.get("audiences") or ()):
            extra = (status.get("user") or {}).get("extra") or {}
            uid = next(iter(extra.get(POD_UID_EXTRA) or ()), None)
        self._remember(digest, uid)
        return uid

    async def _review(self, token: str) -> Document:
        if self._waiting >= WAITING_REVIEWS:
            raise BusyError
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._api.review_token(token, PROGRESS_AUDIENCE)
        finally:
            self._slots.release()

    def _remember(self, digest: bytes, uid: str | None) -> None:
        lifetime = KNOWN_SECONDS if uid else REFUSED_SECONDS
        self._known[digest] = (self._clock() + lifetime, uid)
        self._known.move_to_end(digest)
        while len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)


class BusyError(Exception):
    """So many tokens wait for their review that this one is not taken in."""


class NotThePodError(Exception):
    """The pod does not work for the object that it speaks of, or not any more."""


class FinishedError(Exception):
    """The run is over: its last figures are the controller's to write."""


def check_trainer(caches: Caches, report: ProgressReport, pod_uid: str) -> Key:
    """The key of the run, if this pod may speak for it.

    Raises:
        NotThePodError: it may not.
        FinishedError: nobody may any more.
    """
    key = Key(RUNS.kind, report.run.namespace, report.run.name)
    record = caches.object(key)
    pod = caches.pod(pod_uid)
    if record is None or record.uid != report.run.uid or pod is None:
        raise NotThePodError(NOT_THE_TRAINER)
    status = record.parse()["status"]
    if pod.namespace != key.namespace or pod.work_uid != (status.get("jobRef") or {}).get("uid"):
        raise NotThePodError(NOT_THE_TRAINER)
    if status.get("phase") in FINISHED_PHASES:
        raise FinishedError("the run is over")
    return key


def check_router(caches: Caches, report: FilingReport, pod_uid: str) -> Key:
    """The key of the route, if this pod may speak for it: the newest of its Deployment.

    Raises:
        NotThePodError: it may not.
    """
    key = Key(ROUTES.kind, report.route.namespace, report.route.name)
    record, pod = caches.object(key), caches.pod(pod_uid)
    if record is None or record.uid != report.route.uid or pod is None or pod.owner != key:
        raise NotThePodError(NOT_THE_ROUTER)
    deployment = caches.deployment(pod.namespace, pod.deployment) if pod.deployment else None
    is_ours = deployment is not None and deployment.owner_uid == record.uid == pod.work_uid
    if not is_ours or caches.newest_pod(record.uid) != pod:
        raise NotThePodError(NOT_THE_ROUTER)
    return key
