"""The four facts of fake machines, and what is said of one that is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.device.hardware import HardwareFacts, commitment, fact_digest, read_facts
from sealyard.errors import InvalidError, MissingError
from support.machines import CPU, SERIAL, files, gpu, link, machine

GIB = 1 << 30


def facts_of(folder: Path) -> dict[str, str]:
    return dict(read_facts(folder).named())


def test_a_server(tmp_path: Path) -> None:
    assert facts_of(machine(tmp_path)) == {
        "cpu": CPU,
        "gpu": "10de:2204,10de:2330",
        "memory": str(32 * GIB),
        "drive": SERIAL,
    }


def test_the_digest_is_that_of_the_contract(tmp_path: Path) -> None:
    expected = b"".join(
        len(text).to_bytes(2, "big") + text.encode()
        for text in (CPU, "10de:2204,10de:2330", str(32 * GIB), SERIAL)
    )
    digest = read_facts(machine(tmp_path)).digest()
    assert digest == hashlib.sha256(expected).digest()
    assert commitment(bytes(32), digest) == hashlib.sha256(bytes(32) + digest).digest()


def test_lengths_keep_facts_apart() -> None:
    one = HardwareFacts(cpu="ab", gpu="c", memory="1", drive="d")
    other = HardwareFacts(cpu="a", gpu="bc", memory="1", drive="d")
    assert one.digest() != other.digest()


ARM = "CPU implementer\t: 0x41\nCPU variant\t: 0x4\nCPU part\t: 0xd42\n"
DRIVE = "sys/devices/pci0000:00/nvme/nvme0/nvme0n1"


def without_gpus(folder: Path) -> None:
    for slot in ("0000:41:00.0", "0000:01:00.0"):
        files(folder, {f"sys/bus/pci/devices/{slot}": None})


def two_alike(folder: Path) -> None:
    gpu(folder, "0000:42:00.0", "0x10de", "0x2330")


def arm(folder: Path) -> None:
    little = ARM.replace("0xd42", "0xd05")
    files(folder, {"proc/cpuinfo": f"processor: 0\n{little}\nprocessor: 1\n{ARM}\n{ARM}"})


def no_blocks(folder: Path) -> None:
    files(folder, {"sys/devices/system/memory": None})


def page_80(folder: Path) -> None:
    files(folder / DRIVE, {"device/serial": None, "device/vpd_pg80": b"\0\x80\0\x14  WD-WX12 \0"})


def udev(folder: Path) -> None:
    files(folder / DRIVE, {"device/serial": None, "dev": "259:0\n"})
    files(folder, {"run/udev/data/b259:0": "S:disk\nE:ID_SERIAL_SHORT=XYZ9\nE:DEVNAME=/dev/a\n"})


def encrypted(folder: Path) -> None:
    """LVM on LUKS on the partition."""
    blocks = folder / "sys/devices/virtual/block"
    for number in (0, 1):
        files(blocks / f"dm-{number}", {"dev": f"254:{number}\n"})
    link(blocks / "dm-1/slaves/dm-0", blocks / "dm-0")
    link(blocks / "dm-0/slaves/nvme0n1p2", folder / DRIVE / "nvme0n1p2")
    link(folder / "sys/dev/block/254:1", blocks / "dm-1")
    files(folder, {"proc/self/mountinfo": "1 0 254:1 / / rw - ext4 /dev/mapper/vg-root rw\n"})


def mirrored(folder: Path) -> None:
    """A RAID of two drives."""
    blocks = folder / "sys/devices/virtual/block"
    files(blocks / "md0", {"dev": "9:0\n"})
    other = folder / "sys/devices/pci0000:00/nvme/nvme1/nvme1n1"
    files(other, {"serial": "A-FIRST\n"})
    link(blocks / "md0/slaves/nvme1n1", other)
    link(blocks / "md0/slaves/nvme0n1p2", folder / DRIVE / "nvme0n1p2")
    link(folder / "sys/dev/block/9:0", blocks / "md0")
    files(folder, {"proc/self/mountinfo": "1 0 9:0 / / rw - xfs /dev/md0 rw\n"})


def btrfs(folder: Path) -> None:
    """Its number is no block device's; the source says which."""
    link(folder / "sys/class/block/nvme0n1p2", folder / DRIVE / "nvme0n1p2")
    files(
        folder,
        {
            "dev/nvme0n1p2": b"",
            "proc/self/mountinfo": "1 0 0:33 /@ / rw - btrfs /dev/nvme0n1p2 rw,subvol=/@\n",
        },
    )


