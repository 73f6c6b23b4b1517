"""Which of several pods that train together speaks for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sealyard.core.observed import ObservedPod


def speaker(
    pods: Sequence[ObservedPod], state: Literal["Active", "Complete", "Failed"]
) -> ObservedPod | None:
    """The one whose failure is the cause, or else the first of them, which has the answer.

    When one ends, the others lose it and end, too; so of failures the earliest counts. Once all is
    done none does: the first had its answer, and who was left behind then lost it.

    Args:
        pods: one for each index.
        state: of what they belong to.
    """
    failed = [pod for pod in pods if pod.exit_code and state != "Complete"]
    if failed:
        return min(failed, key=lambda pod: (pod.ended_at is None, pod.ended_at or 0, pod.index))
    return min(pods, key=lambda pod: pod.index, default=None)
