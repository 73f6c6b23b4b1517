"""Does the export compute what the checkpoint computes?

Both see the same inputs: two photographs that ultralytics ships, noise, a ramp and black. The
difference is the largest one between any two numbers of their raw outputs, before any threshold,
with coordinates as a fraction of the image's size and confidences as they are: so 1 would be the
whole picture, or certainty against none.

A model with a one-to-one head gives its best boxes in the order of their confidence, and where two
are equally likely the order is chance. For these only the sorted confidences are compared.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils import ASSETS

from sealyard.api.model_release import Precision
from sealyard.errors import IntegrityError

MOST_DIFFERENCE: Mapping[Precision, float] = {"fp32": 1e-3, "fp16": 0.05, "int8": 1.0}
"""A faithful fp32 export is a hundred times closer, one in fp16 ten times. What eight bits do to
single boxes says little: there the figures of the validation set are the judge."""
SEED = 20
PHOTOGRAPHS = ("bus.jpg", "zidane.jpg")

Pixels = npt.NDArray[np.float32]
Runs = Callable[[Pixels], Pixels]
"""From a batch of pictures to the raw output."""
logger = logging.getLogger(__name__)


def compare(
    checkpoint: Path, exported: Runs, *, image_size: int, dynamic: bool, most: float
) -> float:
    """The largest difference between a checkpoint and its export.

    Args:
        checkpoint: The .pt file.
        exported: Runs the export.
        image_size: The side of the square pictures that the export takes.
        dynamic: Whether to try another size and a batch of two as well.
        most: The largest difference that is right for its precision.

    Raises:
        IntegrityError: they differ too much, or the export does not run.
    """
    model = load_checkpoint(str(checkpoint), device="cpu", inplace=False, fuse=False)[0]
    model = model.float().eval()
    end_to_end = bool(getattr(model, "end2end", False))
    largest = max(
        _difference(_run_torch(model, pixels), _relative(exported(pixels), pixels), end_to_end)
        for pixels in _inputs(image_size, dynamic=dynamic)
    )
    logger.info("largest difference to the checkpoint: %.2e", largest)
    if not largest <= most:
        raise IntegrityError(
            f"the export differs from the checkpoint by {largest:.2e}; at most {most:g} is right "
            "for its precision"
        )
    return largest


def runs_onnx(path: Path) -> Runs:
    """Runs an .onnx file on the processor.

    Raises:
        IntegrityError: it cannot be loaded; and when it is called, that it does not run.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise _does_not_run(error) from error
    name = session.get_inputs()[0].name

    def run(pixels: Pixels) -> Pixels:
        try:
            output: Pixels = session.run(None, {name: pixels})[0]
        except Exception as error:
            raise _does_not_run(error) from error
        return output

    return run


def runs_module(module: Any) -> Runs:
    """Runs what takes and gives tensors, wherever it puts them."""
    return lambda pixels: module(torch.from_numpy(pixels)).cpu().numpy()


def _inputs(size: int, *, dynamic: bool) -> list[Pixels]:
    """Batches of pictures (batch, channel, row, column) with values from 0 to 1."""
    random = np.random.default_rng(SEED)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    batches = [
        *(_photograph(name, size) for name in PHOTOGRAPHS),
        random.random((1, 3, size, size), dtype=np.float32),
        np.broadcast_to(ramp, (1, 3, size, size)).copy(),
        np.zeros((1, 3, size, size), np.float32),
    ]
    if dynamic:
        other = size + 32
        batches.append(np.concatenate([_photograph(name, other) for name in PHOTOGRAPHS]))
    return batches


def _photograph(name: str, size: int) -> Pixels:
    picture = cv2.imread(str(ASSETS / name))
    if picture is None:
        raise RuntimeError(f"ultralytics' {name} is missing")
    resized = cv2.resize(picture, (size, size))[..., ::-1]
    return np.ascontiguousarray(resized.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(
        255
    )


def _does_not_run(error: Exception) -> IntegrityError:
    return IntegrityError(f"the export does not run: {str(error)[:300]}")


def _run_torch(model: Any, pixels: Pixels) -> Pixels:
    with torch.inference_mode():
        output = model(torch.from_numpy(pixels))
    raw = output[0] if isinstance(output, tuple | list) else output
    return _relative(raw.numpy(), pixels)


def _relative(raw: Any, pixels: Pixels) -> Pixels:
    """Coordinates as a fraction of the image's size; the four come first in both layouts."""
    output: Pixels = np.array(raw, dtype=np.float32)
    if output.shape[-1] == 6:  # one-to-one heads: (batch, box, left top right bottom score class)
        output[..., :4] /= pixels.shape[-1]
    else:  # (batch, x y width height scores…, anchor)
        output[:, :4] /= pixels.shape[-1]
    return output


def _difference(expected: Pixels, found: Pixels, end_to_end: bool) -> float:
    if expected.shape != found.shape:
        raise IntegrityError(f"the export's output is {found.shape} and not {expected.shape}")
    if end_to_end:
        expected = np.sort(expected[..., 4], axis=-1)
        found = np.sort(found[..., 4], axis=-1)
    difference = float(np.abs(expected - found).max())
    return difference if np.isfinite(difference) else float("inf")
