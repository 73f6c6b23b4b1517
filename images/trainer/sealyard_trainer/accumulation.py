"""Steps of the optimizer, each after several batches, that an interruption does not shift.

Ultralytics counts the batches since the last step in a variable of its own, and throws away what
they have accumulated, each time that it starts. So here it is told that each batch is followed by a
step, and which of them is one is decided by the same rule, from a count that a checkpoint keeps.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from typing import Any

from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import unwrap_model


class Accumulating(DetectionTrainer):  # type: ignore[misc]
    """Goes on with batches that no step has followed yet."""

    _accumulate: int
    """How many batches a step is made of, at this point of the warm-up."""
    _waiting: int | None = None
    """How many batches wait for a step; None before the first epoch of an attempt."""
    _kept: dict[str, Any] | None = None
    """What an earlier attempt has accumulated, until the first epoch begins: before that,
    ultralytics clears all gradients."""

    @property
    def accumulate(self) -> int:
        """What ultralytics compares its own count with; and before that, what it computes with."""
        return self._accumulate if self._waiting is None else 1

    @accumulate.setter
    def accumulate(self, batches: int) -> None:
        self._accumulate = batches

    def accumulated(self) -> dict[str, Any]:
        """What waits for a step at the end of an epoch, as a checkpoint keeps it.

        The tensors are copies: the next batches add to those of the model.
        """
        gradients = {
            name: parameter.grad.to("cpu", copy=True)
            for name, parameter in unwrap_model(self.model).named_parameters()
            if self._waiting and parameter.grad is not None
        }
        return {"batches": self._waiting, "gradients": gradients}

    def go_on_with(self, accumulated: dict[str, Any]) -> None:
        """Take up what an earlier attempt has accumulated; before the first epoch of this one."""
        self._kept = accumulated

    def _model_train(self) -> None:
        """Begin an epoch."""
        super()._model_train()
        if self._waiting is not None:
            return
        if self._kept is None:
            # As ultralytics has it: the first batch counts from the beginning of the run.
            self._waiting = self.start_epoch * len(self.train_loader)
            return
        self._waiting, gradients = self._kept["batches"], self._kept["gradients"]
        for name, parameter in unwrap_model(self.model).named_parameters():
            if name in gradients:
                parameter.grad = gradients[name].to(parameter.device, copy=True)
        self._kept = None

    def optimizer_step(self) -> None:
        """After each batch: a step, if it is time for one."""
        self._waiting = (self._waiting or 0) + 1
        if self._waiting >= self._accumulate:
            super().optimizer_step()
            self._waiting = 0

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Go back to the last checkpoint where the loss is no number; its gradients are void."""
        recovers = bool(super()._handle_nan_recovery(epoch))
        if recovers:
            self._waiting = epoch * len(self.train_loader)
        return recovers
