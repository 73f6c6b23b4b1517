"""Judges a TrainingRun's names and values by what the training image's ultralytics knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from sealyard.api.training_run import TrainingRunSpec
from sealyard.core.ultralytics_data import (
    ARCHITECTURES,
    ARGUMENTS,
    ULTRALYTICS_VERSION,
    Argument,
)

MAX_PROBLEMS = 3
LARGEST_INTEGER = 2**53
"""JSON readers that keep numbers as doubles lose digits beyond it; RFC 8785 refuses them."""

_FILES = "the operator decides where files are written"
_WEIGHTS = "it would load weights from a path or the network"
_RESUMING = "checkpoints are what an interrupted run resumes from"
_FIELD = "set spec.hyperparameters.{} instead"

DENIED = {
    "project": _FILES,
    "name": _FILES,
    "save_dir": _FILES,
    "exist_ok": _FILES,
    "save_json": _FILES,
    "save": _RESUMING,
    "save_period": _RESUMING,
    "resume": "the operator resumes by itself",
    "model": "spec.model says what is trained",
    "cfg": "it would read settings from a file",
    "data": "spec.dataset says where the pictures are",
    "pretrained": _WEIGHTS,
    "distill_model": _WEIGHTS,
    "device": "spec.compute.gpus says what it runs on",
    "workers": "it follows spec.compute.cpu",
    "time": "it would cut epochs off; set spec.activeDeadlineSeconds instead",
    "val": "best.pt is chosen by validation",
    "deterministic": "the trainer sets it, so that a resumed run ends like one that was not",
    "verbose": "the trainer says what is worth saying",
    "plots": "the trainer keeps its curves in any case",
    "split": "training validates on the val split",
    "profile": "exporting is a Job of its own",
    "compile": "it needs a C compiler, which the image does not have",
    "quantize": "precision is the business of a ModelRelease's variants",
    "dnn": "it is for inference",
    "nms": "it is for inference and export",
    "task": "it is always detect",
    "mode": "it is always train",
    "epochs": _FIELD.format("epochs"),
    "imgsz": _FIELD.format("imageSize"),
    "batch": _FIELD.format("batch"),
    "seed": _FIELD.format("seed"),
    "patience": _FIELD.format("patience"),
    "optimizer": _FIELD.format("optimizer"),
}
"""Names that ultralytics knows and `extra` may not carry, and why."""

CHOICES = {
    "cache": ("ram",),
    "amp": ("bf16", "fp32"),
    "copy_paste_mode": ("flip", "mixup"),
    "auto_augment": ("augmix", "autoaugment", "randaugment"),
}
"""The strings that an argument may be. `cache: disk` would write beside the pictures,
and the check that `amp: fp16` makes fetches weights from the network."""

NAMES = {"bool": "true or false", "int": "a whole number", "float": "a number", "list": "a list"}


def problems_of(spec: TrainingRunSpec) -> list[str]:
    """What is wrong with a spec, one clause per field; at most three, then how many more."""
    found = [*_architecture(spec.model.architecture), *_extra(spec.hyperparameters.extra or {})]
    if len(found) > MAX_PROBLEMS:
        return [*found[:MAX_PROBLEMS], f"and {len(found) - MAX_PROBLEMS} more"]
    return found


def _architecture(name: str) -> Iterator[str]:
    if name not in ARCHITECTURES:
        yield (
            f"spec.model.architecture: {name} is no detection architecture of ultralytics "
            f"{ULTRALYTICS_VERSION}{_suggestion(name, ARCHITECTURES)}"
        )


def _extra(extra: dict[str, Any]) -> Iterator[str]:
    for name, value in sorted(extra.items()):
        field = f"spec.hyperparameters.extra.{name[:64]}"
        if name in DENIED:
            yield f"{field} is not allowed: {DENIED[name]}"
        elif name not in ARGUMENTS:
            allowed = ARGUMENTS.keys() - DENIED.keys()
            yield (
                f"{field}: ultralytics {ULTRALYTICS_VERSION} has no such training argument"
                f"{_suggestion(name, allowed)}"
            )
        elif wanted := _wanted(name, value, ARGUMENTS[name]):
            yield f"{field}: {str(value)[:64]!r} must be {wanted}"


def _wanted(name: str, value: Any, argument: Argument) -> str | None:
    """What the value would have to be, or None where it is right."""
    if not _has_kind(value, argument.kinds) or (
        isinstance(value, str) and value not in CHOICES.get(name, ())
    ):
        return _alternatives(name, argument)
    numbers = value if isinstance(value, list) else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if not math.isfinite(number):
            return "a finite number"
        if abs(number) > LARGEST_INTEGER:
            return f"between -{LARGEST_INTEGER} and {LARGEST_INTEGER}"
        if argument.minimum is not None and number < argument.minimum:
            return _range(argument)
        if argument.maximum is not None and number > argument.maximum:
            return _range(argument)
    return None


def _has_kind(value: Any, kinds: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "bool" in kinds
    if isinstance(value, int):
        return "int" in kinds or "float" in kinds
    if isinstance(value, float):
        return "float" in kinds or ("int" in kinds and value.is_integer())
    if isinstance(value, list):
        return "list" in kinds and all(
            isinstance(item, int | float | str) and not isinstance(item, bool) for item in value
        )
    return isinstance(value, str) and "str" in kinds


def _alternatives(name: str, argument: Argument) -> str:
    kinds = [kind for kind in argument.kinds if not (kind == "int" and "float" in argument.kinds)]
    names = [NAMES[kind] for kind in kinds if kind in NAMES]
    return " or ".join([*names, *CHOICES.get(name, ())])


def _range(argument: Argument) -> str:
    if argument.maximum is None:
        return f"{argument.minimum:g} or more"
    return f"between {argument.minimum:g} and {argument.maximum:g}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(near)}?" if near else ""
