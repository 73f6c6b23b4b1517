"""Which of several pods speaks for all of them."""

from __future__ import annotations

import pytest

from sealyard.core.nodes import speaker
from sealyard.core.observed import ObservedPod
from support.builders import at


def pod(index: int, code: int | None = None, ended: float | None = None) -> ObservedPod:
    ended_at = None if ended is None else at(ended)
    return ObservedPod(
        f"pod-{index}", f"uid-{index}", "Running", exit_code=code, ended_at=ended_at, index=index
    )


@pytest.mark.parametrize(
    ("pods", "index"),
    [
        ([], None),
        ([pod(1), pod(0)], 0),
        ([pod(1)], 1),
        ([pod(0, 0, 9), pod(1, 0, 5)], 0),
        ([pod(0, 0, 9), pod(1, 143, 10)], 1),
        # Who lost another ends after it.
        ([pod(0, 70, 9), pod(1, 137, 5), pod(2, 70, 9)], 1),
        ([pod(0, 70, 9), pod(1, 64, None)], 0),
        ([pod(0), pod(1, 137, 5)], 1),
        ([pod(2, 66, 5), pod(1, 66, 5)], 1),
    ],
)
def test_the_first_failure_counts(pods: list[ObservedPod], index: int | None) -> None:
    found = speaker(pods, "Active")
    assert (found.index if found else None) == index


def test_once_all_is_done_the_first_speaks() -> None:
    found = speaker([pod(0, 0, 9), pod(1, 70, 10)], "Complete")
    assert found is not None
    assert found.index == 0
