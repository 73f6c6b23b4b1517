"""A GPU whose memory is too small ends the run in one line, or has it tried again."""

from __future__ import annotations

import pytest

from sealyard.errors import InvalidError, SealyardError, UnavailableError
from sealyard_trainer.gpu_memory import refusal

NO_MEMORY = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of …")
ASKED = "with spec.hyperparameters.batch 64 and imageSize 640"
TOO_SMALL = f"the GPU has too little memory {ASKED}; a smaller batch or a larger GPU is wanted"
FULL = (
    f"the GPU ran out of memory {ASKED}, which have fitted before; another program may use it, and "
    "a smaller batch needs less"
)


@pytest.mark.parametrize(
    ("has_fit", "kind", "text"),
    [(False, InvalidError, TOO_SMALL), (True, UnavailableError, FULL)],
)
def test_what_is_said(has_fit: bool, kind: type[SealyardError], text: str) -> None:
    error = refusal(NO_MEMORY, batch=64, image_size=640, has_fit=has_fit)
    assert (type(error), str(error)) == (kind, text)


def test_any_other_error_stays_what_it_is() -> None:
    other = RuntimeError("CUDA error: device-side assert triggered")
    with pytest.raises(RuntimeError, match="device-side assert"):
        refusal(other, batch=64, image_size=640, has_fit=False)
