"""Ultralytics' trainer as one of several processes that PyTorch's launcher has started.

It would start them itself, as another program that knows nothing of ours, and counts them by the
GPUs of one machine. So the number of processes is taken from the launcher, and where there is no
GPU, what is meant for one is taken out of its way.

Imported after `work_offline`, because importing ultralytics reads the environment: also which of
the processes this is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import distributed
from torch.nn import parallel
from ultralytics.engine import validator
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.utils import RANK, WORLD_SIZE

from sealyard_trainer.ultralytics_trainer import Trainer

TIMEOUT = timedelta(hours=3)
"""Ultralytics' own, for one process that waits for another: the first may write a checkpoint."""


def number_of_processes() -> int:
    """How many of them train; 1 where this one is alone."""
    return WORLD_SIZE if RANK >= 0 else 1


def leave() -> None:
    """Part from the others, if there are any: nobody waits for this process any more."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class OneOfSeveral(Trainer):
    """Trains a share of each batch; the gradients of all are averaged."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.world_size = WORLD_SIZE

    @property
    def _has_gpu(self) -> bool:
        return bool(self.device.type != "cpu")

    def _setup_ddp(self) -> None:
        """Join the others."""
        if self._has_gpu:
            super()._setup_ddp()
        else:
            distributed.init_process_group("gloo", timeout=TIMEOUT)

    def _setup_train(self) -> None:
        """Build the model, wrapped so that gradients are averaged."""
        with self._without_gpu(patch.object(parallel, "DistributedDataParallel", _OnCpu)):
            super()._setup_train()

    def final_eval(self) -> None:
        """Validate the best model, each process a share of the pictures."""
        change = patch.multiple(
            validator, AutoBackend=_backend_on_cpu, get_torch_device_backend=_no_gpu
        )
        with self._without_gpu(change):
            super().final_eval()

    @contextmanager
    def _without_gpu(self, change: AbstractContextManager[Any]) -> Iterator[None]:
        if self._has_gpu:
            yield
            return
        with change:
            yield


class _OnCpu(parallel.DistributedDataParallel):  # type: ignore[misc]
    """Of a module that is on no device with a number."""

    def __init__(self, module: Any, device_ids: Any = None, **arguments: Any) -> None:
        del device_ids
        super().__init__(module, **arguments)


def _backend_on_cpu(**arguments: Any) -> Any:
    """The validator of the best model would take the GPU that PyTorch says this process has."""
    return AutoBackend(**{**arguments, "device": torch.device("cpu")})


def _no_gpu(_type: str) -> Any:
    return SimpleNamespace(current_device=lambda: 0)
