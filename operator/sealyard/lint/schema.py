"""What the API server would say of an object: its structure, then its rules.

Both are those of the CRD itself, so that no rule is written twice. Rules that compare an object
with what it was before have nothing to compare here, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, TypeAlias

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import DoubleType, IntType, Value
from celpy.evaluation import CELEvalError, CELFunction
from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError

from sealyard.api.crd import Schema
from sealyard.core.compute.quantity import amount
from sealyard.lint.documents import MapKey, Path

Problem: TypeAlias = tuple[Path, str]
"""Where it is, and what would be right."""

RULES = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
MAP_KEYS = "x-kubernetes-list-map-keys"
_WORDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "multipleOf": "must be a multiple of {}",
    "maxLength": "must have {} characters at most",
    "minLength": "must have {} characters at least",
    "maxItems": "must have {} items at most",
    "minItems": "must have {} items at least",
    "maxProperties": "must have {} entries at most",
}
_KINDS = {"object": "a mapping", "array": "a list", "string": "a text (in quotes)"}
_environment = celpy.Environment()


def problems(value: Any, schema: Schema) -> list[Problem]:
    """Everything that is wrong, as far as it can be said: no rule judges a value of another type.

    Args:
        value: the object as it was written.
        schema: the structural schema (openAPIV3Schema) of its kind.
    """
    # Boolean exclusiveMinimum, as OpenAPI 3.0 has it, is that of draft 4.
    found = [
        *(_say(error) for error in Draft4Validator(schema).iter_errors(value)),
        *_unknown(value, schema, ()),
    ]
    whole = _defaulted(value, schema)
    return [*found, *_duplicates(whole, schema, ()), *_broken_rules(whole, schema, ())]


def _say(error: ValidationError) -> Problem:
    path: Path = tuple(error.absolute_path)
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            # One error for each field that is missing; which one stands in the message alone.
            return (*path, error.message.split("'")[1]), "is required"
        case "enum":
            choices = ", ".join(map(str, wanted))
            return path, f"must be {'one of ' if len(wanted) > 1 else ''}{choices}"
        case "type":
            return path, f"must be {_KINDS.get(wanted, f'of type {wanted}')}"
        case _:
            words = _WORDS.get(str(error.validator))
            return path, words.format(wanted) if words else error.message


def _unknown(value: Any, schema: Schema, path: Path) -> Iterator[Problem]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    for name, item, inner in _children(value, schema):
        if inner is None:
            # metadata is Kubernetes' own.
            if path or schema.get("properties"):
                yield (*path, name), "is no field; is it spelt right?"
        else:
            yield from _unknown(item, inner, (*path, name))


def _duplicates(value: Any, schema: Schema, path: Path) -> Iterator[Problem]:
    """Items that a list holds twice, where it is a set, or a map by some of their fields."""
    keys = schema.get(MAP_KEYS)
    if isinstance(value, list) and (keys or schema.get(LIST_TYPE) == "set"):
        seen = []
        for position, item in enumerate(value):
            identity = [item.get(key) for key in keys] if keys else item
            if identity in seen:
                yield (*path, position), "stands there twice"
            seen.append(identity)
    for name, item, inner in _children(value, schema):
        if inner is not None:
            yield from _duplicates(item, inner, (*path, name))


def _children(value: Any, schema: Schema) -> Iterator[tuple[str | int, Any, Schema | None]]:
    """Each part of a value with its schema, or None for a field that the schema has not."""
    if isinstance(value, list) and "items" in schema:
        for position, item in enumerate(value):
            yield position, item, schema["items"]
    elif isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            yield name, item, schema["properties"].get(name)
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, item in value.items():
            yield MapKey(name), item, schema["additionalProperties"]


def _defaulted(value: Any, schema: Schema) -> Any:
    """The value as it is stored: rules see it with its defaults."""
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        defaults = {name: one["default"] for name, one in fields.items() if "default" in one}
        others = schema.get("additionalProperties")
        values = others if isinstance(others, dict) else {}
        return {
            name: _defaulted(item, fields.get(name, values))
            for name, item in {**defaults, **value}.items()
        }
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items", {})) for item in value]
    return value


def _broken_rules(value: Any, schema: Schema, path: Path) -> Iterator[Problem]:
    for rule in schema.get(RULES, ()):
        if "oldSelf" not in rule["rule"] and not _holds(rule["rule"], value):
            field = rule.get("fieldPath", "").strip(".")
            yield (*path, *(field.split(".") if field else ())), rule["message"]
    for name, item, inner in _children(value, schema):
        if inner is not None:
            yield from _broken_rules(item, inner, (*path, name))


@cache
def _program(rule: str) -> celpy.Runner:
    return _environment.program(_environment.compile(rule), functions=FUNCTIONS)


def _quantity(text: Value) -> Value:
    return DoubleType(float(amount(str(text))))


def _compare_to(one: DoubleType, other: DoubleType) -> Value:
    return IntType((one > other) - (one < other))


FUNCTIONS: Final[dict[str, CELFunction]] = {"quantity": _quantity, "compareTo": _compare_to}
"""Of Kubernetes' additions to CEL those that our rules use."""


def _holds(rule: str, value: Any) -> bool:
    program = _program(rule)
    try:
        return bool(program.evaluate({"self": json_to_cel(value)}))
    except (CELEvalError, TypeError):
        # A value of another type, of which more was said already.
        return True
