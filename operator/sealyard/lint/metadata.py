"""What the API server would say of an object's metadata, which no schema of ours describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sealyard.lint.documents import MapKey, Path

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_WORD: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63
_NAME: Final = "must be lower-case letters, digits, '-' and '.', 253 characters at most"
_NAMESPACE: Final = "must be lower-case letters, digits and '-', 63 characters at most"
_KEY: Final = (
    "must be a name of letters, digits, '-', '_' and '.', 63 characters at most, "
    "with a domain and '/' before it or none"
)
_VALUE: Final = "must be letters, digits, '-', '_' and '.', 63 characters at most, or nothing"
_TEXT: Final = "must be a text (in quotes)"


def problems_of_metadata(metadata: Any) -> Iterator[tuple[Path, str]]:
    """Where something is wrong, and what would be right.

    The rules are those of Kubernetes' "Object Names and IDs" and "Labels and Selectors".
    """
    if not isinstance(metadata, dict):
        yield ("metadata",), "must be a mapping with a name"
        return
    name = metadata.get("name")
    if name is None or name == "":
        yield ("metadata", "name"), "is required"
    elif not _is(name, _SUBDOMAIN, _LONGEST_NAME):
        yield ("metadata", "name"), _NAME
    namespace = metadata.get("namespace")
    if namespace is not None and not _is(namespace, _LABEL, _LONGEST_LABEL):
        yield ("metadata", "namespace"), _NAMESPACE
    for field in ("labels", "annotations"):
        yield from _pairs(field, metadata.get(field))


def _pairs(field: str, pairs: Any) -> Iterator[tuple[Path, str]]:
    if pairs is None:
        return
    if not isinstance(pairs, dict):
        yield ("metadata", field), "must be a mapping"
        return
    for key, value in pairs.items():
        path: Path = ("metadata", field, MapKey(key))
        if not _is_key(key):
            yield path, _KEY
        elif not isinstance(value, str):
            yield path, _TEXT
        elif field == "labels" and value and not _is(value, _WORD, _LONGEST_LABEL):
            yield path, _VALUE


def _is_key(key: Any) -> bool:
    if not isinstance(key, str):
        return False
    domain, slash, name = key.rpartition("/")
    return _is(name, _WORD, _LONGEST_LABEL) and (
        not slash or _is(domain, _SUBDOMAIN, _LONGEST_NAME)
    )


def _is(value: Any, pattern: str, longest: int) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= longest
        and re.fullmatch(pattern, value, re.ASCII) is not None
    )
