"""What a release's status says about its variants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sealyard.api.answers import ExportResult, PublishedVariant
from sealyard.api.model_release import PartStatus, Platform, VariantSpec, VariantStatus
from sealyard.api.training_run import TrainingRun
from sealyard.core import attempts
from sealyard.core.attempts import Work
from sealyard.core.model_release.works import Works
from sealyard.core.observed import ModelReleaseObserved

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def variants(
    observed: ModelReleaseObserved, works: Works, *, backoff_limit: int
) -> tuple[VariantStatus, ...]:
    """The status of each variant, in the order of the spec."""
    release = observed.release
    before = {variant.name: variant for variant in release.status.variants or []}
    published = works.publish.result.variants if works.publish.result else []
    parts = {part.name: part for part in published}
    return tuple(
        _published(
            _exported(
                spec,
                before.get(spec.name),
                works.exports[spec.name],
                image_size(spec, observed.run),
                backoff_limit,
            ),
            parts.get(spec.name),
            _prefix(observed),
            works,
        )
        for spec in release.spec.variants
    )


def summary(statuses: Iterable[VariantStatus]) -> dict[str, str | None]:
    """The columns VARIANTS and SIZE."""
    all_of_them = list(statuses)
    sizes = [variant.size_bytes for variant in all_of_them if variant.size_bytes is not None]
    columns: dict[str, str | None] = {"variants": f"{len(sizes)}/{len(all_of_them)}"}
    return columns | {"size": human_size(sum(sizes))} if sizes else columns


def human_size(count: int) -> str:
    """Bytes in the unit that needs the fewest digits before the point."""
    size = float(count)
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "B" else f"{count} B"
        size /= 1024
    return f"{size:.1f} {UNITS[-1]}"


def image_size(spec: VariantSpec, run: TrainingRun | None) -> int | None:
    """The pixels that a variant takes: its own, or its run's."""
    if spec.image_size is not None:
        return spec.image_size
    return run.spec.hyperparameters.image_size if run else None


def _exported(
    spec: VariantSpec,
    before: VariantStatus | None,
    work: Work[ExportResult],
    size: int | None,
    backoff_limit: int,
) -> VariantStatus:
    if work.ledger.done and work.result is None and before is not None:
        return before
    size = size or (before.image_size if before else None)
    if work.result:
        return VariantStatus(
            name=spec.name,
            phase="Exported",
            sha256=work.result.sha256,
            size_bytes=work.result.size_bytes,
            path=work.result.path,
            image_size=size,
            max_difference=work.result.max_difference,
            metrics=work.result.metrics,
            figures_of=work.result.figures_of,
            platform=work.result.platform or _asked_for(spec),
        )
    phase: Literal["Pending", "Exporting", "Failed"] = "Pending"
    if attempts.failure(work, backoff_limit=backoff_limit):
        phase = "Failed"
    elif work.ledger.started:
        phase = "Exporting"
    return VariantStatus(
        name=spec.name, phase=phase, image_size=size if work.ledger.started else None
    )


def _asked_for(spec: VariantSpec) -> Platform | None:
    """What an exporter that knows nothing of platforms leaves to the spec."""
    return Platform(**spec.platform.model_dump()) if spec.platform else None


def _published(
    variant: VariantStatus, part: PublishedVariant | None, prefix: str, works: Works
) -> VariantStatus:
    if not works.publish.ledger.done:
        return variant
    changes: dict[str, object] = {"phase": "Verified" if works.verify.ledger.done else "Published"}
    if part:
        changes |= {
            "small": PartStatus(size_bytes=part.small_bytes),
            "big": PartStatus(size_bytes=part.big_bytes, key=f"{prefix}/objects/{part.object_id}"),
        }
    return variant.model_copy(update=changes)


def _prefix(observed: ModelReleaseObserved) -> str:
    """Where the publication went; the pin may be lost in the pass that would have written it."""
    if observed.release.status.target:
        return observed.release.status.target.prefix
    return observed.target.spec.cdn.prefix if observed.target else ""
