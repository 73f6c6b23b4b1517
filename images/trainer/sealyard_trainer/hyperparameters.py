"""Turns the spec's hyperparameters into ultralytics' training arguments."""

from __future__ import annotations

from typing import Any

from sealyard.api.training_run import Hyperparameters
from sealyard.errors import InvalidError

FIELDS = {
    "epochs": "epochs",
    "image_size": "imgsz",
    "batch": "batch",
    "seed": "seed",
    "patience": "patience",
    "optimizer": "optimizer",
}
"""Fields of `Hyperparameters`, and what ultralytics calls them."""

OURS = frozenset(
    {
        *("task", "mode", "model", "data", "cfg", "device", "workers"),
        *("project", "name", "save_dir", "exist_ok", "save", "save_period", "save_json"),
        *("resume", "pretrained", "distill_model", "time", "val", "split", "profile"),
    }
)
"""What this program sets itself, or must not be set if checkpoints are to be resumed from.

The operator refuses more, and sooner (`sealyard.core.known_arguments`); this is what would break
the program if it were let through.
"""


def to_arguments(hyperparameters: Hyperparameters) -> dict[str, Any]:
    """The arguments that the user chose.

    Raises:
        InvalidError: `extra` names one of the spec's own fields, or one that is ours.
    """
    extra = hyperparameters.extra or {}
    for name in sorted(extra):
        place = f"spec.hyperparameters.extra.{name[:64]}"
        if name in FIELDS.values():
            field = next(field for field, argument in FIELDS.items() if argument == name)
            camel = "imageSize" if field == "image_size" else field
            raise InvalidError(f"{place} is not allowed; set spec.hyperparameters.{camel} instead")
        if name in OURS:
            raise InvalidError(f"{place} is not allowed; the trainer sets it itself")
    chosen = {argument: getattr(hyperparameters, field) for field, argument in FIELDS.items()}
    return chosen | extra
