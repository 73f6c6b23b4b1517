"""The quickstart's dataset, made by the quickstart's own program, as small as a test wants it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PROGRAM = Path(__file__).parents[2] / "examples/quickstart/coins.py"


def coins_program() -> ModuleType:
    """The module that `python examples/quickstart/coins.py` runs."""
    spec = importlib.util.spec_from_file_location("quickstart_coins", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_coins(parent: Path, *, train: int, val: int) -> Path:
    """A dataset of so many tiles in `parent/coins`; the same every time."""
    folder: Path = coins_program().write_dataset(parent, {"train": train, "val": val})
    return folder
