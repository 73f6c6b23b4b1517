"""What the operator knows of the cluster, and which custom resources each thing concerns.

Watch events, listings and the operator's own writes all come in by `note` and `remove`. A write of
ours is noted at once, so an older event that is still on its way must not undo it: of one uid the
highest resourceVersion wins (they are comparable integers: KEP-5504), and a uid that was removed
never comes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from sealyard.controller.claim_uses import ClaimUses
from sealyard.controller.followers import Followers
from sealyard.controller.links import CLAIM_LINK, Link
from sealyard.controller.pod_records import (
    DeploymentRecord,
    PodRecord,
    deployment_record,
    pod_record,
)
from sealyard.controller.records import (
    ClaimRecord,
    JobRecord,
    ObjectRecord,
    claim_record,
    claim_use,
    job_record,
    job_set_record,
    object_record,
)
from sealyard.controller.resources import (
    CHANNELS,
    CLAIMS,
    CUSTOM_RESOURCES,
    DEPLOYMENTS,
    DEVICES,
    JOB_SETS,
    JOBS,
    PODS,
    PROFILES,
    Key,
    Resource,
)
from sealyard.controller.store import Name, Store
from sealyard.core.observed import ClaimUse
from sealyard.core.roster import TargetEntry
from sealyard.core.workspace_claims import is_for_many

JobName = tuple[str, Name]
"""Of which kind, and its name."""


class Caches:
    """Everything that decisions depend on. Synchronous: used from one event loop only."""

    def __init__(self) -> None:
        self.followers = Followers()
        self._objects: dict[str, Store[ObjectRecord]] = {
            kind: Store() for kind in (*CUSTOM_RESOURCES, PROFILES.kind)
        }
        self.job_sets_in: frozenset[str | None] = frozenset()
        """The namespaces in which JobSets can be had; None is all of them."""
        self._jobs: dict[str, Store[JobRecord]] = {JOBS.kind: Store(), JOB_SETS.kind: Store()}
        self._deployments: Store[DeploymentRecord] = Store()
        self._pods: Store[PodRecord] = Store()
        self._claims: Store[ClaimRecord] = Store()
        self._uses = ClaimUses()
        self._expected: defaultdict[str, set[str]] = defaultdict(set)
        """The keys of the uses by the Jobs that each object is about to create."""
        self._dependents: defaultdict[Link, set[Key]] = defaultdict(set)
        self._jobs_by_owner: defaultdict[str, set[JobName]] = defaultdict(set)
        self._job_by_uid: dict[str, JobName] = {}
        self._pods_by_work: defaultdict[str, set[Name]] = defaultdict(set)
        self._pod_by_uid: dict[str, Name] = {}

    # What comes in; each answers with the custom resources that should be looked at.

    def note(self, resource: Resource, raw: Mapping[str, Any]) -> set[Key]:
        """Take in an object as it was listed, watched or answered to a write."""
        if resource in {JOBS, JOB_SETS}:
            return self._note_job(resource, raw)
        if resource is PODS:
            return self._note_pod(raw)
        if resource is DEPLOYMENTS:
            deployment = deployment_record(raw)
            is_news = deployment and self._deployments.accept(deployment.identity, deployment)
            return {deployment.owner} if deployment and is_news else set()
        if resource is CLAIMS:
            claim = claim_record(raw)
            name = (claim.namespace, claim.claim.name)
            return self._claim_concerns(name) if self._claims.accept(name, claim) else set()
        return self._note_object(object_record(resource.kind, raw))

    def remove(self, resource: Resource, namespace: str, name: str, uid: str) -> set[Key]:
        """Forget an object that is gone from the API server."""
        identity = (namespace, name)
        if resource in {JOBS, JOB_SETS}:
            return self._remove_job(resource, identity, uid)
        if resource is PODS:
            return self._remove_pod(identity, uid)
        if resource is DEPLOYMENTS:
            deployment = self._deployments.discard(identity, uid)
            return {deployment.owner} if deployment else set()
        if resource is CLAIMS:
            gone = self._claims.discard(identity, uid)
            return self._claim_concerns(identity) if gone else set()
        return self._remove_object(resource.kind, identity, uid)

    def expect(self, record: ObjectRecord, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Jobs are about to be created: from now on nobody else may think a claim of them free."""
        for manifest in manifests:
            use = claim_use(manifest, record.uid)
            if use is not None:
                key = f"{record.uid}/{use.name}"
                self._uses.put(key, record.key.namespace, use)
                self._expected[record.uid].add(key)

    def settle(self, record: ObjectRecord) -> set[Key]:
        """What was expected of an object is there or failed. Gives whom else it kept."""
        freed = [self._uses.drop(key) for key in self._expected.pop(record.uid, ())]
        kept = self._freed_concerns(
            claim
            for claim in chain.from_iterable(freed)
            if not self._uses.are_of(record.uid, claim)
        )
        return kept - {record.key}

    def keep_only(
        self, resource: Resource, namespace: str | None, uids: set[str], version: int
    ) -> set[Key]:
        """Forget what a complete listing as of `version` does not hold (all namespaces if None)."""
        concerns: set[Key] = set()
        for (where, name), record in self._store(resource).items():
            listed = record.uid in uids or namespace not in {None, where}
            if not listed and record.version <= version:
                concerns |= self.remove(resource, where, name, record.uid)
        return concerns

    # What is known.

    def object(self, key: Key) -> ObjectRecord | None:
        """A custom resource."""
        return self._objects[key.kind].get(key.namespace, key.name)

    def has_job_sets(self, namespace: str) -> bool:
        """JobSet is installed in the cluster, and may be used in this namespace."""
        return not self.job_sets_in.isdisjoint({None, namespace})

    def keys(self) -> list[Key]:
        """All custom resources that are worked on."""
        return [
            record.key for kind in CUSTOM_RESOURCES for _, record in self._objects[kind].items()
        ]

    def dependents(self, link: Link) -> list[Key]:
        """The custom resources that depend on something, in a stable order."""
        return sorted(self._dependents.get(link, ()))

    def jobs_of(self, owner_uid: str) -> list[JobRecord]:
        """The Jobs and JobSets that an object controls, the oldest first."""
        found = [self._job(name) for name in self._jobs_by_owner.get(owner_uid, ())]
        return sorted(
            (record for record in found if record is not None),
            key=lambda record: (record.job.created_at, record.job.attempt, record.job.name),
        )

    def deployment(self, namespace: str, name: str) -> DeploymentRecord | None:
        """A Deployment that a custom resource of ours controls."""
        return self._deployments.get(namespace, name)

    def newest_pod(self, work_uid: str) -> PodRecord | None:
        """The newest pod of a Job, or of the Deployment of an object."""
        found = [self._pods.get(*name) for name in self._pods_by_work.get(work_uid, ())]
        return max(
            (record for record in found if record is not None),
            key=lambda record: (record.created_at, record.version),
            default=None,
        )

    def pods_of(self, job_uid: str) -> list[PodRecord]:
        """The newest pod of each index of a JobSet."""
        newest: dict[int, PodRecord] = {}
        found = (self._pods.get(*name) for name in self._pods_by_work.get(job_uid, ()))
        for record in sorted(
            (record for record in found if record is not None),
            key=lambda record: (record.created_at, record.version),
        ):
            newest[record.pod.index] = record
        return list(newest.values())

    def pod(self, uid: str) -> PodRecord | None:
        """A pod by its uid."""
        name = self._pod_by_uid.get(uid)
        return self._pods.get(*name) if name else None

    def claim(self, namespace: str, name: str) -> ClaimRecord | None:
        """A PersistentVolumeClaim."""
        return self._claims.get(namespace, name)

    def uses_of(self, record: ObjectRecord, claims: Iterable[str]) -> tuple[ClaimUse, ...]:
        """The Jobs of other objects that have one of some claims of its namespace."""
        named = ((record.key.namespace, claim) for claim in claims)
        return self._uses.of_others(record.uid, named)

    def __len__(self) -> int:
        custom = sum(len(store) for store in self._objects.values())
        jobs = sum(len(store) for store in self._jobs.values())
        return custom + jobs + len(self._deployments) + len(self._pods) + len(self._claims)

    # How it hangs together.

    def _store(self, resource: Resource) -> Store[Any]:
        if resource.kind in self._objects:
            return self._objects[resource.kind]
        others: dict[str, Store[Any]] = {
            **self._jobs,
            DEPLOYMENTS.kind: self._deployments,
            PODS.kind: self._pods,
            CLAIMS.kind: self._claims,
        }
        return others[resource.kind]

    def _note_object(self, record: ObjectRecord) -> set[Key]:
        store = self._objects[record.key.kind]
        name = (record.key.namespace, record.key.name)
        known = store.get(*name)
        if not store.accept(name, record):
            return set()
        concerns = self._object_concerns(known) if known is not None else set()
        for link in known.links if known is not None else ():
            _unlink(self._dependents, link, record.key)
        for link in record.links:
            self._dependents[link].add(record.key)
        concerns |= self._object_concerns(record) | self._follow(known, record)
        return concerns - self._unmoved(known, record, concerns)

    def _follow(self, known: ObjectRecord | None, record: ObjectRecord) -> set[Key]:
        """The targets whose rosters change."""
        changed = set()
        if known and known.target and known.target != record.target:
            self.followers.put(known.target, record.key, None)
            changed.add(known.target)
        entry, target = record.entry, record.target
        if (
            target
            and not isinstance(entry, TargetEntry)
            and self.followers.put(target, record.key, entry)
        ):
            changed.add(target)
        return changed

    @staticmethod
    def _unmoved(known: ObjectRecord | None, record: ObjectRecord, concerned: set[Key]) -> set[Key]:
        """Those of a fleet that follow a target and look at nothing that has changed in it."""
        before, after = known.entry if known else None, record.entry
        if not (isinstance(before, TargetEntry) and isinstance(after, TargetEntry)):
            return set()
        looks_at = {
            DEVICES.kind: before.grants_digest == after.grants_digest
            and after.granted_by in {before.granted_by, None},
            CHANNELS.kind: before == after,
        }
        return {key for key in concerned if looks_at.get(key.kind)}

    def _job(self, name: JobName) -> JobRecord | None:
        kind, identity = name
        return self._jobs[kind].get(*identity)

    def _note_job(self, resource: Resource, raw: Mapping[str, Any]) -> set[Key]:
        record = job_record(raw) if resource is JOBS else job_set_record(raw)
        if record is None:
            return set()
        identity = (record.job.namespace, record.job.name)
        store, name = self._jobs[resource.kind], (resource.kind, identity)
        known = store.get(*identity)
        if not store.accept(identity, record):
            return set()
        if known is not None and known.uid != record.uid:
            _unlink(self._jobs_by_owner, known.job.owner_uid, name)
            self._job_by_uid.pop(known.uid, None)
        self._jobs_by_owner[record.job.owner_uid].add(name)
        self._job_by_uid[record.uid] = name
        concerns = {record.owner} if known is None else {record.owner, known.owner}
        freed = self._uses.drop(known.uid) if known is not None else ()
        if record.use is None:
            return concerns | self._freed_concerns(freed)
        self._uses.put(record.uid, record.job.namespace, record.use)
        return concerns

    def _note_pod(self, raw: Mapping[str, Any]) -> set[Key]:
        record = pod_record(raw)
        if record is None:
            return set()
        name = (record.namespace, record.pod.name)
        known = self._pods.get(*name)
        if not self._pods.accept(name, record):
            return set()
        if known is not None and known.uid != record.uid:
            _unlink(self._pods_by_work, known.work_uid, name)
            self._pod_by_uid.pop(known.uid, None)
        self._pods_by_work[record.work_uid].add(name)
        self._pod_by_uid[record.uid] = name
        return self._pod_concerns(record)

    def _remove_object(self, kind: str, name: Name, uid: str) -> set[Key]:
        record = self._objects[kind].discard(name, uid)
        if record is None:
            return set()
        concerns = self._object_concerns(record)
        for link in record.links:
            _unlink(self._dependents, link, record.key)
        if record.target and self.followers.put(record.target, record.key, None):
            concerns.add(record.target)
        return concerns

    def _remove_job(self, resource: Resource, identity: Name, uid: str) -> set[Key]:
        record = self._jobs[resource.kind].discard(identity, uid)
        if record is None:
            return set()
        _unlink(self._jobs_by_owner, record.job.owner_uid, (resource.kind, identity))
        self._job_by_uid.pop(uid, None)
        return {record.owner} | self._freed_concerns(self._uses.drop(uid))

    def _remove_pod(self, name: Name, uid: str) -> set[Key]:
        record = self._pods.discard(name, uid)
        if record is None:
            return set()
        _unlink(self._pods_by_work, record.work_uid, name)
        self._pod_by_uid.pop(uid, None)
        return self._pod_concerns(record)

    def _pod_concerns(self, pod: PodRecord) -> set[Key]:
        if pod.owner is not None:
            return {pod.owner}
        name = self._job_by_uid.get(pod.work_uid)
        job = self._job(name) if name else None
        return {job.owner} if job is not None else set()

    def _claim_concerns(self, name: Name) -> set[Key]:
        runs = self._dependents.get(Link(CLAIM_LINK, *name), set())
        return runs.union(*(self._dependents.get(Link(*run), ()) for run in runs))

    def _freed_concerns(self, names: Iterable[Name]) -> set[Key]:
        """Who may have waited for some claims; for one that many nodes can mount nobody does."""
        concerns: set[Key] = set()
        for name in names:
            known = self._claims.get(*name)
            if known is not None and not is_for_many(known.claim):
                concerns |= self._claim_concerns(name)
        return concerns

    def _object_concerns(self, record: ObjectRecord) -> set[Key]:
        """The object itself, what refers to it, its namesakes, and what it names."""
        itself = {record.key} if record.key.kind in CUSTOM_RESOURCES else set()
        concerns = itself | self._dependents.get(Link(*record.key), set())
        return concerns.union(*(self._dependents.get(link, ()) for link in record.touches))


def _unlink(index: defaultdict[Any, set[Any]], key: Any, value: Any) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(value)
        if not members:
            del index[key]
