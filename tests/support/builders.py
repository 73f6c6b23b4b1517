"""Objects for tests of the pure core, built as one says them.

Every builder is immutable: `with_…` gives another one, so that a table can share a beginning.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.kind import REQUESTED_AT_ANNOTATION, WITHDRAW_FINALIZER, CustomResource
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.api.tasks import ProgressEndpoint
from sealyard.api.training_run import TrainingRun
from sealyard.core.attempts import watched
from sealyard.core.observed import (
    Listing,
    ModelReleaseObserved,
    ObservedClaim,
    ObservedJob,
    ObservedPod,
    Profiles,
    ReleaseTargetObserved,
    TrainingRunObserved,
)
from sealyard.core.plan import Plan
from sealyard.core.roster import Roster
from sealyard.core.settings import Images, Settings
from support.specs import (
    DIGEST,
    PROBE_RESULT,
    RELEASE_SPEC,
    RUN_SPEC,
    TARGET_SPEC,
    TRAIN_RESULT,
    TRUST,
    merge,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SETTINGS = Settings(
    images=Images(
        "sealyard/trainer:1", "sealyard/exporter:1", "sealyard/courier:1", "sealyard/router:1"
    )
)
WITH_PROGRESS = replace(
    SETTINGS, progress=ProgressEndpoint(url="https://operator.sealyard.svc:8443", ca="PEM")
)
PINNED_IMAGE = f"registry.test/sealyard/trainer@sha256:{DIGEST}"
CLAIMS = (
    ObservedClaim("dataset", ("ReadWriteOnce",), "Bound"),
    ObservedClaim("workspace", ("ReadWriteOnce",), "Bound"),
)
NO_PROFILES = Profiles()
SHARED_CLAIMS = (
    ObservedClaim("dataset", ("ReadOnlyMany",), "Bound"),
    ObservedClaim("workspace", ("ReadWriteMany",), "Bound"),
)


def at(seconds: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def time_of(moment: datetime) -> str:
    """The wire form of a moment."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Resource:
    """What the three kinds have in common."""

    document: dict[str, Any]

    def _with(self, path: str, value: Any) -> Self:
        document = deepcopy(self.document)
        *folders, last = path.split(".")
        place = document
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
        return replace(self, document=document)

    def named(self, name: str, *, uid: str) -> Self:
        return self._with("metadata.name", name)._with("metadata.uid", uid)

    def created_at(self, moment: datetime) -> Self:
        return self._with("metadata.creationTimestamp", time_of(moment))

    def being_deleted(self) -> Self:
        return self._with("metadata.deletionTimestamp", time_of(NOW))

    def held(self) -> Self:
        """With our finalizer on it."""
        return self._with("metadata.finalizers", [WITHDRAW_FINALIZER])

    def of_generation(self, number: int) -> Self:
        return self._with("metadata.generation", number)

    def requested_at(self, moment: datetime) -> Self:
        annotations = {REQUESTED_AT_ANNOTATION: time_of(moment)}
        return self._with("metadata.annotations", annotations)

    def with_spec(self, path: str, value: Any) -> Self:
        return self._with(f"spec.{path}", value)

    def with_status(self, **fields: Any) -> Self:
        """Merges fields, given by their wire names, into the status."""
        return replace(
            self,
            document=self.document | {"status": merge(self.document.get("status", {}), fields)},
        )

    def after(self, plan: Plan) -> Self:
        """The object once a plan's status is written."""
        return self.with_status(**plan.status)


class RunBuilder(Resource):
    """A TrainingRun."""

    def build(self) -> TrainingRun:
        return TrainingRun.from_wire(self.document)

    def observed(
        self,
        *jobs: ObservedJob,
        claims: tuple[ObservedClaim, ...] = CLAIMS,
        foreign_jobs: tuple[str, ...] = (),
        profiles: Profiles = NO_PROFILES,
        source: RunBuilder | None = None,
        route: AnnotationRoute | None = None,
    ) -> TrainingRunObserved:
        found = source.build() if source else None
        return TrainingRunObserved(self.build(), jobs, claims, foreign_jobs, profiles, found, route)

    def succeeded(self) -> Self:
        return self.with_status(
            phase="Succeeded",
            image=PINNED_IMAGE,
            dataset=TRAIN_RESULT["dataset"],
            artifacts=TRAIN_RESULT["artifacts"],
            progress={
                "epoch": 16,
                "epochs": 16,
                "percent": 100,
                "metrics": TRAIN_RESULT["metrics"],
                "updatedAt": time_of(NOW),
            },
        )