@pytest.mark.parametrize(
    ("change", "fact", "value"),
    [
        (without_gpus, "gpu", "none"),
        (two_alike, "gpu", "10de:2204,10de:2330,10de:2330"),
        (arm, "cpu", "0x41:0xd05,0x41:0xd42"),
        (no_blocks, "memory", str(32 * GIB)),
        (page_80, "drive", "WD-WX12"),
        (udev, "drive", "XYZ9"),
        (encrypted, "drive", SERIAL),
        (mirrored, "drive", f"A-FIRST,{SERIAL}"),
        (btrfs, "drive", SERIAL),
    ],
)
def test_other_machines(
    tmp_path: Path, change: Callable[[Path], None], fact: str, value: str
) -> None:
    before = facts_of(machine(tmp_path))
    change(tmp_path)
    assert facts_of(tmp_path) == before | {fact: value}


def circle(folder: Path) -> None:
    blocks = folder / "sys/devices/virtual/block"
    files(blocks / "dm-0", {"dev": "254:0\n"})
    link(blocks / "dm-0/slaves/dm-0", blocks / "dm-0")
    link(folder / "sys/dev/block/254:0", blocks / "dm-0")
    files(folder, {"proc/self/mountinfo": "1 0 254:0 / / rw - ext4 /dev/dm-0 rw\n"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"proc/cpuinfo": None}, "hardware fact cpu: /proc/cpuinfo names no model"),
        ({"proc/cpuinfo": "processor: 0\n"}, "hardware fact cpu"),
        ({"sys/bus/pci": None}, "hardware fact gpu: there is no PCI bus"),
        (
            {"sys/bus/pci/devices/0000:41:00.0/device": None},
            "hardware fact gpu: PCI device 0000:41:00.0 does not say its ids",
        ),
        ({"sys/devices/system/memory": None, "proc/meminfo": None}, "hardware fact memory"),
        (
            {"proc/self/mountinfo": "1 0 0:40 / / rw - overlay overlay rw\n"},
            "hardware fact drive: / lies on no block device",
        ),
        ({"proc/self/mountinfo": ""}, "hardware fact drive: / lies on no block device"),
        (
            {f"{DRIVE}/device/serial": "  \n"},
            "hardware fact drive: nvme0n1, which holds /, says no serial number",
        ),
    ],
)
def test_a_missing_fact_is_named(tmp_path: Path, changes: dict[str, str | None], said: str) -> None:
    files(machine(tmp_path), changes)
    with pytest.raises(MissingError, match=said):
        read_facts(tmp_path)


def test_layers_in_a_circle_are_no_drive(tmp_path: Path) -> None:
    circle(machine(tmp_path))
    with pytest.raises(MissingError, match="fact drive"):
        read_facts(tmp_path)


@pytest.mark.parametrize("value", ["", "two\nlines", "x" * 5000])
def test_no_fact_is_empty_or_long(value: str) -> None:
    with pytest.raises(InvalidError, match="hardware fact gpu"):
        HardwareFacts(cpu="a", gpu=value, memory="1", drive="d")


@pytest.mark.parametrize("document", [{}, {"cpu": "a", "gpu": "b", "memory": 1, "drive": "d"}])
def test_facts_of_a_file_are_checked(document: dict[str, object]) -> None:
    with pytest.raises(InvalidError, match="must be a string, and there"):
        HardwareFacts.from_wire(document)


def test_facts_are_shown_by_a_part_of_their_digest_only(tmp_path: Path) -> None:
    facts = read_facts(machine(tmp_path))
    assert SERIAL not in repr(facts)
    assert fact_digest(SERIAL) == hashlib.sha256(SERIAL.encode()).hexdigest()[:8]
