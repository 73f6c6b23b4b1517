"""Several processes, and what they cannot share out."""

from __future__ import annotations

from typing import Any

import pytest

from support.builders import SHARED_CLAIMS, a_training_run, says
from support.profiles import a_compute_profile, the_default
from support.run_attempts import plan_of, started

PROFILE = (
    a_compute_profile()
    .with_spec("maxNodes", 4)
    .with_spec("gpus", {"default": 1, "min": 1, "max": 4})
)


@pytest.mark.parametrize(
    ("compute", "hyperparameters", "said"),
    [
        ({"gpus": 1}, {"batch": 7}, None),
        ({"gpus": 2}, {"batch": 8}, None),
        ({"gpus": 2}, {"batch": 7}, "batch is 7 and 2 processes train; a multiple of 2 is wanted"),
        ({"nodes": 2, "gpus": 2}, {"batch": 6}, "batch is 6 and 4 processes train"),
        ({"nodes": 3}, {"batch": 8}, "batch is 8 and 3 processes train"),
        ({"gpus": 2}, {"batch": 8, "extra": {"rect": True}}, "extra.rect is true and 2 processes"),
        ({"gpus": 1}, {"batch": 8, "extra": {"rect": True}}, None),
    ],
)
def test_what_is_shared_out(
    compute: dict[str, Any], hyperparameters: dict[str, Any], said: str | None
) -> None:
    run = a_training_run().with_spec("compute", compute)
    for field, value in hyperparameters.items():
        run = run.with_spec(f"hyperparameters.{field}", value)
    plan = plan_of(run.observed(claims=SHARED_CLAIMS, profiles=the_default(PROFILE)))
    if said is None:
        assert says(plan)[2] != "InvalidSpec"
    else:
        assert says(plan)[:3] == ("Pending", "FFT", "InvalidSpec")
        assert said in says(plan)[3]
        assert plan.create == ()


def test_a_profile_that_has_changed_ends_nothing() -> None:
    """A run that has learnt something goes on once the number fits again."""
    run = started().with_spec("hyperparameters.batch", 16)
    three = PROFILE.with_spec("gpus", {"default": 3, "min": 1, "max": 4})
    waiting = plan_of(run.observed(claims=SHARED_CLAIMS, profiles=the_default(three)))
    assert says(waiting)[:3] == ("Pending", "FFT", "InvalidSpec")
