"""How a run was validated: its exports are judged by the same rules.

Ultralytics keeps in a model what it was trained with. Of that, these arguments change the figures
of one and the same model: which labels count, which boxes, and which pictures.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ultralytics.nn.tasks import load_checkpoint

ARGUMENTS: Final = ("single_cls", "conf", "iou", "max_det", "fraction")
"""Not `rect`: training validates with it always, and a file that takes a square never."""


def as_validated(checkpoint: Path) -> dict[str, Any]:
    """The arguments of the run that a checkpoint is of, by ultralytics' names."""
    return of_validation(load_checkpoint(str(checkpoint), device="cpu")[1]["train_args"])


def of_validation(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a training that change what a validation finds."""
    return {name: arguments[name] for name in ARGUMENTS if name in arguments}
