"""Whether a checkpoint is of the architecture that is to be trained: its tensors' shapes say."""

from __future__ import annotations

from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]
"""Of each tensor by its name in the state dict: `model.0.conv.weight`, say."""


def fits(found: Shapes, wanted: Shapes) -> bool:
    """Whether both are the same but for the head, whose size depends on the classes.

    Names of architectures would not do: a width or depth of one's own changes none of them.
    """
    return _body(found) == _body(wanted)


def _body(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Everything before the last layer."""
    head = max((_layer(name) for name in shapes), default=0)
    return {name: tuple(shape) for name, shape in shapes.items() if _layer(name) != head}


def _layer(name: str) -> int:
    number = name.split(".")[1:2]
    return int(number[0]) if number and number[0].isdecimal() else -1
