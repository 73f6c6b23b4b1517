"""The environment in which ultralytics asks nothing of the network and writes to scratch alone.

It reads these variables while it is imported, so this runs before. The image's Dockerfile sets the
same, but a program must not depend on how it was packed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from sealyard.errors import UnavailableError

FONTS = ("Arial.ttf", "Arial.Unicode.ttf")
"""What ultralytics would download to write on its plots."""


def work_offline(scratch: Path) -> None:
    """Point every cache at a folder in `scratch`, and switch off what would reach out."""
    home = scratch.resolve() / "sealyard"
    for folder in ("ultralytics/Ultralytics", "matplotlib", "torch", "tmp"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "YOLO_OFFLINE": "1",
            "YOLO_AUTOINSTALL": "0",
            # No banners and progress bars: the programs write a line per epoch of their own.
            "YOLO_VERBOSE": "0",
            "YOLO_CONFIG_DIR": str(home / "ultralytics"),
            # Checkpoints are unpickled against a list of known classes, not by whatever they name.
            "ULTRALYTICS_SAFE_LOAD": "1",
            "MPLCONFIGDIR": str(home / "matplotlib"),
            "MPLBACKEND": "Agg",
            "TORCH_HOME": str(home / "torch"),
            "TMPDIR": str(home / "tmp"),
        }
    )
    # Nothing looks for models or settings in the folder that the program was started in.
    os.chdir(home)
    for font in FONTS:
        shutil.copyfile(_dejavu(), home / "ultralytics/Ultralytics" / font)


def _dejavu() -> Path:
    """The font that matplotlib ships, found without importing it."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise UnavailableError("matplotlib is not installed; this image is not complete")
    return Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
