"""Looks at every picture and every label before the first epoch, and counts and hashes them.

Ultralytics leaves out what it cannot read and trains on the rest. Here a dataset is right as a
whole or refused as a whole, because a digest must mean what was learnt from.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import read_record
from sealyard_trainer.dataset import Dataset, Picture
from sealyard_trainer.dataset_measures import Box, Measures
from sealyard_trainer.faults import Fault, refuse

PICTURE_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
LEAST_SIDE = 10
MAX_PICTURE_BYTES = 256 << 20
"""Of 64 million pixels that nothing compresses, and more."""
MAX_LABEL_BYTES = 16 << 20
"""Of some hundred thousand boxes."""
COLUMNS = ("class", "x_center", "y_center", "width", "height")
LONGEST_CLASS = 9
"""Digits of a class; Python itself refuses to read a number of some thousand."""
ROUNDING = 1e-6
"""How far beyond 1 a number may be that was written with six digits."""
ALIVE_EVERY = 100
"""Pictures between two signs of life."""
BATCH = 4096
"""Pictures in flight at once, so that a big dataset costs no memory."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a dataset is, as counted and hashed."""

    digest: str
    """SHA-256 over names, and paths and contents of all pictures and labels; of nothing else."""
    files_digest: str
    """The same over names of files only, to tell what kind of change a difference is."""
    split_digests: dict[str, str]
    """`digest` over the pictures and labels of one split alone."""
    pictures: dict[str, int]
    boxes: dict[str, int]
    measures: dict[str, Measures] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """One picture and its labels, looked at."""

    picture: Picture
    picture_sha256: str = ""
    label_sha256: str = ""
    """Empty where there is no label file, which is not the same as an empty one."""
    boxes: list[Box] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def inspect(dataset: Dataset, alive: Callable[[], object] = lambda: None) -> Inspection:
    """Decode every picture, parse every label, and hash both.

    Args:
        dataset: what there is.
        alive: called now and then, and may end it by raising.

    Raises:
        InvalidError: something is wrong; the message names files and lines.
    """
    names = b"".join(f"name\0{name}\0".encode() for name in dataset.names)
    digest, files_digest = hashlib.sha256(names), hashlib.sha256()
    splits: defaultdict[str, Any] = defaultdict(lambda: hashlib.sha256(names))
    pictures: dict[str, int] = {}
    boxes: dict[str, int] = {}
    measures: dict[str, Measures] = {}
    faults: list[Fault] = []
    for number, seen in enumerate(_look_at_all(dataset)):
        if number % ALIVE_EVERY == 0:
            alive()
        split, path = seen.picture.split, seen.picture.path
        place = f"{split}\0{path}\0".encode("utf-8", "surrogateescape")
        contents = f"{seen.picture_sha256}\0{seen.label_sha256}\0".encode()
        files_digest.update(place)
        for each in (digest, splits[split]):
            each.update(place + contents)
        pictures[split] = pictures.get(split, 0) + 1
        boxes[split] = boxes.get(split, 0) + len(seen.boxes)
        if split not in measures:
            measures[split] = Measures.of_nothing(len(dataset.names))
        measures[split].add(seen.boxes)
        faults += seen.faults
    if not faults:
        faults += _splits_without_boxes(dataset, boxes)
    refuse(faults)
    return Inspection(
        digest.hexdigest(),
        files_digest.hexdigest(),
        {split: each.hexdigest() for split, each in splits.items()},
        pictures,
        boxes,
        measures,
    )


def _look_at_all(dataset: Dataset) -> Iterator[_Seen]:
    """In the order of `dataset.pictures`. Decoding and hashing release the interpreter's lock."""
    workers = max(2, len(os.sched_getaffinity(0)))
    classes = len(dataset.names)
    with ThreadPoolExecutor(workers, thread_name_prefix="dataset") as pool:
        for start in range(0, len(dataset.pictures), BATCH):
            part = dataset.pictures[start : start + BATCH]
            yield from pool.map(lambda picture: _look(dataset.root, picture, classes), part)


