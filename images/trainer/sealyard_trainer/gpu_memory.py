"""What a run is told whose GPU runs out of memory.

Ultralytics would halve the batch in the first epoch, and say so in its log alone: the run would
learn something else than its spec says, and each of its attempts by chance.
"""

from __future__ import annotations

from sealyard.errors import InvalidError, SealyardError, UnavailableError

_SIGN = "out of memory"
"""In the message of each error of PyTorch's that means it; not all of them have a class of it."""


def refusal(error: RuntimeError, *, batch: int, image_size: int, has_fit: bool) -> SealyardError:
    """The error of the run, in place of PyTorch's.

    Args:
        error: what ended the training.
        batch: of the run.
        image_size: the side of its pictures.
        has_fit: whether an epoch was trained so before, so that a retry may do.

    Raises:
        RuntimeError: `error` itself, if it means something else.
    """
    if _SIGN not in str(error).lower():
        raise error
    what = f"with spec.hyperparameters.batch {batch} and imageSize {image_size}"
    if has_fit:
        return UnavailableError(
            f"the GPU ran out of memory {what}, which have fitted before; another program may use "
            "it, and a smaller batch needs less"
        )
    return InvalidError(
        f"the GPU has too little memory {what}; a smaller batch or a larger GPU is wanted"
    )
