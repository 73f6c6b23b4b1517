"""Looks for coins with the released model, and draws what it finds.

The model takes tiles, so the photograph is searched tile by tile, a quarter of a tile further each
time, and of the boxes that say the same the surest is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

MIN_CONFIDENCE = 0.4
MAX_OVERLAP = 0.3
"""Intersection over union above which two boxes are one coin."""
SCALE = 3
"""The picture is drawn this much larger than the photograph, so that lines are thin."""


@dataclass(frozen=True, slots=True)
class Found:
    """One coin, in pixels of the photograph."""

    left: float
    top: float
    width: float
    height: float
    confidence: float


def find(model: Path, photograph: NDArray[np.uint8]) -> list[Found]:
    """Every coin that the ONNX model finds in a grey photograph (height x width)."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    model_input = session.get_inputs()[0]
    size = int(model_input.shape[2])
    found: list[Found] = []
    for top in _starts(photograph.shape[0], size):
        for left in _starts(photograph.shape[1], size):
            tile = photograph[top : top + size, left : left + size]
            rgb = np.repeat(tile[np.newaxis, np.newaxis].astype(np.float32) / 255, 3, axis=1)
            (output,) = session.run(None, {model_input.name: rgb})
            found += _boxes(output[0], left=left, top=top, size=size)
    return _merged(found)


def draw(photograph: NDArray[np.uint8], found: list[Found], kept_aside_from: int, to: Path) -> None:
    """Writes a PNG with a box around each coin; right of the line, no tile was trained on."""
    large = cv2.resize(photograph, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    canvas = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
    line = kept_aside_from * SCALE
    cv2.line(canvas, (line, 0), (line, canvas.shape[0]), (255, 160, 0), 2)
    cv2.putText(
        canvas, "kept aside", (line + 8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 160, 0), 2
    )
    for coin in found:
        corner = (round(coin.left * SCALE), round(coin.top * SCALE))
        opposite = (
            round((coin.left + coin.width) * SCALE),
            round((coin.top + coin.height) * SCALE),
        )
        cv2.rectangle(canvas, corner, opposite, (60, 200, 60), 2)
        label = f"{coin.confidence:.2f}"
        at = (corner[0] + 4, corner[1] + 18)
        cv2.putText(canvas, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 200, 60), 1)
    if not cv2.imwrite(str(to), canvas):
        raise OSError(f"cannot write the picture {to}")


def _starts(length: int, size: int) -> list[int]:
    last = length - size
    return [*range(0, last, size // 4), last]


def _boxes(output: NDArray[np.float32], *, left: int, top: int, size: int) -> list[Found]:
    """Rows of (centre x, centre y, width, height, confidence per class), one column per anchor.

    A box that touches the edge of its tile is half a coin: the next tile has all of it.
    """
    found = []
    for x, y, width, height, *scores in output.T:
        confidence = float(max(scores))
        inside = (
            x - width / 2 > 1
            and y - height / 2 > 1
            and x + width / 2 < size - 1
            and y + height / 2 < size - 1
        )
        if confidence >= MIN_CONFIDENCE and inside:
            found.append(
                Found(
                    float(left + x - width / 2),
                    float(top + y - height / 2),
                    float(width),
                    float(height),
                    confidence,
                )
            )
    return found


def _merged(found: list[Found]) -> list[Found]:
    kept = cv2.dnn.NMSBoxes(
        [[coin.left, coin.top, coin.width, coin.height] for coin in found],
        [coin.confidence for coin in found],
        MIN_CONFIDENCE,
        MAX_OVERLAP,
    )
    return [found[index] for index in np.asarray(kept, dtype=int).ravel()]
