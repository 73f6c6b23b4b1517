"""Reads what ultralytics' validator found out about the best model. Nothing is computed again."""

from __future__ import annotations

from typing import Any

from sealyard_trainer.report.model import ClassResult, Evaluation

CURVE_STEP = 5
"""The validator has precision at 1,000 values of recall; every fifth is enough to look at."""


def read_evaluation(validator: Any) -> Evaluation:
    """The figures of an ultralytics `DetectionValidator` after its last pass.

    It counts the confusion matrix only if `plots` is on.
    """
    box = validator.metrics.box
    counts = validator.metrics.nt_per_class
    classes = []
    for row, class_index in enumerate(int(index) for index in box.ap_class_index):
        precision, recall, ap50, ap50_95 = (float(value) for value in box.class_result(row))
        classes.append(
            ClassResult(
                class_index=class_index,
                boxes=int(counts[class_index]),
                precision=precision,
                recall=recall,
                ap50=ap50,
                ap50_95=ap50_95,
                curve=tuple(float(value) for value in box.prec_values[row][::CURVE_STEP]),
            )
        )
    matrix = validator.confusion_matrix.matrix if validator.args.plots else ()
    return Evaluation(
        recalls=tuple(float(value) for value in box.px[::CURVE_STEP]) if classes else (),
        classes=tuple(classes),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
    )
