"""Where a released model comes from, as its manifest says it."""

from __future__ import annotations

from sealyard.api.tasks import SourceRecord
from sealyard.sealing.manifest import Source, TrainingRunSource


def source_of(record: SourceRecord) -> Source:
    """The source of a release that a TrainingRun was trained for."""
    return Source(
        training_run=TrainingRunSource(name=record.training_run, uid=record.training_run_uid),
        dataset_digest=record.dataset_digest,
        image=record.image,
        metrics=record.metrics.to_wire() if record.metrics else {},
    )
