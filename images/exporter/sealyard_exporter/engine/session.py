"""Runs an engine on the GPU, as an application would.

It is a PyTorch module, so that ultralytics' validator takes it for a model.
"""

from __future__ import annotations

from typing import Any

import torch

from sealyard.errors import IntegrityError
from sealyard_exporter.engine.library import Library

DEVICE = "cuda:0"


class EngineModel(torch.nn.Module):  # type: ignore[misc] # it has no types
    """An engine with one input, the pictures, whose first output is the boxes.

    Args:
        library: opens it.
        engine: its bytes, without what stands before them in a file.

    Raises:
        IntegrityError: it cannot be opened here.
    """

    def __init__(self, library: Library, engine: bytes) -> None:
        super().__init__()
        trt = library.module
        self._log = library.log
        # An engine goes with the runtime that opened it.
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise self._does_not_run()
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(at) for at in range(self._engine.num_io_tensors)]
        modes = {name: self._engine.get_tensor_mode(name) for name in names}
        (self._input,) = (name for name in names if modes[name] == trt.TensorIOMode.INPUT)
        self._outputs = [name for name in names if name != self._input]

    def forward(self, pixels: Any) -> Any:
        """The raw output for a batch (batch, channel, row, column) with values from 0 to 1.

        Raises:
            IntegrityError: it fails, or its shapes are others than were exported.
        """
        pixels = pixels.to(DEVICE, torch.float32).contiguous()
        outputs = {
            name: torch.empty(
                tuple(self._engine.get_tensor_shape(name)), dtype=torch.float32, device=DEVICE
            )
            for name in self._outputs
        }
        fits = tuple(pixels.shape) == tuple(self._engine.get_tensor_shape(self._input))
        for name, tensor in {self._input: pixels, **outputs}.items():
            fits = fits and self._context.set_tensor_address(name, tensor.data_ptr())
        stream = torch.cuda.current_stream()
        if not fits or not self._context.execute_async_v3(stream.cuda_stream):
            raise self._does_not_run()
        stream.synchronize()
        return outputs[self._outputs[0]]

    def _does_not_run(self) -> IntegrityError:
        return IntegrityError(f"the export does not run: {' '.join(self._log.last.split())[:300]}")
