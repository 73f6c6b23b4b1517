"""Machines that are not ours: the parts of /proc, /sys and /run that facts are read from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

CPU = "AMD EPYC 9354 32-Core Processor"
SERIAL = "S5GXNX0R123456"
_CPUINFO = f"processor\t: 0\nmodel name\t: {CPU}\n\nprocessor\t: 1\nmodel name\t: {CPU}\n"
_MOUNT = "27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n"


def files(folder: Path, contents: Mapping[str, str | bytes | None]) -> None:
    """Write files below a folder; None removes what is there."""
    for name, content in contents.items():
        path = folder / name
        if content is None:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def link(path: Path, target: Path) -> None:
    """A relative link, as they are in /sys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.resolve(), target_is_directory=True)


def gpu(folder: Path, slot: str, vendor: str, device: str, kind: str = "0x030200") -> None:
    """A device on the PCI bus."""
    ids = {"class": kind, "vendor": vendor, "device": device}
    files(folder / "sys/bus/pci/devices" / slot, {name: f"{text}\n" for name, text in ids.items()})


def machine(folder: Path, *, cpu: str = CPU, serial: str = SERIAL, gib: int = 32) -> Path:
    """A server with two GPUs and one NVMe drive, whose second partition holds /."""
    gpu(folder, "0000:41:00.0", "0x10de", "0x2330")
    gpu(folder, "0000:01:00.0", "0x10de", "0x2204", "0x030000")
    gpu(folder, "0000:00:1f.0", "0x8086", "0x7a04", "0x060100")  # a bridge
    drive = folder / "sys/devices/pci0000:00/nvme/nvme0/nvme0n1"
    files(
        folder,
        {
            "proc/cpuinfo": _CPUINFO.replace(CPU, cpu),
            "proc/self/mountinfo": "1 1 0:2 / / rw - rootfs rootfs rw\n" + _MOUNT,
            "proc/meminfo": "MemTotal:       32596316 kB\nMemFree: 1 kB\n",
            "sys/devices/system/memory/block_size_bytes": "40000000\n",
            **{f"sys/devices/system/memory/memory{n}/online": "1\n" for n in range(gib)},
            f"sys/devices/system/memory/memory{gib}/online": "0\n",
        },
    )
    files(drive, {"device/serial": f"{serial}        \n", "nvme0n1p2/partition": "2\n"})
    (drive / "slaves").mkdir()
    link(folder / "sys/dev/block/259:2", drive / "nvme0n1p2")
    return folder
