"""What pydantic's JSON Schemas are made fit for readers with."""

from __future__ import annotations

from typing import Any, Final

from sealyard.api.model import PATTERN_MESSAGE

_NOISE: Final = frozenset({"title", "default", PATTERN_MESSAGE})


def without_noise(value: Any) -> Any:
    """Less titles, which repeat the names, defaults, which all say that nothing is there, and what
    only the API server is told."""
    if isinstance(value, list):
        return [without_noise(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: without_noise(field) for name, field in inner.items()}
        if key in {"properties", "$defs", "patternProperties"}
        else without_noise(inner)
        for key, inner in value.items()
        if key not in _NOISE
    }
