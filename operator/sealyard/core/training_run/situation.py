"""What the policies of a TrainingRun look at: the run, with the ends of its Jobs accounted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.answers import TrainResult
from sealyard.api.attempts import Attempts
from sealyard.api.dataset import PinnedSnapshot
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.secrets import Role
from sealyard.api.training_run import PinnedWeights, TrainingRun, TrainingRunPhase
from sealyard.core import attempts
from sealyard.core.attempts import Work, watched
from sealyard.core.checkpoint import checkpoint_of
from sealyard.core.compute import Compute, for_training
from sealyard.core.conditions import State
from sealyard.core.jobs import attempt_name
from sealyard.core.observed import (
    ClaimUse,
    ObservedClaim,
    ObservedJob,
    Profiles,
    TrainingRunObserved,
)
from sealyard.core.outcome import outcome
from sealyard.core.plan import JobKey, Plan
from sealyard.core.reopening import Request, request
from sealyard.core.settings import Settings
from sealyard.core.snapshot import snapshot_of
from sealyard.core.times import format_time, parse_time

TASK = str(Role.TRAIN)
DIGEST_REFERENCE = re.compile(r"^(?:docker-pullable://)?(\S+@sha256:[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a run, ready to be judged."""

    run: TrainingRun
    settings: Settings
    now: datetime
    work: Work[TrainResult]
    epoch: int | None
    """The furthest epoch that was reported; None where there is nobody to report to."""
    reopening: Request
    ending: ObservedJob | None
    """A Job whose end is accounted already, and whose pod is still about to end."""
    claims: tuple[ObservedClaim, ...]
    uses: tuple[ClaimUse, ...]
    """The Jobs of other objects that have one of them."""
    foreign_jobs: tuple[str, ...]
    profiles: Profiles
    source: TrainingRun | None
    """The run that it names to be fine-tuned from, if that exists."""
    route: AnnotationRoute | None
    """The AnnotationRoute that it names, if that exists."""
    job_sets: bool
    """JobSet is installed in the cluster."""
    compute: Compute | State
    """What the next attempt is given, or what keeps it from being given anything."""
    newest_job: ObservedJob | None
    """That of the newest attempt, while it lives or no status tells of it yet."""

    @classmethod
    def of(cls, observed: TrainingRunObserved, settings: Settings, now: datetime) -> Situation:
        """Accounts what the run's Jobs say."""
        run = observed.run
        status = run.status
        reopening = Request(granted=False)
        ledger = next(
            (task for task in status.tasks or [] if task.name == TASK), Attempts(name=TASK)
        )
        if status.phase == "Failed":
            reopening = request(run, parse_time(status.completion_time), now)
            if reopening.granted:
                ledger = attempts.reopen(ledger, now=now)
        epoch = None
        if settings.progress is not None:
            epoch = status.progress.epoch if status.progress else 0
        jobs = [job for job in observed.jobs if job.role == Role.TRAIN]
        work = attempts.settle(
            ledger,
            jobs,
            TrainResult.from_wire,
            now=now,
            epoch=epoch,
        )
        ending = (job for job in jobs if job.state == "Active" and job != work.job)
        untold = (job for job in jobs if job.attempt == work.ledger.started > ledger.started)
        return cls(
            run,
            settings,
            now,
            work,
            epoch,
            reopening,
            next(ending, None),
            observed.claims,
            observed.uses,
            observed.foreign_jobs,
            observed.profiles,
            observed.source,
            observed.route,
            observed.job_sets,
            for_training(run, observed.profiles, settings),
            work.job or next(untold, None),
        )

    @property
    def next_job(self) -> str:
        """The name of the Job or JobSet of the next attempt."""
        nodes = self.compute.nodes if isinstance(self.compute, Compute) else 1
        return attempt_name(self.run, nodes, self.work.next_attempt)

    @property
    def watched(self) -> str:
        """What a waiting attempt may be waiting for, as far as it can be seen."""
        metadata = self.run.metadata
        return watched(
            str(metadata.generation),
            metadata.annotations.get(REQUESTED_AT_ANNOTATION),
            ",".join(
                f"{profile.metadata.uid}/{profile.metadata.generation}"
                for profile in (self.profiles.named, *self.profiles.defaults)
                if profile
            ),
        )

    @property
    def started_at(self) -> datetime | None:
        """When the first attempt started, counted anew after a reopening."""
        recorded = None if self.reopening.granted else parse_time(self.run.status.start_time)
        job = self.work.job
        if recorded or job is None:
            return recorded
        # What a queue admits begins when Kubernetes says so, which it does a moment later.
        return job.begun_at or (None if job.queue else job.created_at)

    @property
    def deadline(self) -> datetime | None:
        """When the run has to be done, once it has started."""
        seconds = self.run.spec.active_deadline_seconds
        if seconds is None or self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=seconds)

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, if there is one; an idle run must be looked at then."""
        return (self.deadline - self.now).total_seconds() if self.deadline else None

    @property
    def image(self) -> str | None:
        """The trainer's image: pinned by digest as soon as a profile or a node has told it.

        A reopened run takes the present image, which may hold the very fix it needs. None where a
        profile has to say which that is, and there is none.
        """
        recorded = None if self.reopening.granted else self.run.status.image
        if recorded and DIGEST_REFERENCE.match(recorded):
            return recorded
        job = self.newest_job
        pod = job.pod if job else None
        told = DIGEST_REFERENCE.match(pod.image_id) if pod and pod.image_id else None
        if told:
            return told.group(1)
        # The profile may name another one by now than when the Job was created.
        created = job.image if job else None
        offered = None if isinstance(self.compute, State) else self.compute.images.trainer
        return recorded or created or offered

    @property
    def has_learnt_nothing(self) -> bool:
        """Whether no epoch is done; False where nobody reports that, and only the trainer knows."""
        progress = self.run.status.progress
        return self.settings.progress is not None and not (progress and progress.epoch)

    @property
    def pins_anew(self) -> bool:
        """A run that is opened again and has learnt nothing takes what is there now."""
        return self.reopening.granted and self.has_learnt_nothing

    @property
    def snapshot(self) -> PinnedSnapshot | None:
        """The state of a route that it is trained on: as pinned, or as it would be pinned now."""
        pinned = self.run.status.snapshot
        if pinned is not None and not self.pins_anew:
            return pinned
        return snapshot_of(self.run, self.route)

    @property
    def weights(self) -> PinnedWeights | None:
        """What the run is fine-tuned from: as pinned at the first attempt, or as it is now.

        A run that is opened again and has learnt nothing takes what is there now, as it takes the
        present image. None where there is nothing to start from, or not yet.
        """
        pinned = self.run.status.weights
        if pinned is not None and not self.pins_anew:
            return pinned
        spec = self.run.spec.model.weights
        if spec is None:
            return None
        if spec.persistent_volume_claim is not None:
            claim = spec.persistent_volume_claim
            return PinnedWeights(claim_name=claim.claim_name, path=claim.path, sha256=claim.sha256)
        source = self.source
        checkpoint = checkpoint_of(source) if source else None
        if source is None or source.status.phase != "Succeeded" or checkpoint is None:
            return None
        return PinnedWeights(
            claim_name=source.spec.workspace.claim_name,
            s3=source.spec.workspace.s3,
            path=checkpoint.path,
            sha256=checkpoint.sha256,
            training_run=source.metadata.name,
            training_run_uid=source.metadata.uid,
        )

    def decide(
        self,
        phase: TrainingRunPhase,
        state: State,
        *,
        ledger: Attempts | None = None,
        status: dict[str, Any] | None = None,
        create: tuple[dict[str, Any], ...] = (),
        delete: tuple[JobKey, ...] = (),
        requeue_after: float | None = None,
        quiet: bool = False,
    ) -> Plan:
        """The Plan of a policy, with what every status of a run holds."""
        ledger = ledger or self.work.ledger
        wanted: dict[str, Any] = {"phase": phase}
        if ledger.started:
            wanted |= {
                "attempts": ledger.started,
                "tasks": [ledger.to_wire()],
                "image": self.image,
            }
            if self.weights or self.run.status.weights:
                wanted["weights"] = self.weights.to_patch() if self.weights else None
        if self.started_at:
            wanted["startTime"] = format_time(self.started_at)
        if self.reopening.granted:
            wanted["completionTime"] = None
        return outcome(
            self.run,
            self.run.status.conditions,
            state,
            now=self.now,
            status=wanted | (status or {}),
            create=create,
            delete=delete,
            requeue_after=requeue_after,
            quiet=quiet,
        )
