"""The JSON Schema of the manifest, for readers in other languages: `docs/manifest.schema.json`.

`python -m sealyard.sealing.manifest_schema` prints it; `make generate` keeps it in docs/. It is
what pydantic knows of the types, plus the rules between fields that JSON Schema can express.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from sealyard.api.json_schema import without_noise
from sealyard.sealing.manifest import PREDICATE_TYPE, PROVING_FIELDS, Manifest

SCHEMA_ID: Final = f"{PREDICATE_TYPE}/manifest.schema.json"

_DESCRIPTION: Final = (
    "Generated from sealyard.sealing.manifest. Fields that it does not name are to be ignored. It "
    "cannot say that the bytes must be canonical (RFC 8785), that a variant's name stands once, "
    "and that subject and predicate.variants name the same variants: a reader checks these too."
)


def schema() -> dict[str, Any]:
    """The schema, in the dialect 2020-12."""
    written: dict[str, Any] = without_noise(Manifest.model_json_schema())
    kinds = written["$defs"]
    kinds["Variant"]["allOf"] = [
        {
            "if": {"properties": {"sealing": {"properties": {"format": {"const": name}}}}},
            "then": {"properties": {part: _proven_by(part, wanted) for part in ("small", "big")}},
        }
        for name, wanted in PROVING_FIELDS.items()
    ]
    kinds["Source"]["oneOf"] = [_has("trainingRun", "artifact"), _has("artifact", "trainingRun")]
    # Every other object may grow fields; here each field is a metric.
    kinds["Source"]["properties"]["metrics"]["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Manifest of a Sealyard release",
        **written,
        "description": _DESCRIPTION,
    }


def encoded() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2) + "\n"


def _proven_by(part: str, wanted: frozenset[str]) -> dict[str, Any]:
    """A part with just those of the fields of `PROVING_FIELDS` that its format has."""
    fields = sorted(field for every in PROVING_FIELDS.values() for field in every)
    here = {field: field.removeprefix(f"{part}.") for field in fields if field.startswith(part)}
    return {
        "required": [name for field, name in here.items() if field in wanted],
        "properties": {
            # A field that is null is absent, to every reader.
            name: {"not": {"type": "null"}} if field in wanted else {"type": "null"}
            for field, name in here.items()
        },
    }


def _has(one: str, other: str) -> dict[str, Any]:
    return {
        "required": [one],
        "properties": {one: {"type": "object"}, other: {"type": "null"}},
    }


if __name__ == "__main__":
    sys.stdout.write(encoded())
