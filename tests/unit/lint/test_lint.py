"""What is said of a file offline is what the API server and the operator would say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError

from sealyard.api.crd import KINDS, openapi
from sealyard.controller.runtime import RECONCILERS
from sealyard.errors import InvalidError
from sealyard.lint.lint import Report, lint
from sealyard.lint.schema import RULES, _program
from sealyard.lint.verdict import DECIDE, ON_PROFILES
from support.refusals import REFUSED, SPECS
from support.specs import merge

REPOSITORY = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 26, tzinfo=UTC)
LOOP = """
apiVersion: sealyard.io/v1alpha1
kind: Device
metadata: {name: loop}
spec: &loop
  models: [*loop]
"""
SERVERS_WORDS = re.compile(
    r"should be|should have|less than|supported values|Required|expected|not declared|duplicate"
)
"""Of the API server's own messages; those of our rules are the same here."""


def manifest(kind: str, patch: dict[str, Any]) -> str:
    document = {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "coins"},
        "spec": merge(deepcopy(SPECS[kind]), patch),
    }
    return yaml.safe_dump(document, sort_keys=False)


def judge(text: str) -> Report:
    (report,) = lint([("coins.yaml", text)], NOW)
    return report


@pytest.mark.parametrize("kind", SPECS)
def test_what_the_api_server_takes_is_fine(kind: str) -> None:
    assert judge(manifest(kind, {})) == Report(1, 0, ())


def test_every_kind_is_judged() -> None:
    assert {kind.KIND for kind in KINDS} == set(SPECS)
    assert set(DECIDE) | set(ON_PROFILES) == set(RECONCILERS)


@pytest.mark.parametrize(("kind", "patch", "field", "right"), REFUSED)
def test_what_the_api_server_refuses(
    kind: str, patch: dict[str, Any], field: str, right: str
) -> None:
    findings = judge(manifest(kind, patch)).findings
    assert {(finding.kind, finding.name) for finding in findings} == {(kind, "coins")}
    said = [one.message for one in findings if one.message.startswith(field.strip("."))]
    assert said
    assert SERVERS_WORDS.search(right) or any(right in one for one in said)


@pytest.mark.parametrize(
    ("patch", "line", "said"),
    [
        ({"hyperparameters": {"epochs": 0}}, "epochs: 0", "is 0: must be at least 1"),
        ({"hyperparameters": {"imageSize": 100}}, "imageSize", "is 100: must be a multiple of 32"),
        ({"compute": {"memory": 4}}, "memory", "is 4: must be a text (in quotes)"),
        ({"compute": {"gpu": 1}}, "gpu", "is 1: is no field; is it spelt right?"),
        ({"dataset": None}, "kind:", "spec.dataset: is required"),
    ],
)
def test_a_finding_names_the_line_and_what_would_be_right(
    patch: dict[str, Any], line: str, said: str
) -> None:
    text = manifest("TrainingRun", patch)
    (finding,) = judge(text).findings
    assert said in str(finding)
    if "required" not in said:
        assert line in text.splitlines()[finding.line - 1]


@pytest.mark.parametrize(
    ("kind", "patch", "said"),
    [
        (
            "TrainingRun",
            {"model": {"architecture": "yolo99n.yaml"}},
            "spec.model.architecture: yolo99n.yaml",
        ),
        ("TrainingRun", {"hyperparameters": {"extra": {"lr00": 1}}}, "lr00"),
        ("TrainingRun", {"suspend": True, "model": {"architecture": "yolo99n.yaml"}}, "yolo99n"),
        ("ReleaseTarget", {"cdn": {"bucket": "a..b"}}, "spec.cdn.bucket: a..b is no bucket name"),
        ("Device", {"deviceId": "0" * 32}, "(InvalidKey)"),
        ("ModelRelease", {"notAfter": "2025-01-01T00:00:00Z"}, "(Expired)"),
    ],
)
def test_what_only_the_operator_can_judge(kind: str, patch: dict[str, Any], said: str) -> None:
    (finding,) = judge(manifest(kind, patch)).findings
    assert said in finding.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "coins.yaml:1: no YAML: "),
        ("- a", "coins.yaml:1: must be an object with a kind"),
        (LOOP, "an alias leads back to its own anchor"),
        ("a: !!python/object:os.system {}", "no YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_manifest(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=re.escape(said)):
        judge(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "apiVersion: sealyard.io/v9\nkind: TrainingRun",
            "apiVersion: must be sealyard.io/v1alpha1",
        ),
        ("apiVersion: sealyard.io/v1alpha1\nkind: Training", "kind: must be one of TrainingRun"),
    ],
)
def test_what_is_no_kind_of_ours(text: str, said: str) -> None:
    (finding,) = judge(text).findings
    assert finding.message.startswith(said)


@pytest.mark.parametrize("kind", SPECS)
def test_what_tools_write_into_metadata_is_no_matter(kind: str) -> None:
    document = yaml.safe_load(manifest(kind, {}))
    document["metadata"] |= {"creationTimestamp": None, "labels": None, "annotations": {"a": "b"}}
    assert judge(yaml.safe_dump(document)).findings == ()


def test_lists_and_several_documents_are_looked_into() -> None:
    bad = yaml.safe_load(manifest("TrainingRun", {"hyperparameters": {"epochs": 0}}))
    several = [{"apiVersion": "v1", "kind": "List", "items": [bad, {"kind": "Secret"}]}, None, bad]
    report = judge(yaml.safe_dump_all(several))
    assert (report.judged, report.passed_over, len(report.findings)) == (2, 1, 2)
    assert len({finding.line for finding in report.findings}) == 2


def test_a_time_is_a_text_as_in_kubernetes() -> None:
    text = manifest("ModelRelease", {}) + "  notAfter: 2030-01-31T12:00:00Z\n"
    assert judge(text).findings == ()


def test_every_rule_can_be_judged_here() -> None:
    rules = {
        rule["rule"]
        for kind in KINDS
        for schema in _schemas_in(openapi(kind))
        for rule in schema.get(RULES, ())
        if "oldSelf" not in rule["rule"]
    }
    values = [
        *("x", 1, {}, {"x": "y"}, {"min": 0, "default": 1, "max": 1}),
        *(part for spec in SPECS.values() for part in _parts_of(spec)),
        *(part for _, patch, _, _ in REFUSED for part in _parts_of(patch)),
    ]
    for rule in rules:
        assert any(_evaluates(rule, value) for value in values), rule


def _evaluates(rule: str, value: Any) -> bool:
    try:
        _program(rule).evaluate({"self": json_to_cel(value)})
    except (CELEvalError, TypeError):
        return False
    return True


def _parts_of(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _parts_of(part)


def _schemas_in(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from _schemas_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _schemas_in(inner)


def test_the_examples_are_fine() -> None:
    files = [*REPOSITORY.glob("examples/**/*.yaml")]
    assert files
    reports = [report for file in files for report in lint([(str(file), file.read_text())], NOW)]
    assert [finding for report in reports for finding in report.findings] == []
    assert sum(report.judged for report in reports) > 0
