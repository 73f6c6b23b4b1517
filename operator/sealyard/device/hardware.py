"""What a machine is, by four facts that stay while its hardware stays (contracts.md section 5).

Scheme 1: the CPU's model, the GPUs' PCI ids, the memory, the serial of the drive that holds `/`.
Every fact is read below a root that the caller gives. What cannot be read is named and is an error:
an empty string in its place would make many machines the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from sealyard.errors import InvalidError, MissingError

SYSTEM_ROOT: Final = Path("/")
SCHEME: Final = 1
NO_GPU: Final = "none"
"""A bus that was read and has none: a fact as well."""

_GIB: Final = 1 << 30
_SHOWN_DIGITS: Final = 8
_FACT_MAX_CHARS: Final = 4096
_DISPLAY_CLASS: Final = "0x03"
_SERIAL_PAGE_HEADER: Final = 4
# Layers of device mapper and RAID; a chain that is longer leads in a circle.
_MAX_LAYERS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareFacts:
    """The four facts, as text. They are no secrets, but what opens a copy: shown on request only.

    Attributes:
        cpu: the model.
        gpu: the PCI ids of all GPUs, sorted; `NO_GPU` where the bus has none.
        memory: in bytes.
        drive: the serial of the drive that holds `/`; several, sorted, if it is a RAID.

    Raises:
        InvalidError: a fact is empty, has two lines or is longer than 4,096 characters.
    """

    cpu: str = field(repr=False)
    gpu: str = field(repr=False)
    memory: str = field(repr=False)
    drive: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in self.named():
            if not value or len(value) > _FACT_MAX_CHARS or not value.isprintable():
                raise InvalidError(
                    f"hardware fact {name}: must be one line of 1 to {_FACT_MAX_CHARS} characters"
                )

    @classmethod
    def from_wire(cls, document: Mapping[str, Any]) -> Self:
        """The facts that `named` gave.

        Raises:
            InvalidError: one is missing, or is no such text.
        """
        values = {}
        for each in fields(cls):
            value = document.get(each.name)
            if not isinstance(value, str):
                raise InvalidError(f"hardware fact {each.name}: must be a string, and there")
            values[each.name] = value
        return cls(**values)

    def named(self) -> Iterator[tuple[str, str]]:
        """Name and value, in the order in which they are hashed."""
        for each in fields(self):
            yield each.name, getattr(self, each.name)

    def digest(self) -> bytes:
        """The 32-byte hardware digest, scheme 1."""
        digest = hashlib.sha256()
        for _, value in self.named():
            raw = value.encode()
            digest.update(len(raw).to_bytes(2, "big") + raw)
        return digest.digest()


def read_facts(root: Path = SYSTEM_ROOT) -> HardwareFacts:
    """The facts of the machine whose `/proc`, `/sys` and `/run` lie below `root`.

    Raises:
        MissingError: a fact cannot be read; names it.
    """
    found = {}
    for name, value in try_facts(root):
        if isinstance(value, MissingError):
            raise value
        found[name] = value
    return HardwareFacts(**found)


def try_facts(root: Path = SYSTEM_ROOT) -> Iterator[tuple[str, str | MissingError]]:
    """Each fact by name, or why it cannot be read."""
    for name, read in _READERS.items():
        try:
            yield name, read(root)
        except MissingError as error:
            yield name, error


def fact_digest(value: str) -> str:
    """The beginning of a fact's SHA-256: tells two values apart, and is too short to find one."""
    return hashlib.sha256(value.encode()).hexdigest()[:_SHOWN_DIGITS]


def commitment(salt: bytes, digest: bytes) -> bytes:
    """What a Device's YAML says of its hardware: it proves nothing without the salt.

    Args:
        salt: 32 random bytes.
        digest: of the hardware.
    """
    return hashlib.sha256(salt + digest).digest()


