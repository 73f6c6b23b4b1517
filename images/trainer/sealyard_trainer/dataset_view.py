"""Shows the dataset to ultralytics through links in scratch, with a data.yaml of our own.

Ultralytics writes caches beside labels, mends pictures in place and runs what a data.yaml tells it
to. Through the view it sees only what was checked, and writes where nothing is lost.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from sealyard_trainer.data_yaml import DATA_FILE, SPLITS
from sealyard_trainer.dataset import Dataset, label_path


def make_view(dataset: Dataset, folder: Path) -> Path:
    """Link every picture and label into `folder` and give the path of its data.yaml."""
    folders: set[Path] = set()
    for picture in dataset.pictures:
        name = f"{picture.split}/images/{picture.path}"
        _link(dataset.root / picture.path, folder / name, folders)
        label = dataset.root / picture.label_path
        if label.exists():
            _link(label, folder / label_path(name), folders)
    description = {
        "path": str(folder),
        **{split: f"{split}/images" for split in SPLITS},
        "names": dict(enumerate(dataset.names)),
    }
    path = folder / DATA_FILE
    path.write_text(yaml.safe_dump(description, sort_keys=False, allow_unicode=True))
    return path


def _link(target: Path, link: Path, folders: set[Path]) -> None:
    if link.parent not in folders:
        link.parent.mkdir(parents=True, exist_ok=True)
        folders.add(link.parent)
    # Two pictures of one name and different suffixes share their labels.
    if not link.is_symlink():
        link.symlink_to(target)
