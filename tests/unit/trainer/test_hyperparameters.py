from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.training_run import Hyperparameters
from sealyard.core.known_arguments import DENIED
from sealyard.errors import InvalidError
from sealyard_trainer.hyperparameters import FIELDS, OURS, to_arguments


def with_extra(**extra: Any) -> Hyperparameters:
    return Hyperparameters(extra=extra)


def test_fields_have_ultralytics_names() -> None:
    hyperparameters = Hyperparameters(
        epochs=3, image_size=64, batch=8, seed=7, patience=5, optimizer="AdamW"
    )
    assert to_arguments(hyperparameters) == {
        "epochs": 3,
        "imgsz": 64,
        "batch": 8,
        "seed": 7,
        "patience": 5,
        "optimizer": "AdamW",
    }


def test_extra_is_handed_on() -> None:
    arguments = to_arguments(with_extra(lr0=0.002, cos_lr=True, scale=[0.5, 1.5]))
    assert (arguments["lr0"], arguments["cos_lr"], arguments["scale"]) == (0.002, True, [0.5, 1.5])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"imgsz": 64},
            "spec.hyperparameters.extra.imgsz is not allowed; set spec.hyperparameters",
        ),
        ({"resume": True}, "extra.resume is not allowed; the trainer sets it itself"),
        ({"save_dir": "/"}, "spec.hyperparameters.extra.save_dir is not allowed"),
        ({"pretrained": "x.pt"}, "spec.hyperparameters.extra.pretrained is not allowed"),
    ],
)
def test_what_is_ours_cannot_be_overridden(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError, match=message.replace(".", r"\.")):
        to_arguments(with_extra(**extra))


def test_the_operator_lets_through_nothing_that_is_refused_here() -> None:
    assert OURS | set(FIELDS.values()) <= DENIED.keys()
