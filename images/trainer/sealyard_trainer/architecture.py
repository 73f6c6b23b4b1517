"""Finds an architecture that ships with ultralytics and makes it smaller or bigger."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ultralytics.utils import ROOT

from sealyard.api.training_run import ModelScale, ModelSpec
from sealyard.errors import InvalidError

DETECTION_HEADS = frozenset({"Detect", "v10Detect"})
SCALED_NAME = re.compile(r"^(?P<family>yolov?\d+)(?P<scale>[nslmx])(?P<rest>-.+)?$")
"""`yolo11n-p2` is the scale n of what the file yolo11-p2.yaml describes."""


def write_architecture(model: ModelSpec, folder: Path) -> Path:
    """Write the YAML of the model to train into `folder`.

    Raises:
        InvalidError: there is no such detection architecture.
    """
    document = _load(model.architecture)
    if model.scale is not None:
        _scale(document, model.scale)
    # Ultralytics takes the scale from the file's name, so the name stays.
    path = folder / model.architecture
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _load(name: str) -> dict[str, Any]:
    files = {path.name: path for path in (ROOT / "cfg" / "models").rglob("*.yaml")}
    stem = name.removesuffix(".yaml")
    scale = ""
    if name not in files and (match := SCALED_NAME.match(stem)):
        scale = match["scale"]
        name = f"{match['family']}{match['rest'] or ''}.yaml"
    if name not in files:
        raise InvalidError(
            f"spec.model.architecture is {stem}.yaml; ultralytics ships no such architecture"
        )
    document: dict[str, Any] = yaml.safe_load(files[name].read_text(encoding="utf-8"))
    scales = document.get("scales")
    if scale and (not isinstance(scales, dict) or scale not in scales):
        raise InvalidError(f"spec.model.architecture is {stem}.yaml; {name} has no scale {scale}")
    head = document["head"][-1][2]
    if head not in DETECTION_HEADS:
        raise InvalidError(
            f"spec.model.architecture is {stem}.yaml, which ends in {head}; "
            "a detection architecture such as yolo11n.yaml is wanted"
        )
    if scales:
        chosen = scale or next(iter(scales))
        document["scales"] = {chosen: list(scales[chosen])}
    return document


def _scale(document: dict[str, Any], scale: ModelScale) -> None:
    depth, width = scale.depth or 1.0, scale.width or 1.0
    if scales := document.get("scales"):
        for multiples in scales.values():
            multiples[0] *= depth
            multiples[1] *= width
    else:
        document["depth_multiple"] = document.get("depth_multiple", 1.0) * depth
        document["width_multiple"] = document.get("width_multiple", 1.0) * width
