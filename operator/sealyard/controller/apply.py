"""Carries out a plan: children first, then one status patch, then events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from sealyard.api.conditions import Reason
from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.kubernetes_api import ApiError, Document, KubernetesApi
from sealyard.controller.records import ObjectRecord, controller_of
from sealyard.controller.resources import (
    CUSTOM_RESOURCES,
    DEPLOYMENTS,
    JOB_SETS,
    JOBS,
    Key,
    Resource,
)
from sealyard.core.jobs import input_config_map
from sealyard.core.plan import Event, JobKey, Plan
from sealyard.core.status import Status, difference

REMEMBERED_JOBS = 1000
FOREIGN_SECONDS = 60.0
"""How long a name counts as taken before it is tried again."""

CONFLICT = 409
NOT_FOUND = 404
REFUSED = frozenset({403, 422})

logger = logging.getLogger(__name__)


class ConflictError(Exception):
    """The object changed since it was looked at: look again."""


class NameTakenError(Exception):
    """What the plan wants has the name of somebody else's: decide anew, knowing that."""


class Foreign:
    """Names of Jobs and Deployments that an object would use and somebody else owns.

    Foreign ones may carry no label of ours and so are not watched; a name is forgotten after a
    while, and the next attempt to create it finds out anew.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._names: dict[Key, dict[str, float]] = {}

    def record(self, key: Key, name: str) -> None:
        """The name is taken."""
        self._names.setdefault(key, {})[name] = self._clock() + FOREIGN_SECONDS

    def of(self, key: Key) -> tuple[str, ...]:
        """The names that are taken, sorted."""
        names = self._names.get(key)
        if names is None:
            return ()
        now = self._clock()
        for name in [name for name, until in names.items() if until <= now]:
            del names[name]
        if not names:
            del self._names[key]
        return tuple(sorted(names))

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._names.pop(key, None)


class _Recent:
    """The uids of the last Jobs of some kind."""

    def __init__(self) -> None:
        self._uids: dict[str, None] = {}

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def add(self, uid: str) -> None:
        self._uids[uid] = None
        if len(self._uids) > REMEMBERED_JOBS:
            del self._uids[next(iter(self._uids))]


class Applier:
    """Writes what plans say. Every write goes into the caches at once.

    Args:
        api: the API server.
        caches: where the answers to the writes go.
        foreign: where names go that are taken.
        poster: posts the events.
        concerns: told which custom resources a write concerns.
    """

    def __init__(
        self,
        api: KubernetesApi,
        caches: Caches,
        foreign: Foreign,
        poster: EventPoster,
        concerns: Callable[[set[Key]], None],
    ) -> None:
        self._api = api
        self._caches = caches
        self._foreign = foreign
        self._supplied = _Recent()
        self._poster = poster
        self._concerns = concerns

    async def children(self, record: ObjectRecord, plan: Plan) -> bool:
        """Delete and create Jobs, with their input, and apply Deployments.

        True if it is known now what was not before.

        Raises:
            NameTakenError: something of somebody else is in the way; the plan's status would be a
                lie.
            ConflictError: a Deployment is not the one that was looked at any more.
            ApiError: something could not be created, applied or deleted. What the user can mend (a
                quota, a policy) is also told as an event.
        """
        for job in plan.delete:
            await self._delete(job)
        for manifest in plan.create:
            await self._create(record, manifest)
        for name, texts in plan.inputs.items():
            await self._supply(record, name, texts)
        for manifest in plan.apply:
            await self._apply(record, manifest)
        return bool(plan.delete or plan.create or plan.inputs or plan.apply)

    def supplied(self, uids: Iterable[str]) -> frozenset[str]:
        """Those of these Jobs whose input is known to lie in the cluster: created by us."""
        return frozenset(uid for uid in uids if uid in self._supplied)

    async def hold(self, record: ObjectRecord, *, wanted: bool) -> None:
        """Put our finalizer on an object, or take it off.

        Raises:
            ConflictError: the object has changed since it was looked at; nothing was written.
            ApiError: the API server refused.
        """
        resource, metadata = CUSTOM_RESOURCES[record.key.kind], record.parse()["metadata"]
        others = [one for one in metadata.get("finalizers", ()) if one != WITHDRAW_FINALIZER]
        body = {
            "resourceVersion": metadata["resourceVersion"],
            "finalizers": [*others, *([WITHDRAW_FINALIZER] if wanted else [])],
        }
        try:
            raw = await self._api.patch_metadata(
                resource, record.key.namespace, record.key.name, body
            )
        except ApiError as error:
            if error.status == CONFLICT:
                raise ConflictError(str(error)) from error
            if error.status == NOT_FOUND:
                return
            raise
        self._concerns(self._caches.note(resource, raw) - {record.key})

    async def status(self, record: ObjectRecord, wanted: Status) -> bool:
        """Make the status the wanted one, if it is not. True if it was patched.

        Raises:
            ConflictError: the object has changed since it was looked at; nothing was written.
            ApiError: the API server refused.
        """
        document = record.parse()
        patch = difference(document["status"], wanted)
        if not patch:
            return False
        resource = CUSTOM_RESOURCES[record.key.kind]
        body = {
            "metadata": {"resourceVersion": document["metadata"]["resourceVersion"]},
            "status": patch,
        }
        try:
            raw = await self._api.patch_status(
                resource, record.key.namespace, record.key.name, body
            )
        except ApiError as error:
            if error.status == CONFLICT:
                raise ConflictError(str(error)) from error
            if error.status == NOT_FOUND:
                return False
            raise
        self._concerns(self._caches.note(resource, raw) - {record.key})
        return True

    async def events(self, record: ObjectRecord, events: tuple[Event, ...]) -> None:
        """Post events, each once."""
        await self._poster.post(record, events)

    async def _delete(self, job: JobKey) -> None:
        resource = JOB_SETS if job.is_set else JOBS
        try:
            answer = await self._api.delete_job(
                resource, job.namespace, job.name, job.uid, after_its_pods=job.after_its_pods
            )
        except ApiError as error:
            # 409: another Job of the same name has taken its place.
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
            answer = {}
        if answer.get("kind") == resource.kind:
            self._caches.note(resource, answer)
        else:
            self._caches.remove(resource, job.namespace, job.name, job.uid)

    async def _supply(self, record: ObjectRecord, name: str, texts: tuple[str, ...]) -> None:
        """Create the ConfigMaps of a Job that is there.

        One that exists is ours, from before we were killed; if it is somebody else's, the program
        finds that its digest is not the one in its task.
        """
        jobs = (found.job for found in self._caches.jobs_of(record.uid))
        job = next((job for job in jobs if job.name == name), None)
        if job is None:
            return
        reference = {"metadata": {"namespace": job.namespace, "name": name, "uid": job.uid}}
        for part, text in enumerate(texts):
            try:
                await self._api.create_config_map(input_config_map(reference, part, text))
            except ApiError as error:
                await self._tell(record, error, f"the input of Job {name} cannot be created")
                if error.status != CONFLICT:
                    raise
        self._supplied.add(job.uid)

    async def _create(self, record: ObjectRecord, manifest: Document) -> None:
        namespace = manifest["metadata"]["namespace"]
        name = manifest["metadata"]["name"]
        resource = JOB_SETS if manifest["kind"] == JOB_SETS.kind else JOBS
        try:
            raw = await self._api.create_job(resource, manifest)
        except ApiError as error:
            await self._tell(record, error, f"{resource.kind} {name} cannot be created")
            if error.status != CONFLICT:
                raise
            raw = await self._api.read(resource, namespace, name)
            self._check_owner(record, resource, raw)
        self._caches.note(resource, raw)

    async def _apply(self, record: ObjectRecord, manifest: Document) -> None:
        """Apply to the Deployment that is known, or to none: never to somebody else's."""
        metadata = manifest["metadata"]
        uid = await self._uid_of(record, metadata["namespace"], metadata["name"])
        if uid is not None:
            manifest = {**manifest, "metadata": {**metadata, "uid": uid}}
        try:
            raw = await self._api.apply(DEPLOYMENTS, manifest)
        except ApiError as error:
            if error.status == CONFLICT:
                raise ConflictError(str(error)) from error
            await self._tell(record, error, f"Deployment {metadata['name']} cannot be applied")
            raise
        self._caches.note(DEPLOYMENTS, raw)

    async def _uid_of(self, record: ObjectRecord, namespace: str, name: str) -> str | None:
        known = self._caches.deployment(namespace, name)
        if known is not None and known.owner_uid == record.uid:
            return known.uid
        try:
            raw = await self._api.read(DEPLOYMENTS, namespace, name)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None
        self._check_owner(record, DEPLOYMENTS, raw)
        self._caches.note(DEPLOYMENTS, raw)
        uid: str = raw["metadata"]["uid"]
        return uid

    async def _tell(self, record: ObjectRecord, error: ApiError, what: str) -> None:
        """Post an event of what a user can mend."""
        if error.status in REFUSED:
            message = f"{what}; it is tried again: {error}"
            await self._poster.post(record, [Event("Warning", Reason.RETRYING, message)])

    def _check_owner(self, record: ObjectRecord, resource: Resource, raw: Document) -> None:
        owner = controller_of(raw["metadata"])
        if owner is not None and owner["uid"] == record.uid:
            return
        name = raw["metadata"]["name"]
        logger.warning(
            "the %s %s exists and belongs to somebody else",
            resource.kind,
            name,
            extra={"key": str(record.key)},
        )
        self._foreign.record(record.key, name)
        raise NameTakenError(name)
