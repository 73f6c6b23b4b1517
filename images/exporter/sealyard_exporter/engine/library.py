"""TensorRT, or TensorRT for RTX: two libraries whose calls are the same, and both are optional.

Neither is in the image that the Dockerfile makes by default: NVIDIA licenses them, and TensorRT
itself comes from NVIDIA's own index. This is the only module that knows how they differ.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealyard.api.model_release import VariantFormat
from sealyard.errors import InvalidError, MissingError

CAPABILITY_PREFIX = "SM"
"""Of the members of ComputeCapability: SM86 is 8.6, SM120 is 12.0."""
MODULES: Mapping[VariantFormat, tuple[str, ...]] = {
    "tensorrt": ("tensorrt",),
    # The first has the shared libraries, and loads them when it is imported.
    "tensorrt-rtx": ("onnxruntime_ep_nv_tensorrt_rtx", "tensorrt_rtx_bindings"),
}
REMEDIES: Mapping[VariantFormat, str] = {
    "tensorrt": "build the image with TENSORRT=1 (images/exporter/Dockerfile)",
    "tensorrt-rtx": "build the image with TENSORRT_RTX=1 (images/exporter/Dockerfile)",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Library:
    """One of the two, loaded.

    Attributes:
        name: the format that it builds.
        module: with `Builder`, `OnnxParser`, `Runtime` and the rest.
        log: keeps what the library last complained about.
    """

    name: VariantFormat
    module: Any
    log: Any

    @property
    def version(self) -> str:
        """As an engine demands it of the runtime that opens it."""
        return str(self.module.__version__)

    @property
    def capabilities(self) -> frozenset[str]:
        """The compute capabilities that it builds for without such a GPU."""
        members = getattr(getattr(self.module, "ComputeCapability", None), "__members__", {})
        digits = (name.removeprefix(CAPABILITY_PREFIX) for name in members)
        return frozenset(f"{number[:-1]}.{number[-1]}" for number in digits if number.isdecimal())


def load(name: VariantFormat) -> Library:
    """Load the library that builds this format.

    Raises:
        MissingError: it is not installed, or what it needs is not; says how to get it.
    """
    try:
        *_, module = [importlib.import_module(one) for one in MODULES[name]]
    except (ImportError, OSError) as error:
        raise MissingError(
            f"the exporter's image has no {name}: {REMEDIES[name]} ({str(error)[:200]})"
        ) from error
    return Library(name, module, _log(module))


def build(library: Library, onnx: bytes, capability: str | None) -> bytes:
    """Build an engine with the types that the ONNX file has, whatever would be faster.

    Args:
        library: builds it.
        onnx: the model.
        capability: the compute capability of the GPU that it is for; None for the one here.

    Raises:
        InvalidError: the library cannot build it; with its own words.
    """
    trt = library.module
    builder = trt.Builder(library.log)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, library.log)
    if not parser.parse(onnx):
        said = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise _not_built(library, said)
    config = builder.create_builder_config()
    # fp32 is what was asked for; TF32 keeps ten of its 23 digits.
    config.clear_flag(trt.BuilderFlag.TF32)
    if capability is not None:
        config.num_compute_capabilities = 1
        wanted = trt.ComputeCapability.__members__[CAPABILITY_PREFIX + capability.replace(".", "")]
        if not config.set_compute_capability(wanted, 0):
            raise _not_built(library, f"compute capability {capability} is refused")
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _not_built(library, library.log.last)
    return bytes(engine)


def _not_built(library: Library, said: str) -> InvalidError:
    return InvalidError(
        f"{library.name} {library.version} cannot build the engine: {' '.join(said.split())[:300]}"
    )


def _log(trt: Any) -> Any:
    """A log of the library's own kind that writes to ours."""

    class Log(trt.ILogger):  # type: ignore[misc] # it has no types
        last = "it does not say why"

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = message
                logger.warning("%s", message)

    return Log()
