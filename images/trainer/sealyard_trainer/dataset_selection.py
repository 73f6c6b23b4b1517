"""Which files of a store a dataset needs, before any of them is there but data.yaml and its lists.

Nothing is judged here: what data.yaml leads to wrongly is left out, and whoever reads the dataset
says so, as of a folder.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence

from sealyard_trainer.data_yaml import DataYaml
from sealyard_trainer.dataset import PICTURE_SUFFIXES, label_path

LIST_SUFFIX = ".txt"


def lists_of(description: DataYaml, splits: Sequence[str], paths: Collection[str]) -> set[str]:
    """The text files that list pictures of these splits.

    Args:
        description: what data.yaml says.
        splits: those that are wanted.
        paths: of all files that there are, relative to the folder of data.yaml.
    """
    return {
        path
        for path in _entries(description, splits)
        if path.lower().endswith(LIST_SUFFIX) and path in paths
    }


def files_of(
    description: DataYaml,
    splits: Sequence[str],
    paths: Collection[str],
    lists: Mapping[str, Sequence[str]],
) -> set[str]:
    """The pictures of these splits with their labels, and whatever else lies among them.

    Args:
        description: what data.yaml says.
        splits: those that are wanted.
        paths: of all files that there are.
        lists: the lines of what `lists_of` gave, by path.
    """
    found: set[str] = set(lists)
    base = _joined(".", description.path) or "."
    for entry in _entries(description, splits):
        if entry in lists:
            found |= set(_listed(entry, base, lists[entry])).intersection(paths)
        else:
            found |= set(_below(entry, paths))
    labels = {label_path(path) for path in found if _is_picture(path)}
    return found | labels.intersection(paths)


def _entries(description: DataYaml, splits: Sequence[str]) -> Iterator[str]:
    base = _joined(".", description.path)
    if base is None:
        return
    for split in splits:
        for entry in description.splits[split]:
            path = _joined(base, entry)
            if path is not None:
                yield path


def _listed(file: str, base: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        entry = line.strip()
        # As in ultralytics: what begins with ./ lies beside the list.
        path = _joined(posixpath.dirname(file) if entry.startswith("./") else base, entry)
        if path is not None:
            yield path


def _below(folder: str, paths: Collection[str]) -> Iterator[str]:
    """What lies below a folder, hidden files aside."""
    start = "" if folder == "." else f"{folder}/"
    for path in paths:
        if path.startswith(start) and "/." not in f"/{path[len(start) :]}":
            yield path


def _joined(base: str, entry: str) -> str | None:
    """The path that an entry means; None where it leads out."""
    if entry.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(base, entry))
    return None if path == ".." or path.startswith("../") else path


def _is_picture(path: str) -> bool:
    return posixpath.splitext(path)[1].lower() in PICTURE_SUFFIXES
