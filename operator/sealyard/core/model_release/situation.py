"""What the policies of a ModelRelease look at: the release, with the ends of its Jobs accounted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealyard.api.attempts import Attempts
from sealyard.api.conditions import ConditionType
from sealyard.api.digests import export_sha256
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.model_release import (
    Lineage,
    ModelRelease,
    ModelReleasePhase,
    VariantStatus,
)
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.api.tasks import ExportedVariant
from sealyard.api.training_run import TrainingRun, WorkspaceSpec
from sealyard.core.attempts import watched
from sealyard.core.compute import Compute, for_export
from sealyard.core.conditions import State
from sealyard.core.live import POLL_SECONDS
from sealyard.core.model_release.variants import summary, variants
from sealyard.core.model_release.works import Works
from sealyard.core.observed import ClaimUse, Listing, ModelReleaseObserved, ObservedClaim
from sealyard.core.outcome import outcome
from sealyard.core.plan import JobKey, Plan
from sealyard.core.reopening import Request, request
from sealyard.core.settings import Settings
from sealyard.core.times import end_time, parse_time

MAX_SUMMARY_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a release, ready to be judged."""

    release: ModelRelease
    settings: Settings
    now: datetime
    run: TrainingRun | None
    target: ReleaseTarget | None
    claims: tuple[ObservedClaim, ...]
    uses: tuple[ClaimUse, ...]
    """The Jobs of other objects that have one of them."""
    namesakes: tuple[ModelRelease, ...]
    foreign_jobs: tuple[str, ...]
    listing: Listing
    namespace_ends: bool
    works: Works
    reopening: Request
    variants: tuple[VariantStatus, ...]
    compute: Compute | State
    """What the next export is given, or what keeps it from being given anything."""

    @classmethod
    def of(cls, observed: ModelReleaseObserved, settings: Settings, now: datetime) -> Situation:
        """Accounts what the release's Jobs say."""
        release = observed.release
        reopening = Request(granted=False)
        if release.status.phase == "Failed":
            reopening = request(release, failed_at(release), now)
            if reopening.granted and _is_tidying(observed):
                # What it deletes must not be written anew under its hands.
                reopening = Request(granted=False, due_in=POLL_SECONDS)
        works = Works.of(release, observed.jobs, now, reopen=reopening.granted)
        return cls(
            release,
            settings,
            now,
            observed.run,
            observed.target,
            observed.claims,
            observed.uses,
            observed.namesakes,
            observed.foreign_jobs,
            observed.listing,
            observed.namespace_ends,
            works,
            reopening,
            variants(observed, works, backoff_limit=settings.release_backoff_limit),
            for_export(release, observed.profiles, settings),
        )

    @property
    def watched(self) -> str:
        """What a waiting attempt may be waiting for, as far as it can be seen."""
        metadata = self.release.metadata
        target = self.target.metadata if self.target else None
        return watched(
            str(metadata.generation),
            metadata.annotations.get(REQUESTED_AT_ANNOTATION),
            f"{target.uid}/{target.generation}" if target else None,
        )

    @property
    def is_pinned(self) -> bool:
        """Whether a part of this release was made from one run already."""
        return self.release.status.lineage is not None and any(
            work.ledger.done for work in self.works.exports.values()
        )

    @property
    def lineage(self) -> Lineage | None:
        """Where the model comes from: as pinned when the first variant was exported."""
        if self.is_pinned or self.run is None:
            return self.release.status.lineage
        run = self.run
        if run.status.dataset is None:
            return None
        return Lineage(
            training_run=run.metadata.name,
            training_run_uid=run.metadata.uid,
            dataset_digest=run.status.dataset.digest,
            image=run.status.image,
            metrics=run.status.progress.metrics if run.status.progress else None,
        )

    @property
    def workspace(self) -> WorkspaceSpec | None:
        """Where the exports lie: a claim, or a folder in a store."""
        if self.is_pinned or self.run is None:
            pinned = self.release.status.workspace
            return pinned.spec if pinned else None
        return self.run.spec.workspace

    @property
    def workspace_claim(self) -> ObservedClaim | None:
        """The claim, if it is one and exists."""
        name = self.workspace.claim_name if self.workspace else None
        return self.claim_named(name) if name is not None else None

    @property
    def workspace_is_there(self) -> bool:
        """Whether a Job can start that needs it: of a store, the Job itself says so."""
        in_store = self.workspace is not None and self.workspace.s3 is not None
        return in_store or self.workspace_claim is not None

    def claim_named(self, name: str) -> ObservedClaim | None:
        """A claim of the release or of its run, if it exists."""
        return next((c for c in self.claims if c.name == name and not c.deleting), None)

    @property
    def is_withdrawn(self) -> bool:
        """Whether the signed index takes it out, and no channel would bring it back."""
        return self.listing.withdrawn and not self.listing.is_remembered

    @property
    def has_expired(self) -> bool:
        """Whether spec.notAfter has passed."""
        not_after = end_time(self.release.spec.not_after)
        return not_after is not None and not_after <= self.now

    @property
    def phase(self) -> ModelReleasePhase:
        """How far the release came, whatever keeps it from going on."""
        if self.works.publish.ledger.done:
            return "Verifying"
        if self.works.exported:
            return "Publishing"
        started = any(work.ledger.started for work in self.works.exports.values())
        return "Exporting" if started else "Pending"

    @property
    def exports(self) -> list[ExportedVariant]:
        """The exported variants as a courier needs them; complete once all are exported."""
        return [
            ExportedVariant(
                spec=spec,
                image_size=variant.image_size,
                path=variant.path,
                sha256=variant.sha256,
                size_bytes=variant.size_bytes,
                platform=variant.platform,
            )
            for spec, variant in zip(self.release.spec.variants, self.variants, strict=True)
            if variant.image_size
            and variant.path
            and variant.sha256
            and variant.size_bytes is not None
        ]

    @property
    def export_sha256(self) -> str:
        """The digest of the exported set: what is released, before it is sealed."""
        return export_sha256(
            [(export.spec.name, export.sha256, export.size_bytes) for export in self.exports]
        )

    def decide(
        self,
        phase: ModelReleasePhase,
        state: State,
        *,
        ledgers: tuple[Attempts, ...] = (),
        status: dict[str, Any] | None = None,
        create: tuple[dict[str, Any], ...] = (),
        delete: tuple[JobKey, ...] = (),
        requeue_after: float | None = None,
        quiet: bool = False,
    ) -> Plan:
        """The Plan of a policy, with what every status of a release holds.

        Args:
            phase: the wanted phase.
            state: the wanted conditions.
            ledgers: those that this pass changes.
            status: further fields.
            create: Jobs to create.
            delete: Jobs to delete.
            requeue_after: seconds until the next look.
            quiet: nothing new is said, so no event.
        """
        wanted: dict[str, Any] = {
            "phase": phase,
            "variants": [variant.to_wire() for variant in self.variants],
            "summary": summary(self.variants) | self.channels,
        }
        if tasks := self.tasks(*ledgers):
            wanted["tasks"] = tasks
        return outcome(
            self.release,
            self.release.status.conditions,
            state,
            now=self.now,
            status=wanted | (status or {}),
            create=create,
            delete=delete,
            requeue_after=requeue_after,
            quiet=quiet,
        )

    @property
    def channels(self) -> dict[str, str | None]:
        """The column CHANNELS, as part of the summary; None removes it."""
        names = ", ".join(self.listing.channels)[:MAX_SUMMARY_LENGTH]
        shown = "channels" in (self.release.status.summary or {})
        return {"channels": names or None} if names or shown else {}

    def stop(self) -> tuple[JobKey, ...]:
        """What ends everything that still runs for the release."""
        return tuple(
            JobKey(job.namespace, job.name, job.uid)
            for job in self.works.live_jobs
            if not job.deleting
        )

    def tasks(self, *changed: Attempts) -> list[dict[str, Any]]:
        """The ledgers of everything that was ever started."""
        ledgers = {work.ledger.name: work.ledger for work in self.works}
        ledgers |= {ledger.name: ledger for ledger in changed}
        return [ledger.to_wire() for ledger in ledgers.values() if ledger.started]


def failed_at(release: ModelRelease) -> datetime | None:
    """When a Failed or GateFailed release came to its end: the moment it Stalled."""
    stalled = (c for c in release.status.conditions if c.type == ConditionType.STALLED)
    return next((parse_time(condition.last_transition_time) for condition in stalled), None)


def _is_tidying(observed: ModelReleaseObserved) -> bool:
    return any(job.role == Role.TIDY and job.state == "Active" for job in observed.jobs)
