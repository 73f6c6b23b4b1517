"""The state that a checkpoint is made of, as PyTorch makes it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.training


def test_a_copy_is_the_same_and_stays_so() -> None:
    import torch  # noqa: PLC0415 - seconds that only this test needs

    from sealyard_trainer.host_copy import host_copy  # noqa: PLC0415 - imports it

    def pictures() -> Any:
        return torch.arange(24.0).reshape(1, 2, 3, 4)

    state = {
        "weights": {"plain": pictures(), "last": pictures().to(memory_format=torch.channels_last)},
        "turned": pictures()[0, 0].T,
        "whole": torch.tensor([7, 8]),
        "step": torch.tensor(3.0),
        "groups": [{"lr": 0.1, "params": [0, 1]}],
        "nothing": None,
    }
    copy = host_copy(state)
    tensors = [
        (state["weights"]["plain"], copy["weights"]["plain"]),
        (state["weights"]["last"], copy["weights"]["last"]),
        *((state[name], copy[name]) for name in ("turned", "whole", "step")),
    ]
    for original, copied in tensors:
        assert torch.equal(original, copied)
        # Optimizers refuse those of other strides than their parameters have.
        assert (original.dtype, original.stride()) == (copied.dtype, copied.stride())
        wanted = original.clone()
        original.zero_()
        assert torch.equal(copied, wanted)
    assert copy["groups"] == state["groups"]
    assert copy["nothing"] is None
