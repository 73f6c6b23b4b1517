"""Every target holds for its seeds, and for a bounded search that begins at them.

`make fuzz` searches for longer, and goes on from what it has found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.targets import TARGETS
from sealyard.errors import SealyardError

TESTS = Path(__file__).parents[1]
RUNS = 4000


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_reach_what_lies_behind_the_first_check(name: str) -> None:
    accepted = refused = 0
    for seed in TARGETS[name].seeds():
        try:
            TARGETS[name].run(seed)
            accepted += 1
        except SealyardError:
            refused += 1
    assert accepted > 0
    # The vectors hold damaged parts, but their manifests and keyrings are whole.
    assert (refused > 0) == (name not in {"manifest", "keyring"})


@pytest.mark.parametrize("name", TARGETS)
def test_a_bounded_search_finds_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="there is no wheel of it for this machine")
    corpus = tmp_path / name
    # Bounded by runs and with a fixed seed: the same search on a slow machine as on a fast one.
    bounds = [f"-runs={RUNS}", "-seed=1", "-timeout=120", "-rss_limit_mb=4096"]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", name, str(corpus), *bounds],
        env=os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {RUNS} runs" in done.stderr
