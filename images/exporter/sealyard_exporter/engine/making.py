"""An engine, from the ONNX file that it is built from to the file that is shipped."""

from __future__ import annotations

import ast
import logging
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from sealyard.api.model_release import Platform, VariantSpec
from sealyard.api.tasks import ExportTask
from sealyard_exporter import comparison, judge, onnx_export
from sealyard_exporter.engine import library as libraries
from sealyard_exporter.engine.file import joined
from sealyard_exporter.engine.library import Library
from sealyard_exporter.engine.session import DEVICE, EngineModel
from sealyard_exporter.engine.target import Machine, Target, target_of
from sealyard_exporter.making import Made
from sealyard_exporter.validated import as_validated
from sealyard_trainer.dataset import Dataset

SUFFIX = ".engine"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What builds the engine, and for which GPU."""

    library: Library
    target: Target

    @property
    def capability_to_set(self) -> str | None:
        """TensorRT builds for the GPU that it runs on unless it is told another one."""
        own = self.library.name == "tensorrt" and self.target.is_here
        return None if own else self.target.capability

    @property
    def platform(self) -> Platform:
        """Where the engine runs."""
        return Platform(
            arch=self.target.arch,
            compute_capability=self.target.capability,
            runtime=self.library.name,
            runtime_version=self.library.version,
        )


def plan(variant: VariantSpec) -> Plan:
    """Find the library and the GPU that a variant needs.

    Raises:
        MissingError: one of them is not there.
        InvalidError: the library does not build for what the variant names.
    """
    library = libraries.load(variant.format)
    machine = Machine(platform.machine(), _capability())
    known = library.capabilities
    named = f"{library.name} {library.version}"
    return Plan(library, target_of(variant, machine, known, library=named))


def make(plan: Plan, onnx: Made, checkpoint: Path, validation: Dataset, task: ExportTask) -> Made:
    """Build the engine beside the ONNX file; run and judge it where a GPU that it is for is here.

    Args:
        plan: what builds it.
        onnx: what it is built from; its figures are the engine's where that cannot run.
        checkpoint: what it is compared with.
        validation: what it is judged on.
        task: says how large its pictures are, and how precise it is.

    Raises:
        InvalidError: the library cannot build it.
        IntegrityError: it does not run, or computes something else.
    """
    library, target = plan.library, plan.target
    engine = libraries.build(library, onnx.path.read_bytes(), plan.capability_to_set)
    metadata = onnx_export.metadata_of(onnx.path)
    path = onnx.path.with_suffix(SUFFIX)
    path.write_bytes(joined(metadata, engine))
    if not target.is_here:
        logger.info("no GPU of compute capability %s is here to run it on", target.capability)
        return Made(path, onnx.max_difference, onnx.metrics, "onnx", plan.platform)
    model = EngineModel(library, engine)
    difference = comparison.compare(
        checkpoint,
        comparison.runs_module(model),
        image_size=task.image_size,
        dynamic=False,
        most=comparison.MOST_DIFFERENCE[task.variant.precision],
    )
    metrics = judge.judge_module(
        model,
        validation,
        names=ast.literal_eval(metadata["names"]),
        image_size=task.image_size,
        validated=as_validated(checkpoint),
        device=DEVICE,
        work=path.parent,
    )
    return Made(path, difference, metrics, "file", plan.platform)


def _capability() -> str | None:
    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability(0)
    return f"{major}.{minor}"
