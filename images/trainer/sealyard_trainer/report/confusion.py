"""A confusion matrix that can be looked at, however many classes there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BACKGROUND, OTHERS = "background", "other classes"


@dataclass(frozen=True, slots=True)
class Confusion:
    """Boxes by predicted, then by true class."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def share(self, predicted: int, true: int) -> float:
        """Of the boxes of a true class, the part that was taken for the predicted one."""
        total = sum(row[true] for row in self.counts)
        return self.counts[predicted][true] / total if total else 0.0


def fold(matrix: Sequence[Sequence[int]], names: Sequence[str], most: int) -> Confusion:
    """The classes that are confused most, in their order, and all others as one.

    Args:
        matrix: square; the last row and column are the background.
        names: of the classes, without the background.
        most: how many classes are shown one by one.
    """
    classes = range(len(names))
    if len(names) <= most:
        groups = [[index] for index in classes]
        shown = list(names)
    else:
        weight = {
            index: sum(matrix[index]) + sum(row[index] for row in matrix) - matrix[index][index]
            for index in classes
        }
        chosen = sorted(sorted(classes, key=lambda index: -weight[index])[:most])
        groups = [[index] for index in chosen]
        groups.append([index for index in classes if index not in set(chosen)])
        shown = [*(names[index] for index in chosen), OTHERS]
    groups.append([len(names)])
    counts = tuple(
        tuple(sum(matrix[i][j] for i in predicted for j in true) for true in groups)
        for predicted in groups
    )
    return Confusion((*shown, BACKGROUND), counts)
