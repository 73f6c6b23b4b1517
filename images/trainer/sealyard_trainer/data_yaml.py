"""Reads data.yaml: names, splits, and the line that each of them stands in. It executes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import read_record
from sealyard_trainer.faults import Fault, fail, refuse

DATA_FILE = "data.yaml"
MAX_BYTES = 1 << 20
LONGEST_NUMBER = 64
VALIDATION_SPLIT = "val"
SPLITS = ("train", VALIDATION_SPLIT)
# PyYAML lets through what Python says to a scalar that is not what its tag or look promises.
_YAML_FAULTS = (
    *(yaml.YAMLError, ValueError, TypeError, AttributeError),
    *(LookupError, ArithmeticError, RecursionError),
)


@dataclass(frozen=True, slots=True)
class DataYaml:
    """What data.yaml says, checked for its form only: whether the folders exist is not asked."""

    names: tuple[str, ...]
    path: str
    """The folder below that of data.yaml that the splits are in; `.` if they are beside it."""
    splits: dict[str, tuple[str, ...]]
    lines: dict[str, int]
    """The line of each key, for messages about what it leads to."""


class _RefusedError(Exception):
    """YAML, and still nothing that a data.yaml may hold."""

    def __init__(self, mark: yaml.Mark, problem: str) -> None:
        super().__init__(problem)
        self.line = mark.line + 1


class _Loader(yaml.SafeLoader):
    """Without what makes very much of a few bytes: aliases, and numbers of thousands of digits."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, which must be written out."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _RefusedError(mark, "an alias is not allowed; write out what it stands for")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A number that Python can also print."""
        if len(node.value) > LONGEST_NUMBER:
            problem = f"a number has more than {LONGEST_NUMBER} characters"
            raise _RefusedError(node.start_mark, problem)
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


class _Document:
    """A YAML mapping whose keys remember their lines."""

    def __init__(self, values: dict[str, Any], lines: dict[str, int]) -> None:
        self.values = values
        self.lines = lines
        self.faults: list[Fault] = []

    def fault(self, key: str, text: str) -> None:
        """Note that the value of `key` is wrong, or that it is missing."""
        self.faults.append(Fault(DATA_FILE, self.lines.get(key, 0), text))


def read_data_yaml(root: Path) -> DataYaml:
    """Read the data.yaml in a dataset's folder.

    Raises:
        MissingError: there is none yet.
        InvalidError: it breaks a rule; the message names the lines.
    """
    document = _load(root)
    if "download" in document.values:
        document.fault(
            "download", "download is not allowed, a script in a dataset is never run; delete it"
        )
    names = _names(document)
    splits = {split: _entries(document, split) for split in SPLITS}
    path = document.values.get("path", ".")
    if path is None:
        path = "."
    if not isinstance(path, str):
        document.fault("path", f"path is {path!r}; a folder below that of data.yaml is wanted")
    _check_count(document, names)
    refuse(document.faults)
    return DataYaml(names=names, path=str(path), splits=splits, lines=document.lines)


def _load(root: Path) -> _Document:
    path = root / DATA_FILE
    try:
        content = read_record(path.resolve(), MAX_BYTES + 1)
    except (IntegrityError, RuntimeError):  # the latter of a loop of links
        fail(DATA_FILE, 0, "not a file")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingError(
            f"dataset: there is no {DATA_FILE} in the dataset's folder yet; "
            "spec.dataset names the folder that it is in"
        ) from error
    if len(content) > MAX_BYTES:
        fail(DATA_FILE, 0, f"it has more than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except UnicodeDecodeError:
        fail(DATA_FILE, 0, "it is not UTF-8")
    except _RefusedError as error:
        fail(DATA_FILE, error.line, str(error))
    except _YAML_FAULTS as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        fail(DATA_FILE, mark.line + 1 if mark else 0, f"not YAML: {problem}")
    if not (isinstance(node, yaml.MappingNode) and isinstance(values, dict)):
        fail(DATA_FILE, 1, "it must be a mapping with train, val and names")
    lines = {
        key.value: key.start_mark.line + 1
        for key, _ in node.value
        if isinstance(key, yaml.ScalarNode)
    }
    return _Document(values, lines)


def _names(document: _Document) -> tuple[str, ...]:
    names = document.values.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            keys = ", ".join(str(key) for key in list(names)[:5])
            document.fault("names", f"names has the keys {keys}; they must count from 0")
            return ()
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        document.fault("names", "names must list the classes, at least one")
        return ()
    for index, name in enumerate(names):
        if not isinstance(name, str | int) or isinstance(name, bool) or not str(name).strip():
            document.fault("names", f"class {index} is named {name!r}; a word is wanted")
    if len({str(name) for name in names}) < len(names):
        document.fault("names", "two classes have the same name")
    return tuple(str(name) for name in names)


def _entries(document: _Document, split: str) -> tuple[str, ...]:
    value = document.values.get(split)
    entries = value if isinstance(value, list) else [value]
    if not entries or not all(isinstance(entry, str) and entry for entry in entries):
        wanted = "a folder, a .txt that lists pictures, or a list of these"
        given = "is missing" if value is None else f"is {str(value)[:64]!r}"
        document.fault(split, f"{split} {given}; {wanted} is wanted")
        return ()
    return tuple(entries)


def _check_count(document: _Document, names: tuple[str, ...]) -> None:
    count = document.values.get("nc")
    if count is not None and names and count != len(names):
        document.fault("nc", f"nc is {count!r} and names has {len(names)}")
