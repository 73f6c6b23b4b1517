from __future__ import annotations

import math
from typing import Any

import pytest

from sealyard.core.known_arguments import CHOICES, DENIED, problems_of
from sealyard.core.ultralytics_data import ARGUMENTS
from support.builders import a_training_run

EXTRA = "spec.hyperparameters.extra"


def problems(extra: dict[str, Any], architecture: str = "yolo11n.yaml") -> list[str]:
    run = a_training_run().with_spec("hyperparameters.extra", extra)
    return problems_of(run.with_spec("model.architecture", architecture).build().spec)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"lr0": 0.002, "cos_lr": True, "mosaic": 0.0, "nbs": 16},
        {"lr0": 0, "mosaic": 1},
        {"close_mosaic": 5.0},
        {"cache": True},
        {"cache": "ram"},
        {"amp": False},
        {"amp": "bf16"},
        {"freeze": 10},
        {"freeze": [0, 1, "23.cv2"]},
        {"scale": [0.5, 1.5]},
        {"degrees": -10.5},
        {"fraction": 0.5},
        {"auto_augment": "augmix"},
    ],
)
def test_what_ultralytics_takes_is_taken(extra: dict[str, Any]) -> None:
    assert problems(extra) == []


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (
            {"lr": 0.1},
            (
                f"{EXTRA}.lr: ultralytics 8.4.190 has no such training argument; "
                "did you mean lrf, lr0?"
            ),
        ),
        (
            {"moasic": 1},
            (
                f"{EXTRA}.moasic: ultralytics 8.4.190 has no such training argument; "
                "did you mean mosaic?"
            ),
        ),
        ({"zzzz": 1}, f"{EXTRA}.zzzz: ultralytics 8.4.190 has no such training argument"),
        ({"lr0": "0.1"}, f"{EXTRA}.lr0: '0.1' must be a number"),
        ({"lr0": True}, f"{EXTRA}.lr0: 'True' must be a number"),
        ({"lr0": None}, f"{EXTRA}.lr0: 'None' must be a number"),
        ({"lr0": 2}, f"{EXTRA}.lr0: '2' must be between 0 and 1"),
        ({"lr0": -0.1}, f"{EXTRA}.lr0: '-0.1' must be between 0 and 1"),
        ({"nbs": 0}, f"{EXTRA}.nbs: '0' must be 1 or more"),
        ({"nbs": 1.5}, f"{EXTRA}.nbs: '1.5' must be a whole number"),
        ({"cos_lr": 1}, f"{EXTRA}.cos_lr: '1' must be true or false"),
        ({"cos_lr": "yes"}, f"{EXTRA}.cos_lr: 'yes' must be true or false"),
        ({"cache": "disk"}, f"{EXTRA}.cache: 'disk' must be true or false or ram"),
        ({"freeze": {"a": 1}}, f"{EXTRA}.freeze: \"{{'a': 1}}\" must be a whole number or a list"),
        ({"freeze": [True]}, f"{EXTRA}.freeze: '[True]' must be a whole number or a list"),
        (
            {"degrees": 10**30},
            (
                f"{EXTRA}.degrees: '1{'0' * 30}' must be between "
                "-9007199254740992 and 9007199254740992"
            ),
        ),
        ({"degrees": math.inf}, f"{EXTRA}.degrees: 'inf' must be a finite number"),
        ({"degrees": math.nan}, f"{EXTRA}.degrees: 'nan' must be a finite number"),
        (
            {"project": "/etc"},
            f"{EXTRA}.project is not allowed: the operator decides where files are written",
        ),
        (
            {"epochs": 3},
            f"{EXTRA}.epochs is not allowed: set spec.hyperparameters.epochs instead",
        ),
        (
            {"save_dir": "/tmp"},  # noqa: S108 - a path that must be refused
            f"{EXTRA}.save_dir is not allowed: the operator decides where files are written",
        ),
    ],
)
def test_what_it_would_refuse_is_named(extra: dict[str, Any], problem: str) -> None:
    assert problems(extra) == [problem]


def test_an_unknown_architecture_is_named_with_its_neighbours() -> None:
    assert problems({}, "yolo11m0.yaml") == [
        (
            "spec.model.architecture: yolo11m0.yaml is no detection architecture of ultralytics "
            "8.4.190; did you mean yolo11m.yaml, yolo12m.yaml, yolo11x.yaml?"
        )
    ]


@pytest.mark.parametrize("name", ["yolo11n-seg.yaml", "rtdetr-l.yaml", "yolov8n-world.yaml"])
def test_architectures_for_other_tasks_are_refused(name: str) -> None:
    assert problems({}, name)[0].startswith(f"spec.model.architecture: {name} is no detection")


def test_of_many_problems_three_are_told() -> None:
    found = problems({"a1": 1, "b1": 1, "c1": 1, "d1": 1, "e1": 1})
    assert len(found) == 4
    assert found[-1] == "and 2 more"


def test_every_string_argument_that_is_allowed_has_choices() -> None:
    """A free string could be a path; each must be denied, or one of a few words."""
    free = {name for name, argument in ARGUMENTS.items() if "str" in argument.kinds}
    assert free - DENIED.keys() == CHOICES.keys()
