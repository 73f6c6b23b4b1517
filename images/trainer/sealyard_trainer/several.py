"""Ultralytics' trainer as one of several processes that PyTorch's launcher has started.

It would start them itself, as another program that knows nothing of ours, and counts them by the
GPUs of one machine. So the number of processes is taken from the launcher, and where there is no
GPU, what is meant for one is taken out of its way.

Imported after `work_offline`, because importing ultralytics reads the environment: also which of
the processes this is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import distributed
from torch.nn import parallel
from ultralytics.engine import trainer, validator
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils import LOCAL_RANK, RANK, WORLD_SIZE

from sealyard_trainer.node_files import bring, on_first_node
from sealyard_trainer.ultralytics_trainer import Trainer

TIMEOUT = timedelta(hours=3)
"""Ultralytics' own, for one process that waits for another: the first may write a checkpoint."""


def number_of_processes() -> int:
    """How many of them train; 1 where this one is alone."""
    return WORLD_SIZE if RANK >= 0 else 1


def join(gpus: int) -> None:
    """Meet the others, as ultralytics does once its trainer is there.

    Args:
        gpus: of this node; each process has one of them.
    """
    if not gpus:
        distributed.init_process_group("gloo", timeout=TIMEOUT)
        return
    torch.cuda.set_device(LOCAL_RANK)
    os.environ["TORCH_NCCL_BLOCKING_WAIT"] = "1"  # without which there is no timeout
    distributed.init_process_group("nccl", timeout=TIMEOUT)


def leave() -> None:
    """Part from the others, if there are any: nobody waits for this process any more."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class OneOfSeveral(Trainer):
    """Trains a share of each batch; the gradients of all are averaged."""

    has_copies = False
    """Whether each node has a folder of its own, which the first one's files are brought to."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.world_size = WORLD_SIZE

    @property
    def _has_gpu(self) -> bool:
        return bool(self.device.type != "cpu")

    def _setup_ddp(self) -> None:
        """Join the others, unless that is done, and take a device."""
        is_done = distributed.is_initialized()
        if self._has_gpu:
            with patch.object(distributed, "init_process_group") if is_done else nullcontext():
                super()._setup_ddp()
        elif not is_done:
            join(0)

    def _setup_train(self) -> None:
        """Build the model, wrapped so that gradients are averaged."""
        with self._without_gpu(patch.object(parallel, "DistributedDataParallel", _OnCpu)):
            super()._setup_train()
        if self.has_copies and not on_first_node():
            # Each process looks whether it is there before it is loaded, which brings it.
            self.last.parent.mkdir(parents=True, exist_ok=True)
            self.last.touch()

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Go back to the last checkpoint where an epoch came to nothing."""
        with patch.object(trainer, "load_checkpoint", self._load_checkpoint):
            return bool(super()._handle_nan_recovery(epoch))

    def _load_checkpoint(self, path: Path) -> Any:
        if self.has_copies:
            bring(path)
        return load_checkpoint(path)

    def final_eval(self) -> None:
        """Validate the best model, each process a share of the pictures."""
        if self.has_copies:
            bring(self.best)
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
