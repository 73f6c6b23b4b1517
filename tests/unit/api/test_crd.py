from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import kubernetes_validate
import pytest
from pydantic import Field

from sealyard.api.crd import KINDS, UnsupportedSchemaError, definition, openapi
from sealyard.api.device import Device
from sealyard.api.generate import REPOSITORY, files, main, stale
from sealyard.api.kind import CustomResource
from sealyard.api.model import Model, Name
from sealyard.api.model_release import ModelRelease

EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in schema:
            yield from walk(schema[part], f"{path}[{part}]")


def spec_of(kind: type[CustomResource]) -> dict[str, Any]:
    spec: dict[str, Any] = openapi(kind)["properties"]["spec"]
    return spec


def test_the_generated_files_are_up_to_date() -> None:
    assert stale(REPOSITORY) == []


def test_generating_writes_what_is_stale_and_checking_nothing(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert "crds/sealyard.io_trainingruns.yaml is out of date" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0


@EVERY_KIND
def test_kubernetes_takes_the_definition(kind: type[CustomResource]) -> None:
    kubernetes_validate.validate(definition(kind), "1.37", strict=True)


@pytest.mark.parametrize("kind", [Device, ModelRelease])
def test_an_end_is_a_time_in_utc(kind: type[CustomResource]) -> None:
    field = spec_of(kind)["properties"]["notAfter"]
    assert "format" not in field, "to CEL it would be a timestamp and no string"
    [rule] = field["x-kubernetes-validations"]
    assert "2030-01-31T12:00:00Z" in rule["message"]
    pattern = rule["rule"].removeprefix("self.matches(r'").removesuffix("')")
    assert re.search(pattern, "2030-01-31T12:00:00Z")
    for text in (
        "2030-01-31T12:00:00z",
        "2030-01-31T12:00:00+01:00",
        "0000-01-31T12:00:00Z",
        "2030-13-31T12:00:00Z",
        "2030-01-31T24:00:00Z",
        "2030-01-31T12:00:00.5Z",
    ):
        assert not re.search(pattern, text), text


@EVERY_KIND
def test_the_schema_is_structural(kind: type[CustomResource]) -> None:
    for path, schema in walk(openapi(kind)):
        assert "type" in schema or "x-kubernetes-preserve-unknown-fields" in schema, path
        assert not schema.keys() & {"$ref", "anyOf", "const", "title", "$defs"}, path
        assert isinstance(schema.get("exclusiveMinimum", True), bool), path


@EVERY_KIND
def test_every_size_is_bounded_so_that_rules_stay_cheap(kind: type[CustomResource]) -> None:
    for path, schema in walk(spec_of(kind)):
        if schema.get("type") == "string" and "enum" not in schema:
            assert "maxLength" in schema, path
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path


@EVERY_KIND
def test_no_description_has_the_line_breaks_of_its_source(kind: type[CustomResource]) -> None:
    for path, schema in walk(openapi(kind)):
        assert "  " not in schema.get("description", ""), path
        assert "\n" not in schema.get("description", ""), path


@EVERY_KIND
def test_the_status_has_no_defaults_and_no_rules(kind: type[CustomResource]) -> None:
    for path, schema in walk(openapi(kind)["properties"].get("status", {})):
        assert not schema.keys() & {"default", "x-kubernetes-validations"}, path


@EVERY_KIND
def test_items_of_lists_have_no_defaults(kind: type[CustomResource]) -> None:
    for path, schema in walk(openapi(kind)):
        assert "[items]" not in path or "default" not in schema, path


@EVERY_KIND
def test_what_a_rule_compares_is_always_there(kind: type[CustomResource]) -> None:
    """A rule over an optional object that does not ask for it would fail, or not be asked."""
    spec = spec_of(kind)
    for rule in spec.get("x-kubernetes-validations", []):
        field = rule["fieldPath"].removeprefix(".")
        asks = f"has(self.{field})" in rule["rule"]
        assert asks or field in spec["required"] or "default" in spec["properties"][field]


@EVERY_KIND
def test_no_pattern_is_shown_to_a_user(kind: type[CustomResource]) -> None:
    for path, schema in walk(spec_of(kind)):
        assert "pattern" not in schema, path
        for rule in schema.get("x-kubernetes-validations", []):
            for raw in re.findall(r"matches\(r'(.*?)'\)", rule["rule"]):
                assert re.compile(raw), f"{path}: a quote in it ends it"


def test_conditions_and_variants_are_maps_by_key() -> None:
    for kind in (one for one in KINDS if "status" in one.model_fields):
        conditions = openapi(kind)["properties"]["status"]["properties"]["conditions"]
        assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    release = next(kind for kind in KINDS if kind.KIND == "ModelRelease")
    assert spec_of(release)["properties"]["variants"]["x-kubernetes-list-map-keys"] == ["name"]


def test_free_values_are_compared_as_a_whole() -> None:
    run = next(kind for kind in KINDS if kind.KIND == "TrainingRun")
    extra = spec_of(run)["properties"]["hyperparameters"]["properties"]["extra"]
    assert extra["type"] == "object"
    assert extra["additionalProperties"] == {"x-kubernetes-preserve-unknown-fields": True}


def test_columns_are_read_from_where_they_are_written() -> None:
    for kind in KINDS:
        properties = openapi(kind)["properties"]
        for column in kind.COLUMNS:
            folder, *rest = column.json_path.removeprefix(".").split("[")[0].split(".")
            schema = properties[folder]
            for name in rest:
                if folder == "metadata" or "additionalProperties" in schema:
                    break
                schema = schema["properties"][name]


class _Status(Model):
    phase: str | None = None


def _kind_with(spec_type: type[Model]) -> type[CustomResource]:
    class Kind(CustomResource):
        """A kind."""

        KIND: ClassVar[str] = "Kind"
        PLURAL: ClassVar[str] = "kinds"
        spec: spec_type  # type: ignore[valid-type]
        status: _Status = Field(default_factory=_Status)

    return Kind


def test_bounds_constants_and_options_get_their_form() -> None:
    class Spec(Model):
        """What   is
        wanted."""

        share: Annotated[float, Field(gt=0, lt=1)] | None = None
        mode: Literal["only"]
        name: Name = Field(description="A  name.")

    spec = openapi(_kind_with(Spec))["properties"]["spec"]
    assert spec["description"] == "What is wanted."
    assert spec["properties"]["share"] == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 1,
        "exclusiveMaximum": True,
    }
    assert spec["properties"]["mode"] == {"type": "string", "enum": ["only"]}
    name = spec["properties"]["name"]
    assert name["description"] == "A name."
    assert "pattern" not in name
    assert name["x-kubernetes-validations"][0]["message"].startswith("must be lower-case letters")


class _Nested(Model):
    size: int = 1


class _Union(Model):
    either: int | str


class _DefaultInList(Model):
    items: list[_Nested]


class _ObjectInList(Model):
    class Item(Model):
        nested: _Nested = Field(default_factory=_Nested)

    items: list[Item]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (_Union, "a union has no structural form"),
        (_DefaultInList, "defaults in lists drift"),
        (_ObjectInList, "defaults in lists drift"),
    ],
)
def test_what_a_crd_cannot_say_is_refused(spec: type[Model], problem: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=problem):
        openapi(_kind_with(spec))


def test_the_reference_names_every_field_once() -> None:
    text = files()["docs/reference.md"]
    for kind in KINDS:
        section = text.split(f"## {kind.KIND}\n", 1)[1].split("\n## ", 1)[0]
        for path, _ in walk(spec_of(kind), "spec"):
            if path != "spec" and "[" not in path:
                assert section.count(f"| `{path}` |") == 1, path
