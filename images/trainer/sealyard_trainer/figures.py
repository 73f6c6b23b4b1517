"""What ultralytics' validation says, in our words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sealyard.api.training_run import Metrics

METRIC_KEYS = {
    "map50": "metrics/mAP50(B)",
    "map50_95": "metrics/mAP50-95(B)",
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
}


def read_metrics(values: Mapping[str, Any]) -> Metrics:
    """The figures of a validation; one that is no number is left out."""
    numbers = {name: float(values.get(key, math.nan)) for name, key in METRIC_KEYS.items()}
    return Metrics(
        **{name: round(value, 6) for name, value in numbers.items() if math.isfinite(value)}
    )
