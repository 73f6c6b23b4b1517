"""What the trainer posts to the operator's progress endpoint (`POST <url>/v1/progress`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sealyard.api.model import Model
from sealyard.api.tasks import Owner
from sealyard.api.training_run import Metrics

PROGRESS_PATH = "/v1/progress"
MAX_PROGRESS_BYTES = 4096


class ProgressReport(Model):
    """How far a run is. The bearer token beside it proves which pod says so."""

    run: Owner
    epoch: Annotated[int, Field(ge=0, le=100_000)]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Of the whole training, batches of the current epoch included."
    )
    eta_seconds: Annotated[int, Field(ge=0)] | None = None
    metrics: Metrics | None = None
    resumed_from_epoch: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Where the attempt went on, if it did not begin anew."
    )
