from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.training
def test_the_data_is_what_the_installed_ultralytics_knows(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "images/trainer/generate_known_arguments.py", "--check"],
        cwd=REPOSITORY,
        env={"YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
