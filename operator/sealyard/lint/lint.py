"""Everything that would be said of the objects of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.crd import KINDS, Schema, openapi
from sealyard.api.kind import API_VERSION, GROUP
from sealyard.errors import InvalidError
from sealyard.lint.documents import Document, MapKey, Path, read_documents
from sealyard.lint.metadata import problems_of_metadata
from sealyard.lint.schema import problems
from sealyard.lint.verdict import verdict

LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that would be refused.

    Attributes:
        source: the file.
        line: in it, from 1.
        kind: of the object.
        name: of the object; empty where it has none.
        message: names the field, its value, and what would be right.
    """

    source: str
    line: int
    kind: str
    name: str
    message: str

    def __str__(self) -> str:
        about = f"{self.kind} {self.name}".strip()
        return f"{self.source}:{self.line}: {about}: {self.message}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found."""

    judged: int
    """Objects of Sealyard's kinds."""
    passed_over: int
    """Objects of other kinds."""
    findings: tuple[Finding, ...]


def lint(texts: Iterable[tuple[str, str]], now: datetime) -> list[Report]:
    """Judge the objects of some files, which would be applied together.

    Args:
        texts: what findings call each file, and its content: YAML, or JSON.
        now: when they would be applied; what has expired by then is refused.

    Raises:
        InvalidError: one is no YAML, or holds something else than objects.
    """
    files = [(source, list(read_documents(source, text))) for source, text in texts]
    reports = []
    profiles: list[ComputeProfile] | None = None
    for source, documents in files:
        ours = [document for document in documents if _group(document.value) == GROUP]
        try:
            if profiles is None:
                profiles = _profiles(document for _, found in files for document in found)
            findings = tuple(
                finding for document in ours for finding in _judge(document, profiles, now)
            )
        except RecursionError:
            raise InvalidError(f"{source}: an alias leads back to its own anchor") from None
        reports.append(Report(len(ours), len(documents) - len(ours), findings))
    return reports


def _profiles(documents: Iterable[Document]) -> list[ComputeProfile]:
    """The ComputeProfiles that runs and releases beside them may use; bad ones are told anyway."""
    found = []
    for value in (document.value for document in documents):
        is_one = (value.get("apiVersion"), value.get("kind")) == (API_VERSION, ComputeProfile.KIND)
        if not is_one or problems(value, _schemas()[ComputeProfile.KIND]):
            continue
        if not list(problems_of_metadata(value.get("metadata"))):
            metadata = {"name": value["metadata"]["name"], "namespace": "", "uid": "new"}
            found.append(ComputeProfile.from_wire({**value, "metadata": metadata}))
    return found


def _judge(
    document: Document, profiles: Sequence[ComputeProfile], now: datetime
) -> Iterator[Finding]:
    value = document.value
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = str(value.get("kind"))

    def finding(path: Path, message: str) -> Finding:
        return Finding(document.source, document.line(path), kind, str(name or ""), message)

    if value["apiVersion"] != API_VERSION:
        yield finding(("apiVersion",), f"apiVersion: must be {API_VERSION}")
        return
    if kind not in _schemas():
        yield finding(("kind",), f"kind: must be one of {', '.join(_schemas())}")
        return
    found = [*problems_of_metadata(metadata), *problems(value, _schemas()[kind])]
    for path, message in found:
        yield finding(path, f"{_dotted(path)}{_shown(value, path)}: {message}")
    said = None if found else verdict(value, profiles, now)
    if said:
        yield finding(("spec",), said)


@cache
def _schemas() -> dict[str, Schema]:
    return {kind.KIND: openapi(kind) for kind in KINDS}


def _group(value: dict[str, Any]) -> str:
    return str(value.get("apiVersion", "")).partition("/")[0]


def _dotted(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int | MapKey) else f".{step}" for step in path)
    return text.removeprefix(".")


def _shown(value: Any, path: Path) -> str:
    """The value in question, if it is one that fits into a line."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, dict | list):
        return ""
    text = str(value)
    return f" is {text[:LONGEST_SHOWN]}{'…' if len(text) > LONGEST_SHOWN else ''}"
