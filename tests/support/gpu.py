"""Whether this machine has an NVIDIA GPU that a program may use, asked of the driver itself."""

from __future__ import annotations

import ctypes
import subprocess
from functools import cache

NO_GPU = "needs an NVIDIA GPU and its driver"


@cache
def has_gpu() -> bool:
    """As CUDA would see it; PyTorch, which takes seconds to import, is not asked."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


def gpu_says(field: str) -> str:
    """What the driver says of the first GPU: its `name`, its `compute_cap`."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[0].strip()
