"""Writes `sealyard.core.ultralytics_data`: what the operator must know of ultralytics.

The operator refuses an unknown architecture or hyperparameter before a pod is started, but must
not import ultralytics itself (it has no torch, and ultralytics is AGPL-3.0). So names and types
are data, written here from the release that the training image installs:

    python images/trainer/generate_known_arguments.py            # writes the module
    python images/trainer/generate_known_arguments.py --check    # exit code 1 if it is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import ultralytics
import yaml
from ultralytics.cfg import CFG_FRACTION_KEYS, CFG_INT_MIN
from ultralytics.utils import DEFAULT_CFG_PATH, ROOT

OUTPUT = Path(__file__).parents[2] / "operator/sealyard/core/ultralytics_data.py"

# Sections of ultralytics' default.yaml that matter to training, by the start of their headings.
SECTIONS = ("Train settings", "Val/Test settings", "Hyperparameters")
OTHER_TASKS = re.compile(r"\((?:pose|obb|depth|segment|classify)(?: tasks| only)[^)]*\)")
HEADING = re.compile(r"^# (?P<title>[^-]+?) -+$")
ARGUMENT = re.compile(r"^(?P<name>\w+):[^#]*# \((?P<kinds>[^)]*)\) (?P<text>.*)$")
KINDS = {"tuple": "list", "list[int]": "list", "int | list[int]": "list"}
DETECTION_HEADS = {"Detect", "v10Detect"}
"""RT-DETR has a trainer of its own, and text-prompted models fetch a text encoder."""
SCALED_NAME = re.compile(r"^(?P<stem>yolo(?:v)?\d+)(?P<rest>-.*)?$")

HEADER = '''"""What ultralytics {version} knows, as data.

Written by images/trainer/generate_known_arguments.py: `make generate` writes it anew, and a test
compares it with the installed release.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Argument:
    """The types of a training argument's values, and their range where ultralytics has one."""

    kinds: tuple[str, ...]
    minimum: float | None = None
    maximum: float | None = None


'''


def architectures() -> list[str]:
    """The names of detection architectures that ultralytics finds without a network."""
    names: set[str] = set()
    for path in (ROOT / "cfg" / "models").rglob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if document["head"][-1][-2] not in DETECTION_HEADS:
            continue
        match = SCALED_NAME.match(path.stem)
        if match and isinstance(document.get("scales"), dict):
            rest = match["rest"] or ""
            names |= {f"{match['stem']}{scale}{rest}.yaml" for scale in document["scales"]}
        else:
            names.add(path.name)
    return sorted(names)


def arguments() -> dict[str, str]:
    """The arguments of detection training, each as the source of an `Argument`."""
    found = {}
    for name, kinds in _documented(Path(DEFAULT_CFG_PATH).read_text(encoding="utf-8")):
        ranged = kinds <= {"int", "float"}
        limits = []
        if ranged and name in CFG_INT_MIN:
            limits = [f"minimum={CFG_INT_MIN[name]}"]
        elif ranged and name in CFG_FRACTION_KEYS:
            limits = ["minimum=0.0", "maximum=1.0"]
        names = ", ".join(f'"{kind}"' for kind in sorted(kinds))
        comma = "," if len(kinds) == 1 else ""
        found[name] = f"Argument({', '.join([f'({names}{comma})', *limits])})"
    return found


def _documented(text: str) -> Iterator[tuple[str, set[str]]]:
    """Names and kinds, as the comments of default.yaml have them."""
    section = ""
    for line in text.splitlines():
        if heading := HEADING.match(line):
            section = heading["title"]
        argument = ARGUMENT.match(line)
        if not argument or not section.startswith(SECTIONS) or OTHER_TASKS.search(line):
            continue
        kinds = {kind.strip() for part in argument["kinds"].split(",") for kind in part.split("|")}
        yield argument["name"], {KINDS.get(kind, kind) for kind in kinds - {"optional"}}


def render() -> str:
    """The module's source."""
    lines = [f'ULTRALYTICS_VERSION = "{ultralytics.__version__}"', "", "ARCHITECTURES = ("]
    lines += [f'    "{name}",' for name in architectures()]
    lines += [")", "", "ARGUMENTS = {"]
    lines += [f'    "{name}": {source},' for name, source in arguments().items()]
    lines += ["}", ""]
    return HEADER.format(version=ultralytics.__version__) + "\n".join(lines)


def main() -> int:
    """Writes the module, or says whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write what the operator knows of ultralytics.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    source = render()
    if parser.parse_args().check:
        if OUTPUT.read_text(encoding="utf-8") == source:
            return 0
        sys.stderr.write(f"{OUTPUT} is out of date: run make generate\n")
        return 1
    OUTPUT.write_text(source, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
