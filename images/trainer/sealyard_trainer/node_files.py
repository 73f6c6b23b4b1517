"""Brings a file of the first node to all others, over the process group that they train in.

For nodes that share no folder. Ultralytics looks on each of them for what its first process wrote.

Imported after `work_offline`: PyTorch takes seconds, and only several processes need it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import torch
from torch import distributed

from sealyard.jobs.workspace import open_file, replacing

BLOCK_BYTES: Final = 16 << 20
_ABSENT: Final = -1


def bring(path: Path) -> None:
    """Each node has the file that the first one has; none where that has none.

    Every process calls it, in the same order as all others. It returns once all nodes have it. One
    process of each other node writes it, whole or not at all.

    Args:
        path: of the file on this node.

    Raises:
        RuntimeError: another process has gone.
        IntegrityError: on the first node it is no regular file.
        OSError: it cannot be read or written.
    """
    is_first = distributed.get_rank() == 0
    with ExitStack() as stack:
        source, size = None, torch.tensor([_ABSENT], dtype=torch.int64, device=_device())
        if is_first and path.exists():
            source = stack.enter_context(open_file(path))
            size.fill_(os.fstat(source.fileno()).st_size)
        distributed.broadcast(size, 0)
        left, target = int(size), None
        if _writes():
            path.parent.mkdir(parents=True, exist_ok=True)
            if left == _ABSENT:
                path.unlink(missing_ok=True)
            else:
                part = stack.enter_context(replacing(path))
                target = stack.enter_context(part.open("wb"))
        while left > 0:
            count = min(left, BLOCK_BYTES)
            block = _block(source.read(count) if source else bytes(count))
            distributed.broadcast(block, 0)
            if target:
                target.write(block.cpu().numpy())
            left -= count
    _wait()


def _block(content: bytes) -> Any:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).to(_device())


def on_first_node() -> bool:
    """Whether this process is on the node that has the files."""
    return os.environ["GROUP_RANK"] == "0"


def _writes() -> bool:
    """Whether this process is the one of its node that writes."""
    return not on_first_node() and os.environ["LOCAL_RANK"] == "0"


def _device() -> Any:
    return torch.device("cuda" if _has_gpu() else "cpu")


def _has_gpu() -> bool:
    return bool(distributed.get_backend() == "nccl")


def _wait() -> None:
    """For all others."""
    if _has_gpu():
        distributed.barrier(device_ids=[torch.cuda.current_device()])
    else:
        distributed.barrier()
