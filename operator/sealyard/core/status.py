"""JSON merge patches on a status: applying one, and finding the smallest between two statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Status = dict[str, Any]


def merged(current: Mapping[str, Any], patch: Mapping[str, Any]) -> Status:
    """The status after a merge patch: `None` removes, what is not named stays, lists are values.

    An object that would only come to be empty does not come to be.
    """
    result = dict(current)
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        elif isinstance(value, Mapping):
            present = result.get(field)
            below = merged(present if isinstance(present, Mapping) else {}, value)
            if below or isinstance(present, Mapping):
                result[field] = below
        else:
            result[field] = value
    return result


def difference(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> Status:
    """The smallest merge patch that makes `wanted` of `current`; empty where they are equal."""
    patch: Status = {field: None for field in current if field not in wanted}
    for field, value in wanted.items():
        present = current.get(field)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            below = difference(present, value)
            if below:
                patch[field] = below
        elif field not in current or value != present:
            patch[field] = value
    return patch
