"""From a checkpoint to an ONNX file that says what it is and nothing of where it was made."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from sealyard.errors import InvalidError

KEPT_METADATA = (
    *("description", "author", "version", "license", "docs", "stride", "task", "head", "batch"),
    *("imgsz", "names", "args", "channels", "end2end"),
)
"""What a reader of the model needs. Left out are the date and whatever may be added one day."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export, and how."""

    checkpoint: Path
    image_size: int
    dynamic: bool
    opset: int
    facts: Mapping[str, str]
    """What the file's metadata says of its origin: digests and names, never paths."""


def export(request: Request) -> Path:
    """Write the ONNX file beside the checkpoint. The same request gives the same bytes.

    Raises:
        InvalidError: ultralytics cannot export this model in this way.
    """
    LOGGER.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # PyTorch's tracer warns of every Python branch it freezes; `compare` is the judge.
            warnings.simplefilter("ignore")
            path = YOLO(str(request.checkpoint), task="detect").export(
                format="onnx",
                imgsz=request.image_size,
                dynamic=request.dynamic,
                opset=request.opset,
                batch=1,
                device="cpu",
                simplify=False,
            )
    except (AssertionError, NotImplementedError, ValueError) as error:
        raise InvalidError(f"the model cannot be exported: {str(error)[:300]}") from error
    target = Path(path)
    _clean(target, request.facts)
    return target


def metadata_of(path: Path) -> dict[str, str]:
    """What a file that was exported says of itself."""
    model = onnx.load(str(path))
    return {entry.key: entry.value for entry in model.metadata_props}


def _clean(path: Path, facts: Mapping[str, str]) -> None:
    """Replace the metadata: ultralytics writes the dataset's path and the time into it."""
    model = onnx.load(str(path))
    found = {entry.key: entry.value for entry in model.metadata_props}
    kept = {key: found[key] for key in KEPT_METADATA if key in found}
    # "Ultralytics YOLO11n model trained on /somewhere/data.yaml"
    kept["description"] = kept.get("description", "").partition(" trained on ")[0]
    del model.metadata_props[:]
    for key, value in sorted({**kept, **facts}.items()):
        model.metadata_props.add(key=key, value=value)
    model.doc_string = ""
    model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