class ReleaseBuilder(Resource):
    """A ModelRelease."""

    def build(self) -> ModelRelease:
        return ModelRelease.from_wire(self.document)

    def observed(
        self,
        *jobs: ObservedJob,
        run: RunBuilder | None = None,
        target: TargetBuilder | None = None,
        claims: tuple[ObservedClaim, ...] = CLAIMS,
        namesakes: tuple[ReleaseBuilder, ...] = (),
        foreign_jobs: tuple[str, ...] = (),
        listing: Listing = Listing(),  # noqa: B008 - it is frozen
        namespace_ends: bool = False,
        profiles: Profiles = NO_PROFILES,
    ) -> ModelReleaseObserved:
        return ModelReleaseObserved(
            self.build(),
            run.build() if run else None,
            target.build() if target else None,
            jobs,
            claims,
            tuple(namesake.build() for namesake in namesakes),
            foreign_jobs,
            listing,
            namespace_ends,
            profiles,
        )


class TargetBuilder(Resource):
    """A ReleaseTarget."""

    def with_trust(self, **fields: Any) -> Self:
        """As one with a signed index."""
        return self.with_spec("trust", {**TRUST, **fields})

    def build(self) -> ReleaseTarget:
        return ReleaseTarget.from_wire(self.document)

    def observed(
        self,
        *jobs: ObservedJob,
        foreign_jobs: tuple[str, ...] = (),
        roster: Roster | None = None,
        supplied: frozenset[str] = frozenset(),
    ) -> ReleaseTargetObserved:
        return ReleaseTargetObserved(self.build(), jobs, foreign_jobs, roster or Roster(), supplied)

    def probed(self, moment: datetime = NOW) -> Self:
        """As it is after a probe of it that passed: nothing more is due for an hour."""
        metadata, time = self.build().metadata, time_of(moment)
        requested_at = metadata.annotations.get(REQUESTED_AT_ANNOTATION)
        task = {
            "name": "probe",
            "started": 1,
            "done": True,
            "watched": watched(str(metadata.generation), requested_at),
            "lastEnd": {"attempt": 1, "exitCode": 0, "reason": "Done", "time": time},
        }
        others = self.document["status"].get("tasks", [])
        checks = [{**check, "lastTransitionTime": time} for check in PROBE_RESULT["checks"]]
        return self.with_status(
            tasks=[*(other for other in others if other["name"] != "probe"), task],
            probe={
                **PROBE_RESULT,
                "generation": metadata.generation,
                "completedAt": time,
                "failures": 0,
                "checks": checks,
            },
        )


def a_training_run() -> RunBuilder:
    return RunBuilder(document("coins", "run-uid", RUN_SPEC))


def a_model_release(*variants: str) -> ReleaseBuilder:
    """A release; with names, of that many variants."""
    builder = ReleaseBuilder(document("coins-1.0.0", "release-uid", RELEASE_SPEC))
    if not variants:
        return builder
    return builder.with_spec(
        "variants", [{"name": name, "format": "onnx", "precision": "fp32"} for name in variants]
    )


def a_release_target() -> TargetBuilder:
    return TargetBuilder(document("stores", "target-uid", TARGET_SPEC))


def a_job(role: Role = Role.TRAIN, *, attempt: int = 1, variant: str = "") -> JobBuilder:
    of_target = dict.fromkeys((Role.REWRAP, Role.PROBE, Role.GRANT, Role.INDEX), "target-uid")
    owner = ({Role.TRAIN: "run-uid"} | of_target).get(role, "release-uid")
    name = f"{role}-{variant}-{attempt}" if variant else f"{role}-{attempt}"
    return JobBuilder(
        ObservedJob(
            namespace="coins",
            name=name,
            uid=f"{name}-uid",
            owner_uid=owner,
            role=role,
            variant=variant,
            attempt=attempt,
            created_at=NOW - timedelta(minutes=1),
            state="Active",
        )
    )


