"""Looks for coins with the released model, and draws what it finds.

The model takes tiles, so the photograph is searched tile by tile, a quarter of a tile further each
time, and of the boxes that lie on each other one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

MIN_CONFIDENCE = 0.4
MAX_SHARED = 0.5
"""Share of the smaller box above which two boxes are one coin; coins do not lie on each other."""
EDGE = 4
"""Pixels from the edge of a tile within which a box may end at half a coin."""
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

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    def shared_with(self, other: Found) -> float:
        """How much of the smaller of two boxes lies in the other, from 0 to 1."""
        right = min(self.left + self.width, other.left + other.width)
        bottom = min(self.top + self.height, other.top + other.height)
        width = max(0.0, right - max(self.left, other.left))
        height = max(0.0, bottom - max(self.top, other.top))
        return width * height / min(self.area, other.area)


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

    A box at the edge of its tile may be half a coin: the next tile has all of it.
    """
    found = []
    for x, y, width, height, *scores in output.T:
        confidence = float(max(scores))
        inside = (
            x - width / 2 > EDGE
            and y - height / 2 > EDGE
            and x + width / 2 < size - EDGE
            and y + height / 2 < size - EDGE
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
    """One box per coin: the sure and large ones first, since a part of a coin is a smaller box."""
    kept: list[Found] = []
    for coin in sorted(found, key=lambda coin: coin.confidence * coin.area, reverse=True):
        if all(coin.shared_with(other) < MAX_SHARED for other in kept):
            kept.append(coin)
    return kept
