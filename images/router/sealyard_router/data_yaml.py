"""`data.yaml` of the folders in which annotations are filed: a YOLO dataset for whoever looks."""

from __future__ import annotations

import json
from collections.abc import Sequence


def data_yaml(classes: Sequence[str]) -> str:
    """The document. Ultralytics wants both sets named; a run on the route splits them by id."""
    names = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(classes))
    return f"path: .\ntrain: images\nval: images\nnames:\n{names}"
