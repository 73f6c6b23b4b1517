"""What a manifest says of where a model comes from, and where it runs."""

from __future__ import annotations

from sealyard.api.tasks import ExportedVariant, SourceRecord
from sealyard.sealing.manifest import Platform, Source, TrainingRunSource


def source_of(record: SourceRecord) -> Source:
    """The source of a release that a TrainingRun was trained for."""
    return Source(
        training_run=TrainingRunSource(name=record.training_run, uid=record.training_run_uid),
        dataset_digest=record.dataset_digest,
        image=record.image,
        metrics=record.metrics.to_wire() if record.metrics else {},
    )


def platform_of(exported: ExportedVariant) -> Platform:
    """The machines that a variant runs on, as a manifest says it."""
    return Platform(**exported.platform.model_dump()) if exported.platform else Platform()
