"""Boxes as the lines of a YOLO label file."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.annotations.message import Box
from sealyard.errors import IntegrityError


def label_lines(boxes: Sequence[Box], classes: Sequence[str]) -> str:
    """A line for each box: the class as it is counted, centre and sides; empty without a box.

    Raises:
        IntegrityError: a box is of a class that is not among `classes`.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    lines = []
    for box in boxes:
        if box.class_name not in numbers:
            raise IntegrityError(f"a box is of the class {box.class_name!r}, which is not counted")
        sides = " ".join(f"{side:.9g}" for side in (box.x, box.y, box.width, box.height))
        lines.append(f"{numbers[box.class_name]} {sides}\n")
    return "".join(lines)
