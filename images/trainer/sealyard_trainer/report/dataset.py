"""Collects the dataset's part of a report."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_check import Inspection
from sealyard_trainer.report.model import DatasetPart, Picture, Split
from sealyard_trainer.report.pictures import choose, make_picture, open_picture, read_marks

SAMPLES = 12


def collect_dataset(
    dataset: Dataset, inspection: Inspection, augmented: Sequence[Picture] = ()
) -> DatasetPart:
    """What there is, from the counts of the check, and a few pictures of it."""
    splits = tuple(
        Split(
            name=split,
            pictures=inspection.pictures[split],
            boxes=inspection.boxes[split],
            pictures_without_boxes=measures.pictures_without_boxes,
            boxes_by_class=tuple(measures.boxes_by_class),
        )
        for split, measures in sorted(inspection.measures.items())
    )
    grids = [measures.sizes for measures in inspection.measures.values()]
    sizes = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*grids, strict=True)]
    samples = [
        make_picture(source.path, open_picture(dataset.root / source.path), marks)
        for source in choose(dataset.pictures, SAMPLES)
        for marks in [read_marks(dataset, source)]
    ]
    return DatasetPart(
        names=dataset.names,
        digest=inspection.digest,
        splits=splits,
        sizes=sizes,
        samples=tuple(samples),
        augmented=tuple(augmented),
    )