@dataclass(frozen=True)
class JobBuilder:
    """A Job and its newest pod."""

    job: ObservedJob

    def _pod(self, **fields: Any) -> ObservedPod:
        pod = self.job.pod or ObservedPod(
            name=f"{self.job.name}-pod", uid=f"{self.job.uid}-pod", phase="Pending"
        )
        return replace(pod, **fields)

    def created_at(self, moment: datetime) -> JobBuilder:
        return JobBuilder(replace(self.job, created_at=moment))

    def queued(self, queue: str | None = "gpu") -> ObservedJob:
        """Suspended, and so without a pod."""
        return replace(self.job, suspended=True, queue=queue)

    def waiting(self, reason: str, message: str | None = None) -> ObservedJob:
        return replace(self.job, pod=self._pod(waiting_reason=reason, waiting_message=message))

    def running(self, image_id: str | None = None, **fields: Any) -> ObservedJob:
        pod = self._pod(phase="Running", node="node-1", image_id=image_id, **fields)
        return replace(self.job, pod=pod)

    def active(self) -> ObservedJob:
        return self.job

    def complete(
        self, result: dict[str, Any] | None, *, at: datetime = NOW, message: str = "done"
    ) -> ObservedJob:
        """Ended with 0; without a result there is no answer at all."""
        answer = json.dumps({"message": message, "result": result}) if result is not None else None
        pod = self._pod(phase="Succeeded", exit_code=0, termination_message=answer)
        return replace(self.job, state="Complete", finished_at=at, pod=pod)

    def failed(
        self,
        code: int | None,
        message: str | None = None,
        *,
        at: datetime = NOW,
        termination_reason: str = "Error",
        disrupted: bool = False,
    ) -> ObservedJob:
        """Ended with another code; `None` is a pod whose end nobody saw."""
        pod = self._pod(
            phase="Failed",
            node="node-1",
            exit_code=code,
            termination_reason=termination_reason,
            termination_message=json.dumps({"message": message}) if message else None,
            disrupted=disrupted,
        )
        return replace(
            self.job,
            state="Failed",
            finished_at=at,
            failure_reason="PodFailurePolicy",
            pod=pod,
        )

    def failed_without_pod(self, reason: str = "BackoffLimitExceeded") -> ObservedJob:
        return replace(
            self.job, state="Failed", finished_at=at(-60), failure_reason=reason, pod=None
        )


def condition(plan: Plan, kind: str = "Ready") -> dict[str, Any]:
    """A condition of the status that a plan wants."""
    found: dict[str, Any] = next(c for c in plan.status["conditions"] if c["type"] == kind)
    return found


def says(plan: Plan) -> tuple[str, str, str, str]:
    """Ready, Reconciling and Stalled as one letter each, the reason, its message."""
    letters = "".join(
        condition(plan, kind)["status"][0] for kind in ("Ready", "Reconciling", "Stalled")
    )
    ready = condition(plan)
    return plan.status.get("phase", ""), letters, ready["reason"], ready["message"]


def job_names(plan: Plan) -> list[str]:
    return [job["metadata"]["name"] for job in plan.create]


def task_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The task that a Job carries."""
    environment = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    value = next(entry["value"] for entry in environment if entry["name"] == "SEALYARD_TASK")
    task: dict[str, Any] = json.loads(value)
    return task


def ledger(status: dict[str, Any] | CustomResource, name: str) -> dict[str, Any]:
    """One ledger of a status in wire form."""
    tasks = status["tasks"] if isinstance(status, dict) else status.to_wire()["status"]["tasks"]
    found: dict[str, Any] = next(task for task in tasks if task["name"] == name)
    return found


def document(name: str, uid: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "coins",
        "uid": uid,
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": time_of(NOW - timedelta(hours=1)),
    }
    return {"metadata": metadata, "spec": deepcopy(spec), "status": {}}
