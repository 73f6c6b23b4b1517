"""The parts that make values of what a run left."""

from __future__ import annotations

import io
import platform
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sealyard.pages.wording import label, shown
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_measures import SIZE_STEPS, Box, Measures, size_step
from sealyard_trainer.report.confusion import fold
from sealyard_trainer.report.curves import MOST_POINTS, parse_curves
from sealyard_trainer.report.dataset import collect_dataset
from sealyard_trainer.report.evaluation import read_evaluation
from sealyard_trainer.report.machine import cpu_model, memory_bytes
from sealyard_trainer.report.model import Mark
from sealyard_trainer.report.pictures import (
    LONGEST_SIDE,
    MOST_MARKS,
    choose,
    make_picture,
    to_marks,
)


@pytest.mark.parametrize(
    ("part", "step"),
    [(0.0, 0), (1e-9, 0), (1 / 512, 0), (0.25, 21), (0.5, 24), (0.51, 24), (0.99, 26), (1.0, 26)],
)
def test_steps_of_size(part: float, step: int) -> None:
    assert size_step(part) == step
    assert 0 <= step < SIZE_STEPS


def test_boxes_are_counted_by_class_and_size() -> None:
    measures = Measures.of_nothing(2)
    measures.add([Box(1, 0.5, 0.5, 1, 0.5), Box(1, 0.5, 0.5, 1, 0.5)])
    measures.add([])
    assert measures.boxes_by_class == [0, 2]
    assert measures.sizes[24][26] == 2
    assert sum(map(sum, measures.sizes)) == 2
    assert measures.pictures_without_boxes == 1


def test_the_datasets_part(dataset: Path) -> None:
    found = read_dataset(dataset)
    part = collect_dataset(found, inspect(found))
    train, val = part.splits
    assert (train.name, train.pictures, train.boxes, train.pictures_without_boxes) == (
        *("train", 3, 4, 1),
    )
    assert (val.boxes_by_class, part.boxes_by_class) == ((1, 1), [3, 3])
    assert [each.name for each in part.samples] == [each.path for each in found.pictures]
    assert part.samples[0].marks[0] == Mark(0, 0.375, 0.375, 0.25, 0.25)


@pytest.mark.parametrize(
    ("length", "count", "chosen"),
    [(0, 3, []), (2, 3, [0, 1]), (3, 3, [0, 1, 2]), (10, 2, [2, 7]), (100, 4, [12, 37, 62, 87])],
)
def test_a_choice_is_from_all_over(length: int, count: int, chosen: list[int]) -> None:
    assert choose(range(length), count) == chosen


def test_a_copy_is_small_and_forgets_the_camera() -> None:
    image = Image.new("RGB", (2000, 1000))
    image.info["exif"] = image.getexif().tobytes() + b"where the camera stood"
    image.info["icc_profile"] = b"whose screen"
    picture = make_picture("a", image, to_marks([Box(0, 0.5, 0.5, 0.5, 0.5)] * (MOST_MARKS + 2)))
    assert (picture.width, picture.height) == (LONGEST_SIDE, LONGEST_SIDE // 2)
    assert (len(picture.marks), picture.marks_left_out) == (MOST_MARKS, 2)
    read = Image.open(io.BytesIO(picture.jpeg))
    assert not read.getexif()
    assert not {"exif", "icc_profile"} & set(read.info)


@pytest.mark.parametrize(
    ("rows", "first", "count"), [(1, 1, 1), (400, 1, 400), (401, 1, 201), (100_000, 250, 400)]
)
def test_a_long_curve_is_thinned_out_and_keeps_its_end(rows: int, first: int, count: int) -> None:
    lines = ["epoch,time,metrics/mAP50(B)", *(f"{n},{2 * n},0.5" for n in range(1, rows + 1))]
    curves = parse_curves("\n".join(lines))
    assert len(curves.epochs) == len(curves.columns["metrics/mAP50(B)"]) == count <= MOST_POINTS
    assert (curves.epochs[0], curves.epochs[-1], curves.seconds) == (first, rows, 2 * rows)


def test_few_classes_are_not_folded() -> None:
    confusion = fold([[5, 1, 0], [0, 6, 2], [1, 3, 0]], ["coin", "button"], 2)
    assert confusion.names == ("coin", "button", "background")
    assert confusion.counts == ((5, 1, 0), (0, 6, 2), (1, 3, 0))
    assert confusion.share(1, 1) == 0.6
    assert confusion.share(0, 2) == 0


def test_classes_that_are_seldom_seen_become_one() -> None:
    matrix = [[1, 0, 0, 0], [0, 9, 4, 0], [0, 0, 2, 1], [0, 0, 0, 0]]
    confusion = fold(matrix, ["a", "b", "c"], 1)
    assert confusion.names == ("b", "other classes", "background")
    assert confusion.counts == ((9, 4, 0), (0, 3, 1), (0, 0, 0))


def validator(*, plots: bool) -> SimpleNamespace:
    """As ultralytics' after a pass over a set that has boxes of the second class alone."""
    box = SimpleNamespace(
        ap_class_index=np.array([1]),
        class_result=lambda row: tuple(np.array([[0.9, 0.8, 0.7, 0.6]])[row]),
        prec_values=np.linspace(1, 0, 1000)[None],
        px=np.linspace(0, 1, 1000),
    )
    return SimpleNamespace(
        args=SimpleNamespace(plots=plots),
        metrics=SimpleNamespace(box=box, nt_per_class=np.array([0, 12])),
        confusion_matrix=SimpleNamespace(matrix=np.array([[0.0, 0, 1], [0, 11, 2], [0, 1, 0]])),
    )


@pytest.mark.parametrize(
    ("plots", "confusion"), [(True, ((0, 0, 1), (0, 11, 2), (0, 1, 0))), (False, ())]
)
def test_what_the_validator_knows(plots: bool, confusion: tuple[tuple[int, ...], ...]) -> None:
    evaluation = read_evaluation(validator(plots=plots))
    (result,) = evaluation.classes
    assert (result.class_index, result.boxes, result.precision, result.recall) == (1, 12, 0.9, 0.8)
    assert (result.ap50, result.ap50_95) == (0.7, 0.6)
    assert len(result.curve) == len(evaluation.recalls) == 200
    assert evaluation.confusion == confusion


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        (
            "processor : 0\nmodel name\t: Fast CPU @ 3 GHz\n\nmodel name : Other\n",
            "Fast CPU @ 3 GHz",
        ),
        ("processor : 0\nBogoMIPS : 48\n", None),
        ("", None),
    ],
)
def test_the_model_of_the_cpu(cpuinfo: str, model: str | None) -> None:
    assert cpu_model(cpuinfo) == (model or platform.machine())


@pytest.mark.parametrize(
    ("meminfo", "limit", "size"),
    [
        ("MemTotal:  2048 kB\n", "max\n", 2 << 20),
        ("MemTotal:  2048 kB\n", "1048576\n", 1 << 20),
        ("MemTotal:  2048 kB\n", "", 2 << 20),
        ("", "", 0),
        ("", "1048576", 1 << 20),
    ],
)
def test_memory_that_may_be_used(meminfo: str, limit: str, size: int) -> None:
    assert memory_bytes(meminfo, limit) == size


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("coin", "coin"),
        ("a" * 30, "a" * 23 + "…"),
        ("a\nb\x1b", "a\ufffdb\ufffd"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("硬币", "硬币"),
        (b"\xff.png".decode("utf-8", "surrogateescape"), "\ufffd.png"),
    ],
)
def test_a_name_beside_a_box(name: str, text: str) -> None:
    assert label(name) == text
    assert shown(name).encode()
