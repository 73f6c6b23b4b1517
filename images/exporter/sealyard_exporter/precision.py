"""From an ONNX file in fp32 to one whose weights need half or a quarter of the room.

Inputs and outputs stay fp32 in both, so that a program takes one file for the other.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from ultralytics.data.augment import LetterBox

from sealyard.api.model_release import Precision
from sealyard.errors import InvalidError

CALIBRATION_PICTURES = 512
"""More of them move no threshold, and each costs a run of the model in fp32."""
FIXED_CONVOLUTION = "/dfl/"
"""It takes the mean of a distribution with the weights 0, 1, 2 …: eight bits would shift boxes."""

Pixels = npt.NDArray[np.float32]


def convert(
    path: Path,
    precision: Precision,
    pictures: Sequence[Path],
    image_size: int,
    *,
    for_engine: bool = False,
) -> None:
    """Make the file one of this precision, in place.

    Args:
        path: an ONNX file in fp32.
        precision: of its weights from now on; fp32 changes nothing.
        pictures: what activations are calibrated on for int8.
        image_size: the side of the square pictures that the model takes.
        for_engine: whether an engine is built from it: TensorRT knows no zero but 0, and no biases
            in eight bits.

    Raises:
        InvalidError: the model cannot be converted.
    """
    if precision == "fp32":
        return
    model = onnx.load(str(path))
    try:
        with warnings.catch_warnings():
            # A weight that is smaller than fp16 can tell from 0 is said by the comparison.
            warnings.simplefilter("ignore")
            if precision == "fp16":
                converted = convert_float_to_float16(model, keep_io_types=True)
            else:
                converted = _quantized(path, pictures, image_size, for_engine)
    except (ValueError, RuntimeError) as error:
        raise InvalidError(f"the model cannot be made {precision}: {str(error)[:300]}") from error
    del converted.metadata_props[:]
    converted.metadata_props.extend(model.metadata_props)
    path.write_bytes(converted.SerializeToString(deterministic=True))


def _quantized(
    path: Path, pictures: Sequence[Path], image_size: int, for_engine: bool
) -> onnx.ModelProto:
    """Static quantisation of the convolutions: signed eight bits, weights by channel.

    As ONNX Runtime recommends it (QDQ with both signed): every execution provider reads it, and no
    instruction set of a processor saturates.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(str(prepared)).graph.node
        (images,) = (one.name for one in onnx.load(str(prepared)).graph.input)
        quantize_static(
            str(prepared),
            str(quantised),
            _Reader(images, _pixels(pictures, image_size)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in nodes if FIXED_CONVOLUTION in node.name],
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": for_engine, "QuantizeBias": not for_engine},
        )
        return onnx.load(str(quantised))


class _Reader(CalibrationDataReader):  # type: ignore[misc] # it has no types
    """Hands one picture after the other to the calibration."""

    def __init__(self, name: str, pictures: Iterable[Pixels]) -> None:
        self._name = name
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, Pixels] | None:
        """The next input of the model, or None at the end."""
        pixels = next(self._pictures, None)
        return None if pixels is None else {self._name: pixels}


def _pixels(pictures: Sequence[Path], size: int) -> Iterator[Pixels]:
    """Each as (1, channel, row, column) with values from 0 to 1, put into a square as in use."""
    fit: Any = LetterBox(new_shape=(size, size), auto=False)
    for path in pictures:
        picture = fit(image=cv2.imread(str(path)))[..., ::-1].transpose(2, 0, 1)
        yield np.ascontiguousarray(picture[None], dtype=np.float32) / np.float32(255)
