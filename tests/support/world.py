"""A tiny cluster in memory: it applies plans to fake Jobs whose ends are scripted.

It keeps what the API server would keep (statuses, Jobs by name) and nothing else, so an operator
that forgets everything between two passes sees exactly what is here. It refuses what must never
happen: two live Jobs for one piece of work, a Job changed, a name reused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sealyard.api.secrets import Role
from sealyard.core import model_release, training_run
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Event, Plan
from sealyard.core.settings import Settings
from support.builders import (
    CLAIMS,
    NOW,
    SETTINGS,
    JobBuilder,
    ReleaseBuilder,
    RunBuilder,
    a_model_release,
    a_release_target,
    a_training_run,
    task_of,
)
from support.specs import DIGEST, TRAIN_RESULT

End = Callable[[JobBuilder, datetime], ObservedJob]
"""Ends a Job that runs, at a given time."""


def exits(code: int) -> End:
    """The pod ends with a code."""
    return lambda job, now: job.failed(code, f"exit {code}", at=now)


def succeeds(job: JobBuilder, now: datetime) -> ObservedJob:
    """The pod ends with 0 and an answer."""
    return job.complete(result_of(job.job), at=now)


def succeeds_silently(job: JobBuilder, now: datetime) -> ObservedJob:
    """The pod ends with 0; its answer is lost."""
    return job.complete(None, at=now)


def loses_its_pod(job: JobBuilder, now: datetime) -> ObservedJob:
    """The pod was deleted, and with it what it said."""
    return replace(job.failed_without_pod(), finished_at=now - timedelta(seconds=60))


def result_of(job: ObservedJob) -> dict[str, Any]:
    """What the real program would answer."""
    variants = [{"name": "onnx-fp32", "smallBytes": 320, "bigBytes": 500, "objectId": DIGEST}]
    results: dict[Role, dict[str, Any]] = {
        Role.TRAIN: TRAIN_RESULT,
        Role.EXPORT: {
            "variant": job.variant,
            "path": f"runs/{job.variant}.onnx",
            "sha256": DIGEST,
            "sizeBytes": 400,
            "maxDifference": 0.0,
        },
        Role.PUBLISH: {"manifestSha256": DIGEST, "variants": variants},
        Role.VERIFY: {"manifestSha256": DIGEST, "variants": ["onnx-fp32"]},
        Role.TIDY: {"files": 1, "bytes": 400},
    }
    return results[job.role]


@dataclass
class World:
    """One run and one release of it, with what becomes of their Jobs."""

    script: dict[Role, list[End]] = field(default_factory=dict)
    """How the attempts of each role end, in order; those beyond the script succeed."""
    settings: Settings = SETTINGS
    run: RunBuilder = field(default_factory=a_training_run)
    release: ReleaseBuilder = field(default_factory=a_model_release)
    now: datetime = NOW
    jobs: dict[str, ObservedJob] = field(default_factory=dict)
    created: list[ObservedJob] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    writes: int = 0
    delay: float | None = None

    def __post_init__(self) -> None:
        self._scripts = {role: list(ends) for role, ends in self.script.items()}
        self.tasks: dict[Role, list[dict[str, Any]]] = defaultdict(list)

    def plans(self) -> tuple[Plan, Plan]:
        """What the operator would do now."""
        return (
            training_run.reconcile(
                self.run.observed(*self._jobs_of("run-uid")), self.settings, self.now
            ),
            model_release.reconcile(
                self.release.observed(
                    *self._jobs_of("release-uid"),
                    run=self.run,
                    target=a_release_target(),
                    claims=CLAIMS,
                ),
                self.settings,
                self.now,
            ),
        )

    def operate(self, *, lose_the_patch: bool = False) -> None:
        """One pass over each object; the operator may die between the Jobs and the patch."""
        run_plan, _ = self.plans()
        self.run = self._carry_out(self.run, run_plan, lose_the_patch)
        _, release_plan = self.plans()
        self.release = self._carry_out(self.release, release_plan, lose_the_patch)
        delays = [plan.requeue_after for plan in (run_plan, release_plan)]
        self.delay = min((delay for delay in delays if delay is not None), default=None)

    def let_jobs_start(self) -> None:
        """Pods of new Jobs run."""
        for name, job in self.jobs.items():
            if job.state == "Active" and job.pod is None:
                self.jobs[name] = JobBuilder(job).running()

    def let_jobs_end(self) -> None:
        """Pods that run end as the script says."""
        self.now += timedelta(seconds=5)
        for name, job in self.jobs.items():
            if job.state == "Active" and job.pod is not None:
                ends = self._scripts.get(job.role)
                end = ends.pop(0) if ends else succeeds
                self.jobs[name] = end(JobBuilder(replace(job, pod=None)), self.now)

    def remove_jobs(self, chosen: Callable[[ObservedJob], bool] = lambda _: True) -> None:
        """Jobs vanish: TTL, or a hand."""
        self.jobs = {name: job for name, job in self.jobs.items() if not chosen(job)}

    def wait(self) -> None:
        """Time passes until the operator wants to look again."""
        self.now += timedelta(seconds=max(self.delay or 0.0, 1.0))

    def live(self) -> list[ObservedJob]:
        return [job for job in self.jobs.values() if job.state == "Active"]

    def count(self, role: Role) -> int:
        """How many Jobs of a role were ever created."""
        return sum(job.role == role for job in self.created)

    @property
    def phases(self) -> tuple[str | None, str | None]:
        return self.run.build().status.phase, self.release.build().status.phase

    @property
    def is_over(self) -> bool:
        over = {"Succeeded", "Failed", "Released"}
        return self.phases[1] in {"Released", "Failed"} or (
            self.phases[0] == "Failed" and self.phases[1] not in over and not self.live()
        )

    def live_out(self, disturb: Iterable[Callable[[World], None]] = (), passes: int = 300) -> None:
        """Everything goes its way; each disturbance happens once, one after each pass.

        Raises:
            AssertionError: it does not come to an end.
        """
        pending = list(disturb)
        steps = (World.let_jobs_start, World.operate, World.let_jobs_end, World.operate)
        for number in range(passes):
            self.operate()
            if pending:
                pending.pop(0)(self)
            elif self.is_over and not self.live() and self._is_calm():
                return
            steps[number % 4](self)
            if not self.live():
                self.wait()
        raise AssertionError(f"still {self.phases} after {passes} passes")

    def _is_calm(self) -> bool:
        """Nothing is to be done now, nor in the hour to come."""
        is_near = self.delay is not None and self.delay < 3600
        return not is_near and not any(plan.create or plan.delete for plan in self.plans())

    def _jobs_of(self, owner_uid: str) -> list[ObservedJob]:
        return [job for job in self.jobs.values() if job.owner_uid == owner_uid]

    def _carry_out(self, owner: Any, plan: Plan, lose_the_patch: bool) -> Any:
        for key in plan.delete:
            if key.name in self.jobs and self.jobs[key.name].uid == key.uid:
                del self.jobs[key.name]
        for manifest in plan.create:
            self._create(manifest)
        if lose_the_patch:
            return owner
        after = owner.after(plan)
        if after.document != owner.document:
            self.writes += 1
        self.events.extend(plan.events)
        return after

    def _create(self, manifest: dict[str, Any]) -> None:
        name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
        if name in self.jobs:
            return
        job = ObservedJob(
            namespace="coins",
            name=name,
            uid=f"{name}-{len(self.created)}",
            owner_uid=labels["sealyard.io/owner-uid"],
            role=Role(labels["sealyard.io/role"]),
            variant=labels.get("sealyard.io/variant", ""),
            attempt=int(labels["sealyard.io/attempt"]),
            created_at=self.now,
            state="Active",
        )
        twins = [j for j in self.live() if (j.role, j.variant) == (job.role, job.variant)]
        assert not twins, f"{job.name} would run beside {twins[0].name}"
        self.tasks[job.role].append(task_of(manifest))
        self.jobs[name] = job
        self.created.append(job)
