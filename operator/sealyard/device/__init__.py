"""A machine that may open releases: what it is, how its keys are kept, and what it runs.

For programs of one's own::

    from sealyard import device

    with device.pull("coins", channel="stable").memory() as model:
        session = onnxruntime.InferenceSession(model.path)
"""

from __future__ import annotations

from sealyard.device.held import HeldRelease
from sealyard.device.memory import MemoryFile
from sealyard.device.pulling import current, pull

__all__ = ["HeldRelease", "MemoryFile", "current", "pull"]
