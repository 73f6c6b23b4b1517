"""The hardware and the versions that a run ended on; no name of a host, a user or a folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = {
    "Sealyard": "sealyard",
    "Ultralytics": "ultralytics-opencv-headless",
    "PyTorch": "torch",
}
GIB = 1 << 30


def describe_machine(device: str) -> dict[str, str]:
    """Label and value of what is known of the machine.

    Args:
        device: what ultralytics trained on, as PyTorch writes it: `cpu`, `cuda:0`.
    """
    cores = len(os.sched_getaffinity(0))
    facts = {"CPU": f"{cpu_model(_read('/proc/cpuinfo'))}, {cores} cores used"}
    memory = memory_bytes(_read("/proc/meminfo"), _read("/sys/fs/cgroup/memory.max"))
    if memory:
        facts["Memory"] = f"{memory / GIB:.1f} GiB"
    if device.startswith("cuda"):
        gpu = torch.cuda.get_device_properties(torch.device(device))
        facts["GPU"] = f"{gpu.name}, {gpu.total_memory / GIB:.1f} GiB"
        facts["CUDA"] = str(torch.version.cuda)
    else:
        facts["GPU"] = "none used"
    facts["Python"] = platform.python_version()
    return facts | {label: version(package) for label, package in PACKAGES.items()}


def cpu_model(cpuinfo: str) -> str:
    """The model that /proc/cpuinfo names; where it names none, as on ARM, the architecture."""
    return _pairs(cpuinfo).get("model name") or platform.machine()


def memory_bytes(meminfo: str, limit: str) -> int:
    """What a process may use: the machine's memory, or less by its container's limit.

    0 where neither is known.
    """
    total = _pairs(meminfo).get("MemTotal", "").removesuffix("kB").strip()
    sizes = [int(total) << 10] if total.isdigit() else []
    if limit.strip().isdigit():
        sizes.append(int(limit))
    return min(sizes, default=0)


def _pairs(text: str) -> Mapping[str, str]:
    """The lines `name : value`, the first of each name."""
    lines = [line.partition(":") for line in reversed(text.splitlines())]
    return {name.strip(): value.strip() for name, _, value in lines}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
