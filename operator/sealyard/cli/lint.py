"""`sealyard lint`: what the API server and the operator would say of a file, said offline."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from sealyard.cli.options import JsonOption, read_file
from sealyard.errors import InvalidError, MissingError

STANDARD_INPUT = "-"
SUFFIXES = frozenset({".yaml", ".yml", ".json"})
MAX_BYTES = 16 << 20


def lint_command(
    files: Annotated[
        list[str],
        typer.Argument(help="YAML files, folders of them, or - for standard input."),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with manifests, offline.

    Each line names the file, the line, the object, the field, and what would be right. Objects of
    other kinds are passed over. What an object refers to is not looked for.
    """
    linter = _linter()
    now = datetime.now(UTC)
    reports = [linter.lint(source, text, now) for source, text in _texts(files)]
    findings = [finding for report in reports for finding in report.findings]
    judged = sum(report.judged for report in reports)
    others = sum(report.passed_over for report in reports)
    if as_json:
        document = {
            "judged": judged,
            "passedOver": others,
            "findings": [asdict(finding) for finding in findings],
        }
        print(json.dumps(document, indent=1))
    else:
        for finding in findings:
            print(finding)
    if findings:
        raise InvalidError(f"{len(findings)} in {judged} objects would be refused")
    if not as_json:
        print(f"{judged} objects are fine, {others} of other kinds were passed over")


def _linter() -> Any:
    try:
        return import_module("sealyard.lint.lint")
    except ModuleNotFoundError as error:
        raise MissingError(
            f"lint needs what sealyard[lint] installs ({error.name} is missing)"
        ) from None


def _texts(files: list[str]) -> list[tuple[str, str]]:
    texts = []
    for name in files:
        if name == STANDARD_INPUT:
            texts.append(("standard input", _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), name)))
            continue
        path = Path(name)
        found = [path]
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES)
        texts += [(str(one), _decoded(read_file(one, MAX_BYTES), str(one))) for one in found]
    return texts


def _decoded(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise InvalidError(f"{name}: has more than {MAX_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidError(f"{name}: is no text in UTF-8") from None