def _look(root: Path, picture: Picture, classes: int) -> _Seen:
    seen = _Seen(picture)
    content = _read(root, picture.path, MAX_PICTURE_BYTES, seen.faults)
    if content is not None:
        seen.picture_sha256 = hashlib.sha256(content).hexdigest()
        if problem := _decode(content):
            seen.faults.append(Fault(picture.path, 0, problem))
    label = picture.label_path
    if not os.path.lexists(root / label):
        return seen
    content = _read(root, label, MAX_LABEL_BYTES, seen.faults)
    if content is not None:
        seen.label_sha256 = hashlib.sha256(content).hexdigest()
        seen.boxes, faults = check_labels(label, content, classes)
        seen.faults += faults
    return seen


def _read(root: Path, name: str, max_bytes: int, faults: list[Fault]) -> bytes | None:
    """The content of a regular file below `root`, or None and a fault."""
    try:
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root):
            problem = "a link that leaves the dataset"
        elif len(content := read_record(path, max_bytes + 1)) > max_bytes:
            problem = f"it has more than {max_bytes} bytes"
        else:
            return content
    except IntegrityError:
        problem = "not a file"
    except FileNotFoundError:
        problem = "it does not exist"
    except (OSError, RuntimeError) as error:
        problem = f"it cannot be read ({getattr(error, 'strerror', None) or 'a loop of links'})"
    faults.append(Fault(name, 0, problem))
    return None


def _decode(content: bytes) -> str | None:
    """What is wrong with a picture, every pixel of it decoded; None if nothing is."""
    if not content:
        return "the picture is empty"
    try:
        with Image.open(io.BytesIO(content), formats=PICTURE_FORMATS) as image:
            image.load()
            width, height = image.size
    # Ultralytics, where it is loaded, has put its own in the place of `Image.open`: before that one
    # gives up, it looks for a HEIF decoder, which we do not install.
    except (UnidentifiedImageError, ModuleNotFoundError):
        return "not a picture, or one of another format than its name says it could be"
    except Exception as error:  # noqa: BLE001 - a decoder raises whatever broken bytes make it
        return f"the picture cannot be decoded: {str(error)[:120] or type(error).__name__}"
    if min(width, height) < LEAST_SIDE:
        return f"the picture has {width} x {height} pixels; at least {LEAST_SIDE} each are needed"
    return None


def check_labels(name: str, content: bytes, classes: int) -> tuple[list[Box], list[Fault]]:
    """The boxes in a label file, and what is wrong with its other lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Fault(name, content.count(b"\n", 0, error.start) + 1, "not text")]
    boxes: list[Box] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split()
        if not columns:
            continue
        try:
            boxes.append(_parse_box(columns, classes))
        except _LineError as error:
            faults.append(Fault(name, number, str(error)))
    return boxes, faults


class _LineError(Exception):
    """What is wrong with a line of a label file."""


def _parse_box(columns: Sequence[str], classes: int) -> Box:
    if len(columns) != len(COLUMNS):
        raise _LineError(f"{len(columns)} columns; the five {' '.join(COLUMNS)} are wanted")
    digits = columns[0].removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_CLASS):
        raise _LineError(f"class is {columns[0][:32]}; a whole number is wanted")
    index = int(columns[0])
    if not 0 <= index < classes:
        raise _LineError(f"class is {index}, beyond names in data.yaml, which end at {classes - 1}")
    sides = (
        _parse_part(column, text) for column, text in zip(COLUMNS[1:], columns[1:], strict=True)
    )
    return Box(index, *sides)


def _parse_part(column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _LineError(f"{column} is {text[:32]}; a number is wanted") from None
    if not math.isfinite(number) or not 0 <= number <= 1 + ROUNDING:
        raise _LineError(f"{column} is {text[:32]}; a number between 0 and 1 is wanted")
    return number


def _splits_without_boxes(dataset: Dataset, boxes: dict[str, int]) -> Iterator[Fault]:
    for split, count in sorted(boxes.items()):
        if not count:
            first = next(picture for picture in dataset.pictures if picture.split == split)
            yield Fault(
                first.label_path,
                0,
                f"no labels in the whole split {split}; this would be the first file with one",
            )
