"""The pieces of work of a release: their ledgers, and how their answers are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealyard.api.answers import ExportResult, PublishResult, TidyResult, VerifyResult
from sealyard.api.attempts import Attempts
from sealyard.api.model_release import ModelRelease
from sealyard.api.secrets import Role
from sealyard.core import attempts
from sealyard.core.attempts import ReadResult, ResultT, Work
from sealyard.core.observed import ObservedJob


@dataclass(frozen=True, slots=True)
class Works:
    """Everything that a release does, with the ends of its Jobs accounted."""

    exports: dict[str, Work[ExportResult]]
    """By the name of the variant, in the order of the spec."""
    publish: Work[PublishResult]
    verify: Work[VerifyResult]
    tidy: Work[TidyResult]
    manifest_sha256: str | None
    """Of what was published."""

    @classmethod
    def of(
        cls, release: ModelRelease, jobs: tuple[ObservedJob, ...], now: datetime, *, reopen: bool
    ) -> Works:
        """Accounts what the release's Jobs say, after a reopening if there is one."""
        ledgers = {ledger.name: ledger for ledger in release.status.tasks or []}
        if reopen:
            ledgers = _reopened(ledgers, jobs, now)

        def work(role: Role, read: ReadResult[ResultT], variant: str = "") -> Work[ResultT]:
            name = task_name(role, variant)
            return attempts.settle(
                ledgers.get(name, Attempts(name=name)),
                [job for job in jobs if (job.role, job.variant) == (role, variant)],
                read,
                now=now,
            )

        publish = work(Role.PUBLISH, _reader_of_publication(release))
        manifest_sha256 = (
            publish.result.manifest_sha256 if publish.result else release.status.manifest_sha256
        )
        return cls(
            exports={
                variant.name: work(Role.EXPORT, _reader_of_export(variant.name), variant.name)
                for variant in release.spec.variants
            },
            publish=publish,
            verify=work(Role.VERIFY, _reader_of_verification(release, manifest_sha256)),
            tidy=work(Role.TIDY, TidyResult.from_wire),
            manifest_sha256=manifest_sha256,
        )

    @property
    def exported(self) -> bool:
        """Whether every variant lies in the workspace, or did before it was published."""
        return all(work.ledger.done for work in self.exports.values())

    @property
    def live_jobs(self) -> list[ObservedJob]:
        """Jobs that have not ended."""
        return [work.job for work in self if work.job]

    def __iter__(self) -> Iterator[Work[Any]]:
        yield from self.exports.values()
        yield self.publish
        yield self.verify
        yield self.tidy


def task_name(role: Role, variant: str = "") -> str:
    """The name of a piece of work in the ledger."""
    return f"{role}-{variant}" if variant else str(role)


def _reopened(
    ledgers: dict[str, Attempts], jobs: tuple[ObservedJob, ...], now: datetime
) -> dict[str, Attempts]:
    """What is done stays done, unless its plaintext was deleted before it was published."""
    publish = ledgers.get(Role.PUBLISH)
    tidy = ledgers.get(Role.TIDY)
    tidied = bool(tidy and tidy.started) or any(job.role == Role.TIDY for job in jobs)
    exports_are_gone = tidied and not (publish and publish.done)

    def again(ledger: Attempts) -> Attempts:
        is_export = ledger.name.startswith(f"{Role.EXPORT}-")
        if ledger.name == Role.TIDY or (is_export and exports_are_gone):
            return attempts.anew(ledger, now=now)
        return attempts.reopen(ledger, now=now)

    return {name: again(ledger) for name, ledger in ledgers.items()}


def _reader_of_export(variant: str) -> ReadResult[ExportResult]:
    def read(document: dict[str, Any]) -> ExportResult:
        result = ExportResult.from_wire(document)
        if result.variant != variant:
            raise ValueError(f"exported {result.variant}, not {variant}")
        return result

    return read


def _reader_of_publication(release: ModelRelease) -> ReadResult[PublishResult]:
    def read(document: dict[str, Any]) -> PublishResult:
        result = PublishResult.from_wire(document)
        if {variant.name for variant in result.variants} != _names(release):
            raise ValueError("published other variants than the spec has")
        return result

    return read


def _reader_of_verification(
    release: ModelRelease, manifest_sha256: str | None
) -> ReadResult[VerifyResult]:
    def read(document: dict[str, Any]) -> VerifyResult:
        result = VerifyResult.from_wire(document)
        if set(result.variants) != _names(release):
            raise ValueError("verified other variants than the spec has")
        if result.manifest_sha256 != manifest_sha256:
            raise ValueError("verified another manifest than was published")
        return result

    return read


def _names(release: ModelRelease) -> set[str]:
    return {variant.name for variant in release.spec.variants}
