"""What must become of messages, worked out from them alone, without anything of the router's.

For roles that are trusted as messages name them, and pictures that come with each message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

VALIDATED = {"Validator", "Admin"}


@dataclass
class Fate:
    """What has become of a stream.

    Attributes:
        verdicts: of each message.
        newest: the message that made each item what it is: its offset, line and picture.
    """

    verdicts: list[str] = field(default_factory=list)
    newest: dict[str, tuple[int, dict[str, Any], bytes]] = field(default_factory=dict)


def fate_of(bodies: Sequence[bytes], classes: Sequence[str]) -> Fate:
    """What becomes of messages, the first of which has offset 0."""
    fate = Fate()
    for offset, body in enumerate(bodies):
        text, _, picture = body.partition(b"\n")
        try:
            line = json.loads(text)
        except ValueError:
            fate.verdicts.append("rejected")
            continue
        had = fate.newest.get(line["id"])
        fate.verdicts.append(_verdict(line, had[1] if had else None, classes))
        if fate.verdicts[-1] in {"validated", "seed", "deleted"}:
            fate.newest[line["id"]] = (offset, line, picture)
    return fate


def files_due(fate: Fate, classes: Sequence[str]) -> dict[str, str]:
    """What must lie in `validated/` and `seed/` then: JPEGs and their labels, by their digests."""
    due: dict[str, str] = {}
    for offset, line, picture in fate.newest.values():
        if line["operation"] == "deleted":
            continue
        labels = "".join(
            f"{classes.index(box['class'])} {box['x']:g} {box['y']:g} {box['width']:g} "
            f"{box['height']:g}\n"
            for box in line["boxes"]
        )
        folder, stem = _folder(line), f"{line['id']}-{offset:012d}"
        due[f"{folder}/images/{stem}.jpg"] = hashlib.sha256(picture).hexdigest()
        due[f"{folder}/labels/{stem}.txt"] = hashlib.sha256(labels.encode()).hexdigest()
    return due


def _verdict(line: dict[str, Any], had: dict[str, Any] | None, classes: Sequence[str]) -> str:
    if any(box["class"] not in classes for box in line["boxes"]):
        return "rejected"
    is_proven = line.get("role") is not None
    was_proven = had is not None and had.get("role") is not None
    if had is None or (is_proven and not was_proven):
        return _folder(line)
    if line["revision"] < had["revision"]:
        return "superseded"
    if line["revision"] == had["revision"]:
        return "repeated" if line == had else "rejected"
    return "rejected" if was_proven and not is_proven else _folder(line)


def _folder(line: dict[str, Any]) -> str:
    if line["operation"] == "deleted":
        return "deleted"
    return "validated" if line.get("role") in VALIDATED else "seed"
