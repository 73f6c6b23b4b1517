"""Which pictures and labels a dataset consists of. Nothing outside its folder is ever read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import read_record
from sealyard_trainer.data_yaml import DATA_FILE, SPLITS, DataYaml, read_data_yaml
from sealyard_trainer.faults import Fault, refuse

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"})
SHOWN_CHARACTERS = 80
MAX_LIST_BYTES = 256 << 20
UNSUPPORTED_SUFFIXES = frozenset({".avif", ".dng", ".heic", ".heif", ".jp2", ".pfm"})
"""Ultralytics may read these, depending on what is installed; here they would be left out."""


@dataclass(frozen=True, order=True, slots=True)
class Picture:
    """One picture of a split; both paths are relative to the dataset's folder."""

    split: str
    path: str

    @property
    def label_path(self) -> str:
        """The text file with its boxes, which need not exist: then it shows none."""
        return label_path(self.path)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as data.yaml describes it; whether its files are good is not known yet."""

    root: Path
    """Its folder, every link resolved."""
    names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    """Sorted by split and path."""


def label_path(picture: str) -> str:
    """Where ultralytics looks for the labels of a picture: the last `images` becomes `labels`."""
    head, separator, tail = f"/{picture}".rpartition("/images/")
    path = f"{head}/labels/{tail}" if separator else f"/{picture}"
    return path.rpartition(".")[0][1:] + ".txt"


def read_dataset(root: Path, splits: Sequence[str] = SPLITS) -> Dataset:
    """Read data.yaml and find the pictures of these splits.

    Raises:
        MissingError: there is no data.yaml yet.
        InvalidError: data.yaml, or where it leads to, is wrong.
    """
    root = root.resolve()
    description = read_data_yaml(root)
    finder = _Finder(root, description)
    pictures = sorted(
        {
            Picture(split, path)
            for split in splits
            for entry in description.splits[split]
            for path in finder.find(split, entry)
        }
    )
    found = {picture.split for picture in pictures}
    for split in splits:
        if split not in found and not finder.faults:
            finder.fault(split, f"{split} leads to no picture")
    refuse(finder.faults)
    return Dataset(root=root, names=description.names, pictures=tuple(pictures))


class _Finder:
    """Follows the entries of data.yaml, and stays below the dataset's folder."""

    def __init__(self, root: Path, description: DataYaml) -> None:
        self._root = root
        self._lines = description.lines
        self.faults: list[Fault] = []
        self._base = self._confined("path", description.path, root) or root

    def fault(self, key: str, text: str) -> None:
        self.faults.append(Fault(DATA_FILE, self._lines.get(key, 0), text))

    def find(self, split: str, entry: str) -> Iterator[str]:
        """The pictures, relative to the root, that an entry of a split leads to."""
        path = self._confined(split, entry, self._base)
        if path is None:
            return
        if path.is_dir():
            yield from self._folder(path, visited=set())
        elif path.suffix.lower() == ".txt":
            yield from self._list(path)
        else:
            self.fault(split, f"{split} is {_short(entry)}, neither a folder nor a .txt")

    def _confined(self, key: str, entry: str, base: Path) -> Path | None:
        """The path that an entry of data.yaml means, or None and a fault."""
        if _escapes(entry):
            problem = (
                "; a path below the folder of data.yaml is wanted, without .. and without a "
                "leading slash"
            )
        elif (path := _resolve(base / entry)) is None:
            problem = ", which does not exist"
        elif not path.is_relative_to(self._root):
            problem = ", a link that leaves the dataset"
        else:
            return path
        self.fault(key, f"{key} is {_short(entry)}{problem}")
        return None

    def _folder(self, folder: Path, visited: set[Path]) -> Iterator[str]:
        visited.add(folder)
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            problem = f"the folder cannot be read ({error.strerror})"
            self.faults.append(Fault(self._name(folder), 0, problem))
            return
        for path in paths:
            if path.name.startswith("."):
                continue
            # Unlike its namesake in Path it takes what cannot be looked up as absent.
            if os.path.isdir(path):  # noqa: PTH112
                resolved = path.resolve()
                if not resolved.is_relative_to(self._root):
                    self.faults.append(Fault(self._name(path), 0, "a link that leaves the dataset"))
                elif resolved not in visited:
                    yield from self._folder(resolved, visited)
            elif path.suffix.lower() in PICTURE_SUFFIXES:
                yield self._name(path)
            elif path.suffix.lower() in UNSUPPORTED_SUFFIXES:
                self.faults.append(
                    Fault(self._name(path), 0, f"{path.suffix} is not supported; use .jpg or .png")
                )

    def _list(self, file: Path) -> Iterator[str]:
        name = self._name(file)
        try:
            content = read_record(file.resolve(), MAX_LIST_BYTES + 1)
            lines = content.decode("utf-8-sig").splitlines()
        except (OSError, IntegrityError, UnicodeDecodeError):
            self.faults.append(Fault(name, 0, "it cannot be read as text"))
            return
        if len(content) > MAX_LIST_BYTES:
            self.faults.append(Fault(name, 0, f"it has more than {MAX_LIST_BYTES} bytes"))
            return
        for number, line in enumerate(lines, start=1):
            entry = line.strip()
            if not entry:
                continue
            # As in ultralytics: what begins with ./ lies beside the list.
            path = file.parent / entry if entry.startswith("./") else self._base / entry
            if _escapes(entry):
                text = f"{_short(entry)} leads out of the dataset; a path below it is wanted"
            elif path.suffix.lower() not in PICTURE_SUFFIXES:
                text = f"{_short(entry)} is no picture of a known kind; use .jpg or .png"
            else:
                yield self._name(Path(os.path.normpath(path)))
                continue
            self.faults.append(Fault(name, number, text))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _escapes(entry: str) -> bool:
    path = PurePosixPath(entry)
    return path.is_absolute() or ".." in path.parts or "\\" in entry or "\0" in entry


def _resolve(path: Path) -> Path | None:
    """The path with every link resolved; None where there is nothing."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
