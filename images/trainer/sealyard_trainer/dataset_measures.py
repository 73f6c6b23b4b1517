"""How many boxes of each class a dataset has and of what sizes, counted while it is checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

OCTAVES, STEPS_PER_OCTAVE = 9, 3
SIZE_STEPS = OCTAVES * STEPS_PER_OCTAVE
"""Of a side, from 1/512 of the picture's to all of it; each is a third of a doubling."""


class Box(NamedTuple):
    """A line of a label file: class, centre and size, as parts of the picture's sides."""

    class_index: int
    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Measures:
    """Of one split."""

    boxes_by_class: list[int]
    sizes: list[list[int]]
    """Boxes by step of height, then by step of width (`size_step`)."""
    pictures_without_boxes: int = 0

    @classmethod
    def of_nothing(cls, classes: int) -> Self:
        """Those of a split in which nothing was seen yet."""
        return cls([0] * classes, [[0] * SIZE_STEPS for _ in range(SIZE_STEPS)])

    def add(self, boxes: Iterable[Box]) -> None:
        """Count the boxes of one picture."""
        any_box = False
        for box in boxes:
            any_box = True
            self.boxes_by_class[box.class_index] += 1
            self.sizes[size_step(box.height)][size_step(box.width)] += 1
        self.pictures_without_boxes += not any_box


def size_step(part: float) -> int:
    """The step of a side that is this part of the picture's; what is smaller is in the first."""
    if part <= 0:
        return 0
    step = math.floor((math.log2(part) + OCTAVES) * STEPS_PER_OCTAVE)
    return min(max(step, 0), SIZE_STEPS - 1)
