"""What ultralytics finds in its folder before it begins, however many processes train there.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from pathlib import Path

from sealyard.api.training_run import ModelSpec
from sealyard.jobs.workspace import link_file
from sealyard_trainer.architecture import write_architecture
from sealyard_trainer.checkpoints import Checkpoint
from sealyard_trainer.curve import Curve


def lay_out(folder: Path, model: ModelSpec, checkpoint: Checkpoint | None, curve: Curve) -> Path:
    """Put the architecture into the folder, or the checkpoint to go on from. Gives that file.

    Raises:
        InvalidError: there is no such detection architecture.
    """
    if checkpoint is None:
        return write_architecture(model, folder)
    # The weights' folder is where ultralytics looks for the best model so far.
    weights = folder / "weights"
    weights.mkdir()
    last = weights / "last.pt"
    # Neither is written to: the next epoch's are other files (`keeping`).
    link_file(checkpoint.last, last)
    link_file(checkpoint.best, weights / "best.pt")
    curve.copy_to(folder / "results.csv")
    return last