def _cpu(root: Path) -> str:
    """x86 says the name of the model; ARM says the parts' numbers, of several kinds at times."""
    text = _text(root / "proc/cpuinfo") or ""
    names = re.findall(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    if names:
        return " ".join(names[0].split())
    parts = re.findall(
        r"^CPU implementer\s*:\s*(\S+)$.*?^CPU part\s*:\s*(\S+)$", text, re.MULTILINE | re.DOTALL
    )
    if not parts:
        raise _missing("cpu", "/proc/cpuinfo names no model")
    return ",".join(sorted({f"{implementer}:{part}" for implementer, part in parts}))


def _gpu(root: Path) -> str:
    bus = root / "sys/bus/pci/devices"
    if not bus.is_dir():
        raise _missing("gpu", "there is no PCI bus in /sys/bus/pci")
    found = []
    for device in bus.iterdir():
        if (_text(device / "class") or "").startswith(_DISPLAY_CLASS):
            ids = [_text(device / name) for name in ("vendor", "device")]
            if not all(ids):
                raise _missing("gpu", f"PCI device {device.name} does not say its ids")
            found.append(":".join(f"{text}".removeprefix("0x") for text in ids))
    return ",".join(sorted(found)) or NO_GPU


def _memory(root: Path) -> str:
    folder = root / "sys/devices/system/memory"
    block = _text(folder / "block_size_bytes")
    online = sum(1 for path in folder.glob("memory*/online") if _text(path) == "1")
    if block is not None and re.fullmatch(r"[0-9a-f]+", block) and online:
        return str(online * int(block, 16))
    # What the kernel keeps for itself changes with its version; the modules do not.
    total = re.search(
        r"^MemTotal:\s*([0-9]+) kB$", _text(root / "proc/meminfo") or "", re.MULTILINE
    )
    if total is None:
        raise _missing("memory", "neither /sys/devices/system/memory nor /proc/meminfo says it")
    return str(-(-int(total[1]) * 1024 // _GIB) * _GIB)


def _root_drive(root: Path) -> str:
    block = _root_block(root)
    if block is None:
        raise _missing("drive", "/ lies on no block device, as in a container or on a network")
    serials = set()
    for drive in _drives(block, _MAX_LAYERS):
        serial = _serial(root, drive)
        if serial is None:
            raise _missing("drive", f"{drive.name}, which holds /, says no serial number")
        serials.add(serial)
    if not serials:
        raise _missing("drive", f"{block.name}, which holds /, leads to no drive")
    return ",".join(sorted(serials))


def _root_block(root: Path) -> Path | None:
    """The folder in /sys of the block device that is mounted at `/`; the last mount counts."""
    mounts = [line.split() for line in (_text(root / "proc/self/mountinfo") or "").splitlines()]
    at_root = [mount for mount in mounts if len(mount) > 8 and mount[4] == "/"]
    if not at_root:
        return None
    mount = at_root[-1]
    # A file system over several devices has a number of its own, and says one of them as source.
    source = mount[mount.index("-") + 2]
    name = (root / source.removeprefix("/")).resolve().name
    for place in (root / "sys/dev/block" / mount[2], root / "sys/class/block" / name):
        if place.exists():
            return place.resolve()
    return None


def _drives(block: Path, layers: int) -> Iterator[Path]:
    """The whole drives below a partition, a mapped device or a RAID."""
    if (block / "partition").exists():
        block = block.parent
    slaves = block / "slaves"
    below = sorted(slaves.iterdir()) if slaves.is_dir() else []
    if not below:
        yield block
    elif layers:
        for slave in below:
            yield from _drives(slave.resolve(), layers - 1)


def _serial(root: Path, drive: Path) -> str | None:
    """NVMe, MMC and virtio say it in a file, SCSI and ATA in a page of vital product data."""
    for place in (drive / "device/serial", drive / "serial"):
        if text := _text(place):
            return text
    try:
        page = (drive / "device/vpd_pg80").read_bytes()[_SERIAL_PAGE_HEADER:]
    except OSError:
        page = b""
    if text := page.decode("ascii", "ignore").strip(" \0"):
        return text
    number = _text(drive / "dev") or "-"
    known = _text(root / f"run/udev/data/b{number}") or ""
    found = re.search(r"^E:ID_SERIAL_SHORT=(\S+)$", known, re.MULTILINE)
    return found[1] if found else None


_READERS: Final[Mapping[str, Callable[[Path], str]]] = {
    "cpu": _cpu,
    "gpu": _gpu,
    "memory": _memory,
    "drive": _root_drive,
}


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip(" \n\0")
    except OSError:
        return None


def _missing(fact: str, why: str) -> MissingError:
    return MissingError(
        f"hardware fact {fact}: {why}; choose another level than fingerprint on such a machine"
    )
