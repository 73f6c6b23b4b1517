"""CustomResourceDefinitions from the pydantic kinds: structural schemas as the API server wants.

What pydantic writes is JSON Schema 2020; what apiextensions/v1 takes is a structural subset of
OpenAPI v3. The differences are handled here and nowhere else: references are inlined, `X | None`
becomes X, numeric bounds get their boolean form, and a pattern with a message (`model.says`)
becomes a CEL rule, so that the API server explains itself in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.device import Device
from sealyard.api.kind import GROUP, VERSION, CustomResource, PrinterColumn
from sealyard.api.model import PATTERN_MESSAGE, Model
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun

KINDS: tuple[type[CustomResource], ...] = (
    TrainingRun,
    ModelRelease,
    ReleaseTarget,
    ReleaseChannel,
    Device,
    ComputeProfile,
    AnnotationRoute,
)
CATEGORY = "sealyard"

Schema = dict[str, Any]

KEPT = frozenset(
    {
        "default",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
    }
)
"""Keywords that mean the same on both sides."""
DROPPED = frozenset({"title", "$defs"})
_EMPTY: Final[dict[str, Callable[[], object]]] = {"object": dict, "array": list}


class UnsupportedSchemaError(Exception):
    """A type says something that a CRD cannot, or should not."""


def definition(kind: type[CustomResource]) -> Schema:
    """The CustomResourceDefinition of a kind, ready to be written as YAML."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "categories": [CATEGORY],
                "kind": kind.KIND,
                "listKind": f"{kind.KIND}List",
                "plural": kind.PLURAL,
                "shortNames": list(kind.SHORT_NAMES),
                "singular": kind.KIND.lower(),
            },
            "scope": kind.SCOPE,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if "status" in kind.model_fields else {}),
                    "additionalPrinterColumns": [_column(column) for column in kind.COLUMNS],
                    "schema": {"openAPIV3Schema": openapi(kind)},
                }
            ],
        },
    }


def openapi(kind: type[CustomResource]) -> Schema:
    """The structural schema of a kind."""
    parts = {}
    for part in ("spec", "status"):
        if part in kind.model_fields:
            model = kind.model_fields[part].annotation
            if not isinstance(model, type):
                raise UnsupportedSchemaError(f"{kind.KIND}: {part} must be a model")
            parts[part] = _structural(model, is_status=part == "status")
    return {
        "type": "object",
        "description": _text(kind.__doc__ or ""),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **parts,
        },
    }


def _structural(model: type[Model], *, is_status: bool) -> Schema:
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(document.get("$defs", {}), is_status=is_status).convert(
        document, path=model.__name__
    )


def _column(column: PrinterColumn) -> Schema:
    entry: Schema = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return entry | {"priority": 1} if column.wide else entry


def _text(description: str) -> str:
    """Description text without the line breaks and indentation of its source."""
    return " ".join(description.split())


class _Converter:
    """One conversion; `is_status` drops defaults and rules, for the operator alone writes there."""

    def __init__(self, definitions: dict[str, Schema], *, is_status: bool) -> None:
        self._definitions = definitions
        self._is_status = is_status

    def convert(self, schema: Schema, *, path: str, in_list: bool = False) -> Schema:
        """The structural form of a schema."""
        schema = self._resolve(schema)
        unknown = (
            schema.keys()
            - KEPT
            - DROPPED
            - {
                "additionalProperties",
                "const",
                "description",
                "exclusiveMaximum",
                "exclusiveMinimum",
                "items",
                "properties",
                PATTERN_MESSAGE,
            }
        )
        if unknown:
            raise UnsupportedSchemaError(f"{path}: {sorted(unknown)} has no structural form")
        out: Schema = {}
        if "description" in schema:
            out["description"] = _text(schema["description"])
        out |= {key: value for key, value in schema.items() if key in KEPT}
        self._narrow(schema, out)
        self._default(out, path=path, in_list=in_list)
        if "items" in schema:
            out["items"] = self.convert(schema["items"], path=f"{path}[]", in_list=True)
        if "properties" in schema:
            out["properties"] = {
                name: self._property(schema, name, path=f"{path}.{name}", in_list=in_list)
                for name in schema["properties"]
            }
        if "additionalProperties" in schema:
            out["additionalProperties"] = self._values(schema["additionalProperties"], path=path)
        return out

    def _property(self, parent: Schema, name: str, *, path: str, in_list: bool) -> Schema:
        raw = parent["properties"][name]
        out = self.convert(raw, path=path, in_list=in_list)
        is_defaulted = name not in parent.get("required", []) and "default" not in raw
        empty = _EMPTY.get(str(out.get("type")))
        if empty is not None and is_defaulted and not self._is_status:
            # A default factory: the API server must fill it in, for rules compare it.
            if in_list:
                raise UnsupportedSchemaError(f"{path}: defaults in lists drift under apply")
            out["default"] = empty()
        return out

    def _values(self, values: Schema | bool, *, path: str) -> Schema:
        if values is True:
            # Free values. CEL cannot look into them, so it compares the object as a whole; with
            # preserve-unknown-fields on the object itself it would not see a key renamed.
            return {"x-kubernetes-preserve-unknown-fields": True}
        if isinstance(values, dict):
            return self.convert(values, path=f"{path}{{}}")
        raise UnsupportedSchemaError(f"{path}: additionalProperties {values}")

    def _narrow(self, schema: Schema, out: Schema) -> None:
        """Keywords whose form differs."""
        if "const" in schema:
            out["enum"] = [schema["const"]]
        for bound, exclusive in (
            ("minimum", "exclusiveMinimum"),
            ("maximum", "exclusiveMaximum"),
        ):
            if exclusive in schema:
                out[bound] = schema[exclusive]
                out[exclusive] = True
        if self._is_status:
            out.pop("x-kubernetes-validations", None)
        elif message := schema.get(PATTERN_MESSAGE):
            rule = {"rule": f"self.matches(r'{out.pop('pattern')}')", "message": message}
            out.setdefault("x-kubernetes-validations", []).append(rule)

    def _default(self, out: Schema, *, path: str, in_list: bool) -> None:
        if "default" not in out:
            return
        if out["default"] is None or self._is_status:
            del out["default"]
        elif in_list:
            raise UnsupportedSchemaError(f"{path}: defaults in lists drift under apply")

    def _resolve(self, schema: Schema) -> Schema:
        """The schema with references inlined and `X | None` taken for X; the outer keyword wins."""
        if "$ref" in schema:
            inner = self._definitions[schema["$ref"].rpartition("/")[2]]
            outer = {key: value for key, value in schema.items() if key != "$ref"}
            return self._resolve(inner | outer)
        if "anyOf" in schema:
            options = [option for option in schema["anyOf"] if option != {"type": "null"}]
            if len(options) != 1:
                raise UnsupportedSchemaError(f"a union has no structural form: {options}")
            outer = {key: value for key, value in schema.items() if key != "anyOf"}
            return self._resolve(options[0] | outer)
        return schema
