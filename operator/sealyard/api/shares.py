"""What several processes that train together cannot share out: the operator and the trainer say it
alike, the one before pods wait for GPUs, the other where an older operator has not.
"""

from __future__ import annotations


def why_not_shared(*, batch: int, rect: bool, processes: int) -> str | None:
    """Why a batch cannot be shared out among some processes; None where it can.

    Args:
        batch: the pictures of a step, over all of them.
        rect: whether pictures are grouped by shape, which ultralytics cannot share out.
        processes: one for each GPU of each node, or for each node without any.
    """
    if processes == 1:
        return None
    if batch % processes:
        return (
            f"spec.hyperparameters.batch is {batch} and {processes} processes train; "
            f"a multiple of {processes} is wanted"
        )
    if rect:
        return (
            f"spec.hyperparameters.extra.rect is true and {processes} processes train; leave it out"
        )
    return None
