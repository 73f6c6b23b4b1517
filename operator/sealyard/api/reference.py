"""`docs/reference.md`: every field, condition and reason, from the same types as the CRDs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sealyard.api.conditions import MEANINGS, ConditionType, RouteConditionType
from sealyard.api.crd import KINDS, openapi
from sealyard.api.kind import API_VERSION, REQUESTED_AT_ANNOTATION, CustomResource
from sealyard.api.probe import CHECK_MEANINGS
from sealyard.api.secrets import SECRET_USES

CONDITIONS = {
    ConditionType.READY: "The object is what its spec asks for.",
    ConditionType.RECONCILING: "Work is under way, or goes on by itself once something is there.",
    ConditionType.STALLED: "Nothing more happens without somebody's help; the message says which.",
    RouteConditionType.IDENTITY_PROVEN: "Of an AnnotationRoute: a role counts if it is proven.",
    RouteConditionType.MESSAGES_LOST: "Of an AnnotationRoute: the broker deleted messages before "
    "they were filed; the message says how many.",
}

INTRODUCTION = f"""\
# Reference

Written by `make generate` from the types in `sealyard.api`. API version `{API_VERSION}`.

Immutable means: the API server refuses a change, because it would decide another result. Create a
new object instead. A Failed object is opened again by the annotation
`{REQUESTED_AT_ANNOTATION}` with the current time in RFC 3339:

```
kubectl annotate --overwrite trainingrun NAME {REQUESTED_AT_ANNOTATION}=$(date -u +%FT%TZ)
```

On a ReleaseTarget the same annotation asks for a probe, for the grants and for a newly signed
index, all at once.
"""


def reference() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *(_kind(kind) for kind in KINDS), _conditions(), _checks(), _secrets()]
    return "\n".join(parts)


def _kind(kind: type[CustomResource]) -> str:
    schema = openapi(kind)
    lines = [
        f"## {kind.KIND}",
        "",
        schema["description"],
        "",
        f"`kubectl get {kind.PLURAL}`, short `{kind.SHORT_NAMES[0]}`.",
        "",
    ]
    for part in ("spec", "status"):
        rows = list(_rows(schema["properties"].get(part, {}), part))
        if rows:
            lines += [f"### {kind.KIND} {part}", "", "| field | type | default | |"]
            lines += ["|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(schema: dict[str, Any], path: str) -> Iterator[str]:
    frozen = {
        rule["fieldPath"].removeprefix(".")
        for rule in schema.get("x-kubernetes-validations", [])
        if _freezes(rule)
    }
    for name, field in schema.get("properties", {}).items():
        notes = [field.get("description", "")]
        notes += [f"{_sentence(rule)}" for rule in _messages(field)]
        notes += ["Immutable."] if name in frozen else []
        kind = _type(field) + (", required" if name in schema.get("required", []) else "")
        default = json.dumps(field["default"]) if field.get("default") not in (None, {}) else ""
        text = " ".join(note for note in notes if note).replace("|", "\\|")
        yield f"| `{path}.{name}` | {kind} | {f'`{default}`' if default else ''} | {text} |"
        if name != "conditions":
            yield from _rows(field, f"{path}.{name}")
            yield from _rows(field.get("items", {}), f"{path}.{name}[]")


def _messages(field: dict[str, Any]) -> Iterator[str]:
    for rule in field.get("x-kubernetes-validations", []):
        if not _freezes(rule):
            yield rule["message"]


def _freezes(rule: dict[str, Any]) -> bool:
    """Whether a rule is that of `kind.immutable`, which names the sub-object that it is about."""
    return "oldSelf" in rule["rule"] and "fieldPath" in rule


def _sentence(message: str) -> str:
    return f"{message[0].upper()}{message[1:]}."


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if field["type"] == "object" and "additionalProperties" in field:
        return "map"
    limits = []
    if "minimum" in field:
        limits.append(f"{'>' if field.get('exclusiveMinimum') else '≥'} {field['minimum']}")
    if "maximum" in field:
        limits.append(f"≤ {field['maximum']}")
    if "multipleOf" in field:
        limits.append(f"a multiple of {field['multipleOf']}")
    kind = "time" if field.get("format") == "date-time" else field["type"]
    return f"{kind} {', '.join(limits)}".strip()


def _conditions() -> str:
    lines = ["## Conditions", "", "| condition | True means |", "|---|---|"]
    lines += [f"| `{kind}` | {meaning} |" for kind, meaning in CONDITIONS.items()]
    lines += ["", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {meaning} |" for reason, meaning in MEANINGS.items()]
    return "\n".join([*lines, ""])


def _checks() -> str:
    lines = ["## Probe", "", "The checks in `status.probe` of a ReleaseTarget.", ""]
    lines += ["| check | passed means |", "|---|---|"]
    lines += [f"| `{check}` | {meaning} |" for check, meaning in CHECK_MEANINGS.items()]
    return "\n".join([*lines, ""])


def _secrets() -> str:
    lines = [
        "## Secrets",
        "",
        "A pod mounts these keys and no others. One Secret may hold several purposes.",
        "",
        "| purpose | keys | mounted by |",
        "|---|---|---|",
    ]
    for purpose, use in SECRET_USES.items():
        keys = ", ".join(f"`{key}`" for key in use.keys)
        lines.append(f"| {purpose} | {keys} | {', '.join(sorted(use.roles))} |")
    return "\n".join([*lines, ""])
