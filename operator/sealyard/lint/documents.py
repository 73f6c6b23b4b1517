"""Objects in YAML, with the line that each field stands in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from sealyard.errors import InvalidError

Path: TypeAlias = tuple[str | int, ...]
"""The names of fields, keys of maps, and positions in lists, from the object down."""


class MapKey(str):
    """A name that somebody chose, and no field of ours."""

    __slots__ = ()


TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """As Kubernetes reads YAML: a time is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file.

    Attributes:
        source: the file's name, as it was given.
        value: the object.
        node: the same as it is written.
    """

    source: str
    value: dict[str, Any]
    node: yaml.Node

    def line(self, path: Path) -> int:
        """The line, from 1, of a field; of what it would stand in, where it is not there."""
        node = self.node
        line = node.start_mark.line
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1


def read_documents(source: str, text: str) -> Iterator[Document]:
    """The objects of a file, those of Lists too.

    Raises:
        InvalidError: it is no YAML, or holds something else than objects.
    """
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            value = loader.construct_document(node)
            if value is not None:
                yield from _objects(source, value, node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidError(f"{source}:{line}: no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InvalidError(f"{source}: no YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()


def _objects(source: str, value: Any, node: yaml.Node) -> Iterator[Document]:
    if not isinstance(value, dict):
        raise InvalidError(f"{source}:{node.start_mark.line + 1}: must be an object with a kind")
    if value.get("kind") != "List" or not isinstance(value.get("items"), list):
        yield Document(source, value, node)
        return
    items = _child(node, "items")
    for position, item in enumerate(value["items"]):
        found = _child(items[1], position) if items else None
        yield from _objects(source, item, found[1] if found else node)


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """The line, from 0, and the value of a field or of an item of a list."""
    if isinstance(node, yaml.MappingNode):
        pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
        for key, value in pairs:
            if key.value == step:
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item: yaml.Node = node.value[step]
        return item.start_mark.line, item
    return None
