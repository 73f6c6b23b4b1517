"""Every fault of a dataset is refused with the file and the line that it is in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect

Break = Callable[[Path], object]


def look(root: Path) -> None:
    inspect(read_dataset(root))


def refused(root: Path) -> str:
    with pytest.raises(InvalidError) as caught:
        look(root)
    return str(caught.value)


def data_yaml(text: str) -> Break:
    return lambda root: (root / "data.yaml").write_text(text)


def label(text: str) -> Break:
    return lambda root: (root / "labels/train/a.txt").write_text(text)


# A kilobyte each that would become gigabytes in a message or a mapping.
BOMB = data_yaml(
    "val: x\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    + "train: *a9\nnames: [coin]\n"
)
MERGED = data_yaml(
    "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
)


def truncate(name: str, keep: float) -> Break:
    def cut(root: Path) -> None:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: int(len(content) * keep)])

    return cut


def write(name: str, content: bytes) -> Break:
    return lambda root: (root / name).write_bytes(content)


def link(name: str, target: str) -> Break:
    def replace(root: Path) -> None:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(target)

    return replace


def outside(root: Path) -> None:
    """A folder beside the dataset with good pictures and labels in it, linked into the dataset."""
    shutil.copytree(root, root.parent / "outside")
    link("images/train", str(root.parent / "outside/images/train"))(root)


def fifo(name: str) -> Break:
    def replace(root: Path) -> None:
        (root / name).unlink()
        os.mkfifo(root / name)

    return replace


def grow(name: str, size: int) -> Break:
    return lambda root: os.truncate(root / name, size)


def no_labels(root: Path) -> None:
    for path in (root / "labels/train").iterdir():
        path.write_text("")


PICTURES = [
    (write("images/train/a.png", b"not a picture"), "images/train/a.png: not a picture"),
    (write("images/train/a.png", b""), "images/train/a.png: the picture is empty"),
    (truncate("images/train/a.png", 0.5), "images/train/a.png: the picture cannot be decoded: "),
    (truncate("images/train/b.jpg", 0.7), "images/train/b.jpg: the picture cannot be decoded: "),
    (truncate("images/val/d.png", 0.9), "images/val/d.png: the picture cannot be decoded: "),
    (fifo("images/train/a.png"), "images/train/a.png: not a file"),
    (grow("images/train/a.png", (256 << 20) + 1), "a.png: it has more than 268435456 bytes"),
    (write("images/train/a.heic", b""), "images/train/a.heic: .heic is not supported"),
    (link("images/train/a.png", "/etc/hostname"), "images/train/a.png: a link that leaves the"),
    (link("images/train/a.png", "nowhere"), "images/train/a.png: it does not exist"),
    (link("images/train/a.png", "a.png"), "images/train/a.png: it cannot be read"),
]

LABELS = [
    (label("0 0.5 0.5 0.2\n"), "a.txt:1: 4 columns; the five class x_center y_center"),
    (label("0 .5 .5 .2 .2\n0 .5 .5 .2 .2 .9\n"), "a.txt:2: 6 columns; the five class"),
    (label("0 1.2 0.5 0.2 0.2\n"), "a.txt:1: x_center is 1.2; a number between 0 and 1"),
    (label("0 0.5 -0.1 0.2 0.2\n"), "a.txt:1: y_center is -0.1; a number between 0 and 1"),
    (label("0 0.5 0.5 nan 0.2\n"), "a.txt:1: width is nan; a number between 0 and 1"),
    (label("0 0.5 0.5 0.2 inf\n"), "a.txt:1: height is inf; a number between 0 and 1"),
    (label("0 0.5 0.5 0.2 wide\n"), "a.txt:1: height is wide; a number is wanted"),
    (
        label("9" * 5000 + " .5 .5 .2 .2\n"),
        f"a.txt:1: class is {'9' * 32}; a whole number is wanted",
    ),
    (label("\n\n2 .5 .5 .2 .2\n"), "a.txt:3: class is 2, beyond names in data.yaml, which end"),
    (label("-1 .5 .5 .2 .2\n"), "a.txt:1: class is -1, beyond names"),
    (label("1.0 .5 .5 .2 .2\n"), "a.txt:1: class is 1.0; a whole number is wanted"),
    (label("coin .5 .5 .2 .2\n"), "a.txt:1: class is coin; a whole number is wanted"),
    (write("labels/train/a.txt", b"0 .5 .5 .2 .2\n\xff\xfe"), "a.txt:2: not text"),
    (fifo("labels/train/a.txt"), "labels/train/a.txt: not a file"),
    (grow("labels/train/a.txt", (16 << 20) + 1), "a.txt: it has more than 16777216 bytes"),
    (link("labels/train/a.txt", "/etc/hostname"), "a.txt: a link that leaves the dataset"),
    (no_labels, "labels/train/a.txt: no labels in the whole split train"),
]

DATA = [
    (fifo("data.yaml"), "data.yaml: not a file"),
    (link("data.yaml", "data.yaml"), "data.yaml: not a file"),
    (
        data_yaml("train: images/train\nval: images/val\nnames: [coin]\ndownload: |\n  exit\n"),
        "data.yaml:4: download is not allowed, a script in a dataset is never run; delete it",
    ),
    (data_yaml("val: images/val\nnames: [coin]\n"), "data.yaml: train is missing"),
    (
        data_yaml("train: /etc\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: train is /etc; a path below the folder of data.yaml is wanted",
    ),
    (
        data_yaml("train: images/train\nval: ../outside\nnames: [coin]\n"),
        "data.yaml:2: val is ../outside; a path below",
    ),
    (
        data_yaml("path: ../..\ntrain: images/train\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: path is ../..; a path below",
    ),
    (
        data_yaml("path: gone\ntrain: images/train\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: path is gone, which does not exist",
    ),
    (outside, "data.yaml:1: train is images/train, a link that leaves the dataset"),
    (
        data_yaml("train: images/gone\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: train is images/gone, which does not exist",
    ),
    (
        data_yaml("train: labels/train\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: train leads to no picture",
    ),
    (
        data_yaml("train: data.yaml\nval: images/val\nnames: [coin]\n"),
        "data.yaml:1: train is data.yaml, neither a folder nor a .txt",
    ),
    (data_yaml("train: 7\nval: x\nnames: [a]\n"), "data.yaml:1: train is '7'; a folder, a .txt"),
    (data_yaml("train: [\n"), "data.yaml:2: not YAML: "),
    (data_yaml("- a\n"), "data.yaml:1: it must be a mapping with train, val and names"),
    (data_yaml(""), "data.yaml:1: it must be a mapping"),
    (data_yaml("train: !!python/name:os.system\n"), "data.yaml:1: not YAML: could not determine"),
    (BOMB, "data.yaml:3: an alias is not allowed; write out what it stands for"),
    (MERGED, "data.yaml:2: an alias is not allowed; write out what it stands for"),
    (
        data_yaml(f"train: x\nval: x\nnames: [0x{'f' * 4000}]\n"),
        "data.yaml:3: a number has more than 64 characters",
    ),
    (data_yaml("train: !!bool x\n"), "data.yaml: not YAML: it cannot be read"),
    (data_yaml("train: !!timestamp x\n"), "data.yaml: not YAML: it cannot be read"),
    (data_yaml("train: !!int ''\n"), "data.yaml: not YAML: it cannot be read"),
    (data_yaml('train: "\\Ufffd1099"\n'), "data.yaml: not YAML: it cannot be read"),
    (write("data.yaml", b"\xff\xff"), "data.yaml: it is not UTF-8"),
    (write("data.yaml", b"#" * 1_100_000), "data.yaml: it has more than 1048576 bytes"),
    (data_yaml("train: images/train\nval: images/val\n"), "data.yaml: names must list the classes"),
    (
        data_yaml("train: images/train\nval: images/val\nnames: {1: a, 2: b}\n"),
        "data.yaml:3: names has the keys 1, 2; they must count from 0",
    ),
    (
        data_yaml("train: images/train\nval: images/val\nnames: [a, [b]]\n"),
        "data.yaml:3: class 1 is named ['b']; a word is wanted",
    ),
    (
        data_yaml("train: images/train\nval: images/val\nnames: [a, a]\n"),
        "data.yaml:3: two classes have the same name",
    ),
    (
        data_yaml("train: images/train\nval: images/val\nnames: [a, b]\nnc: 3\n"),
        "data.yaml:4: nc is 3 and names has 2",
    ),
]


@pytest.mark.training
def test_not_a_picture_is_said_also_where_ultralytics_is_loaded(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.utils.patches import image_open  # noqa: PLC0415 - it patches what it finds

    monkeypatch.setattr("PIL.Image.open", image_open)
    write("images/train/a.png", b"not a picture")(dataset)
    assert "images/train/a.png: not a picture" in refused(dataset)


@pytest.mark.parametrize(("break_it", "message"), [*PICTURES, *LABELS, *DATA])
def test_a_fault_is_named(dataset: Path, break_it: Break, message: str) -> None:
    look(dataset)
    break_it(dataset)
    assert message in refused(dataset)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["images/train/a.png", "", "/etc/passwd"], "train.txt:3: /etc/passwd leads out of"),
        (["../a.png"], "train.txt:1: ../a.png leads out of the dataset"),
        (["./../../a.png"], "train.txt:1: ./../../a.png leads out of the dataset"),
        (["labels/train/a.txt"], "train.txt:1: labels/train/a.txt is no picture of a known kind"),
        (["images/train/gone.png"], "images/train/gone.png: it does not exist"),
    ],
)
def test_a_list_of_pictures_with_a_fault(dataset: Path, lines: list[str], message: str) -> None:
    (dataset / "train.txt").write_text("\n".join(lines))
    data_yaml("train: train.txt\nval: images/val\nnames: [a, b]\n")(dataset)
    assert message in refused(dataset)


def test_a_dataset_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"there is no data\.yaml in the dataset's folder yet"):
        look(tmp_path)


def test_the_first_faults_are_shown_and_all_are_counted(dataset: Path) -> None:
    (dataset / "labels/train/a.txt").write_text("9 .5 .5 .2 .2\n" * 70)
    message = refused(dataset)
    assert re.findall(r"a\.txt:(\d+)", message) == ["1", "2", "3"]
    assert message.endswith("and 67 more, 70 faults in all (the log has them)")


def test_faults_come_in_the_order_of_their_files(dataset: Path) -> None:
    write("images/val/d.png", b"x")(dataset)
    write("images/train/a.png", b"x")(dataset)
    message = refused(dataset)
    assert message.index("images/train/a.png") < message.index("images/val/d.png")


def test_no_message_is_longer_than_an_answer(dataset: Path) -> None:
    label("0 " + "9" * 100_000 + " 0 0 0\n")(dataset)
    data_yaml(f"train: {'x/' * 5000}\nval: images/val\nnames: [a, b]\n")(dataset)
    assert len(refused(dataset)) < 1000
