"""`sealyard lint`: what the API server and the operator would say of a file, said offline."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from sealyard.cli.options import JsonOption
from sealyard.cli.texts import FilesArgument, texts_of
from sealyard.errors import InvalidError, MissingError


def lint_command(
    files: FilesArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with manifests, offline.

    Each line names the file, the line, the object, the field, and what would be right. Objects of
    other kinds are passed over. What an object refers to is not looked for, except for
    ComputeProfiles among the files.
    """
    linter = _linter()
    now = datetime.now(UTC)
    reports = linter.lint(texts_of(files), now)
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
