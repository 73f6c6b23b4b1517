"""Where a keyring comes from and goes to: the manifest of a Secret, or keyring.json itself.

Whatever is wrong is said without a value: every one of them may be a key. For the same reason no
error is raised in a handler, where its cause would carry the document.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from sealyard.cli.options import read_file
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.keyring import Keyring

STANDARD_INPUT: Final = "-"
KEY: Final = "keyring.json"
# A Secret's data is at most 1 MiB; base64 and the annotation of `kubectl apply` make more of it.
_DOCUMENT_MAX_BYTES: Final = 4 << 20
# It holds the whole Secret once more, as it was before.
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# PyYAML lets through what Python says to a scalar that is not what its tag or look promises.
_YAML_FAULTS: Final = (
    *(yaml.YAMLError, ValueError, TypeError, AttributeError),
    *(LookupError, ArithmeticError, RecursionError),
)


@dataclass(frozen=True)
class KeyringDocument:
    """A keyring, and the rest of the Secret that it stood in, if it stood in one."""

    keyring: Keyring
    manifest: Mapping[str, Any] | None = field(repr=False)

    @classmethod
    def read(cls, source: str) -> KeyringDocument:
        """Read a file, or standard input if `source` is `-`.

        Raises:
            InvalidError: it is not one Secret in JSON or YAML, nor a keyring.json.
            MissingError: the file cannot be read, or the Secret has no keyring.json.
        """
        if source == STANDARD_INPUT:
            if sys.stdin.isatty():
                raise InvalidError(
                    "standard input is a terminal: pipe the Secret in, or name a file with --from"
                )
            raw = sys.stdin.buffer.read(_DOCUMENT_MAX_BYTES + 1)
        else:
            raw = read_file(Path(source), _DOCUMENT_MAX_BYTES)
        return cls.parse(raw, "standard input" if source == STANDARD_INPUT else source)

    @classmethod
    def parse(cls, raw: bytes, name: str) -> KeyringDocument:
        """Read bytes; `name` says in a message where they came from.

        Raises:
            InvalidError: it is not one Secret in JSON or YAML, nor a keyring.json.
            MissingError: the Secret has no keyring.json.
        """
        if len(raw) > _DOCUMENT_MAX_BYTES:
            raise InvalidError(f"{name}: must be at most {_DOCUMENT_MAX_BYTES} bytes")
        document = _one_object(raw, name)
        if "kind" not in document and "apiVersion" not in document:
            return cls(Keyring.parse(raw), None)
        if (document.get("apiVersion"), document.get("kind")) != ("v1", "Secret"):
            raise InvalidError(f"{name}: must be one Secret (v1), or keyring.json itself")
        data = _data(document, name)
        if KEY not in data:
            raise MissingError(f"{name}: the Secret has no key {KEY} in data or stringData")
        content = _content(data.pop(KEY))
        if content is None:
            raise InvalidError(f"{name}: data.{KEY} must be base64")
        return cls(Keyring.parse(content), _manifest(document, data, name))

    def encode(self, keyring: Keyring) -> bytes:
        """The same document with another keyring in it.

        JSON, which is YAML too, and the only one of both in which every reader finds the strings
        that were written: base64 such as `1e10` is a number to some readers of YAML.
        """
        if self.manifest is None:
            return keyring.to_json()
        content = base64.b64encode(keyring.to_json()).decode()
        manifest = {**self.manifest, "data": {**self.manifest["data"], KEY: content}}
        return json.dumps(manifest, indent=2).encode() + b"\n"


class _UniqueKeysLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which one would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.YAMLError
        return super().construct_mapping(node, deep)


def _one_object(raw: bytes, name: str) -> dict[str, Any]:
    documents = _documents(raw)
    if documents is None:
        raise InvalidError(f"{name}: is neither JSON nor YAML, or a key stands twice in one object")
    if len(documents) > 1:
        raise InvalidError(f"{name}: has {len(documents)} documents, must have one")
    if not documents:
        raise InvalidError(f"{name}: is empty; expected a Secret or {KEY}")
    if not isinstance(documents[0], dict):
        raise InvalidError(f"{name}: must be one Secret (v1), or {KEY} itself")
    return documents[0]


def _documents(raw: bytes) -> list[Any] | None:
    try:
        # First as JSON: YAML 1.1 does not know all of its escapes.
        return [json.loads(raw, object_pairs_hook=_unique)]
    except (ValueError, RecursionError):
        pass
    try:
        documents = yaml.load_all(raw, Loader=_UniqueKeysLoader)
        return [document for document in documents if document is not None]
    except _YAML_FAULTS:
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _data(document: Mapping[str, Any], name: str) -> dict[str, str]:
    """What the API server would make of `data` and `stringData`, which wins."""
    data = _strings(document, "data", name)
    for key, text in _strings(document, "stringData", name).items():
        data[key] = base64.b64encode(text.encode()).decode()
    return data


def _strings(holder: Mapping[str, Any], field: str, name: str) -> dict[str, str]:
    value = holder.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        _is_text(text) for pair in value.items() for text in pair
    ):
        raise InvalidError(f"{name}: the Secret's {field} must be an object of strings")
    return dict(value)


def _is_text(value: object) -> bool:
    # JSON and YAML can both spell half a character, which no Secret can hold.
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _content(encoded: str) -> bytes | None:
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError:
        return None


def _manifest(document: Mapping[str, Any], data: dict[str, str], name: str) -> dict[str, Any]:
    """The Secret without what only the server sets, and without its own past."""
    given = document.get("metadata")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise InvalidError(f"{name}: the Secret's metadata.name is missing")
    metadata: dict[str, Any] = {"name": given["name"]}
    if isinstance(given.get("namespace"), str):
        metadata["namespace"] = given["namespace"]
    for field_name in ("labels", "annotations"):
        kept = _strings(given, field_name, name)
        kept.pop(_LAST_APPLIED, None)
        if kept:
            metadata[field_name] = kept
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    if isinstance(document.get("type"), str):
        manifest["type"] = document["type"]
    if isinstance(document.get("immutable"), bool):
        manifest["immutable"] = document["immutable"]
    return {**manifest, "data": data}
