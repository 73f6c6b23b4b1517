"""Loads a checkpoint to fine-tune, and hands what fits to a new model.

A .pt file is a pickle, which may name any function of any module and have it called. So it is read
by PyTorch's restricted unpickler against ultralytics' list of classes, whatever the environment
says. Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

from ultralytics.nn.tasks import DetectionModel, torch_safe_load
from ultralytics.utils.torch_utils import intersect_dicts

from sealyard.api.answers import Transfer
from sealyard.errors import InvalidError
from sealyard_trainer.fit import fits

FIELD = "spec.model.weights"

logger = logging.getLogger(__name__)


def load_starting_point(path: Path) -> Any:
    """The detection model in a checkpoint.

    Raises:
        InvalidError: it holds something else, or would run code.
    """
    try:
        checkpoint, _ = torch_safe_load(str(path), safe_only=True)
        model = checkpoint.get("ema") or checkpoint.get("model")
    except (AttributeError, ImportError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        logger.info("%s: %s", FIELD, " ".join(str(error).split())[:300])
        raise InvalidError(
            f"{FIELD} is no checkpoint that can be loaded safely ({type(error).__name__}); a .pt "
            "of ultralytics is wanted, with a model and nothing of anybody else's code"
        ) from error
    if not isinstance(model, DetectionModel):
        raise InvalidError(
            f"{FIELD} holds a {type(model).__name__}; a detection model of ultralytics is wanted"
        )
    return model.float()


def transfer(source: Any, target: Any, *, architecture: str, sha256: str) -> Transfer:
    """Give the target every tensor of the source that fits; what depends on the classes may not.

    Args:
        source: the loaded detection model.
        target: a new one, with the names of its classes.
        architecture: what the spec calls it.
        sha256: of the source's file.

    Raises:
        InvalidError: they are not of the same architecture and scale.
    """
    found, wanted = source.state_dict(), target.state_dict()
    if not fits(_shapes(found), _shapes(wanted)):
        raise InvalidError(
            f"{FIELD} is a {_name(source)} with {_parameters(source)} parameters, and "
            f"spec.model.architecture and scale make a {architecture} with "
            f"{_parameters(target)}; the architecture and scale of the weights are wanted"
        )
    target.load(source, verbose=False)
    # The head may have been rebuilt as wide as that of the source.
    tensors = target.state_dict()
    taken = len(intersect_dicts(source.state_dict(), tensors))
    logger.info("fine-tuning: %d of %d tensors taken", taken, len(tensors))
    return Transfer(sha256=sha256, taken=taken, tensors=len(tensors))


def _shapes(state: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _parameters(model: Any) -> str:
    return f"{sum(parameter.numel() for parameter in model.parameters()):,}"


def _name(model: Any) -> str:
    """What it calls itself, without the folder that it was made in."""
    document = getattr(model, "yaml", None)
    said = document.get("yaml_file") if isinstance(document, dict) else None
    return Path(said).name[:64] if isinstance(said, str) else "model without a name"
