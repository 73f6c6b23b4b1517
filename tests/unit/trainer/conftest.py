"""A dataset as small as one can be, and right; tests break it in one place each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DATA_YAML = "train: images/train\nval: images/val\nnames: [coin, button]\n"
PICTURES = {"train": ("a.png", "b.jpg", "c.png"), "val": ("d.png",)}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three pictures to train on, one of them without labels, and one to validate with."""
    root = tmp_path / "dataset"
    random = np.random.default_rng(3)
    for split, names in PICTURES.items():
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for name in names:
            pixels = random.integers(0, 255, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / split / name)
            label = root / "labels" / split / Path(name).with_suffix(".txt")
            label.write_text("0 0.5 0.5 0.25 0.25\n\n1 0.25 0.75 0.5 0.5\n")
    (root / "labels/train/c.txt").unlink()
    (root / "data.yaml").write_text(DATA_YAML)
    return root
