"""What a checkpoint of ultralytics lacks for a run to go on as if nobody had interrupted it.

It has the averaged weights alone, which lag behind those that are trained, rounds them and the
optimizer's state to half precision, and knows nothing of chance, nor of gradients that wait for a
step. What is added here lies in the optimizer's state, because that is what ultralytics takes out
of a model that is done.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final, Self

import numpy as np
import torch
from torch.utils.data import Sampler
from ultralytics.utils.torch_utils import unwrap_model

from sealyard_trainer.host_copy import host_copy

KEY: Final = "sealyard"


def with_exact_state(optimizer: dict[str, Any], trainer: Any, *, is_alone: bool) -> dict[str, Any]:
    """A copy of the optimizer's state with the rest beside it, as a checkpoint keeps it.

    Args:
        optimizer: `state_dict` of the trainer's, in full precision.
        trainer: ultralytics' own, at the end of an epoch.
        is_alone: no other process trains with it: each of several has a chance of its own.
    """
    return {
        **host_copy(optimizer),
        KEY: {
            "model": host_copy(unwrap_model(trainer.model).state_dict()),
            "ema": host_copy(trainer.ema.ema.state_dict()),
            "accumulated": host_copy(trainer.accumulated()),
            "chance": _chance(trainer) if is_alone else None,
        },
    }


def restore(checkpoint: dict[str, Any], trainer: Any, *, is_alone: bool) -> None:
    """Put it back, after ultralytics has done its part. One that has nothing of it is left so.

    Args:
        checkpoint: as ultralytics loads it.
        trainer: about to begin an epoch.
        is_alone: as above.
    """
    state = (checkpoint.get("optimizer") or {}).get(KEY)
    if state is None:
        return
    unwrap_model(trainer.model).load_state_dict(state["model"])
    trainer.ema.ema.load_state_dict(state["ema"])
    if (accumulated := state.get("accumulated")) is not None:
        trainer.go_on_with(accumulated)
    if is_alone and state["chance"] is not None:
        _set_chance(trainer, state["chance"])


class Shuffle(Sampler):  # type: ignore[misc]
    """Shuffles by a chance of its own, from which it draws once for each epoch.

    PyTorch's sampler draws once more when an epoch is over, and shares its chance with the loader,
    which draws from it each time that it begins anew: once in a run that is never interrupted, when
    mosaics end, and once in each process after that.
    """

    def __init__(self, loader: Any) -> None:
        self._size = len(loader.sampler)
        self.generator = torch.Generator()
        self.generator.set_state(loader.generator.get_state())

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(self._size, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self._size

    @classmethod
    def into(cls, loader: Any) -> None:
        """Have it shuffle what a loader of ultralytics' loads."""
        loader.batch_sampler.sampler.sampler = cls(loader)

    @classmethod
    def of(cls, trainer: Any) -> Self | None:
        """That of what is trained on; None where nothing is shuffled, as with `rect`."""
        found = trainer.train_loader.batch_sampler.sampler.sampler
        return found if isinstance(found, cls) else None


def _chance(trainer: Any) -> dict[str, Any]:
    """In tensors and numbers: ultralytics loads nothing else from a file that it was given."""
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    shuffle = Shuffle.of(trainer)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        # Processes that load ahead have drawn from it for the next epoch already.
        "shuffle": shuffle.generator.get_state() if shuffle else None,
        # What mosaics choose from: the pictures that were loaded last, by their numbers.
        "buffer": list(trainer.train_loader.dataset.buffer),
    }


def _set_chance(trainer: Any, state: dict[str, Any]) -> None:
    for number in state["buffer"]:
        trainer.train_loader.dataset.load_image(number)
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    shuffle = Shuffle.of(trainer)
    if shuffle and state["shuffle"] is not None:
        shuffle.generator.set_state(state["shuffle"].cpu())
