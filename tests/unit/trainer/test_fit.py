from __future__ import annotations

import pytest

from sealyard_trainer.fit import Shapes, fits

MODEL: Shapes = {
    "model.0.conv.weight": (8, 3, 3, 3),
    "model.1.conv.weight": (16, 8, 3, 3),
    "model.10.cv3.0.weight": (2, 16, 1, 1),
}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, True),
        ({"model.10.cv3.0.weight": (80, 16, 1, 1)}, True),
        ({"model.1.conv.weight": (32, 8, 3, 3)}, False),
        ({"model.2.conv.weight": (16, 16, 3, 3)}, False),
        ({"model.11.cv3.0.weight": (2, 16, 1, 1)}, False),
    ],
)
def test_all_but_the_head_must_be_the_same(changes: Shapes, verdict: bool) -> None:
    assert fits({**MODEL, **changes}, MODEL) is verdict
    assert fits(MODEL, {**MODEL, **changes}) is verdict


def test_nothing_fits_nothing_but_itself() -> None:
    assert not fits({}, MODEL)
    assert fits({}, {})
