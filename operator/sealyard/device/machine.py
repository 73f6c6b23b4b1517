"""The device on its own machine: state, level and hardware put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sealyard.device.hardware import SYSTEM_ROOT, read_facts
from sealyard.device.state import DeviceSecrets, DeviceState

DEFAULT_STATE: Final = Path("/var/lib/sealyard")


def unlocked(state: DeviceState, root: Path = SYSTEM_ROOT) -> DeviceSecrets:
    """The secrets of a device, if this is its machine.

    Args:
        state: the device.
        root: what has the machine's `/proc` and `/sys`.

    Raises:
        MissingError: something that the level needs is not there.
        IntegrityError: this is another machine, or something was changed.
    """
    return state.unlock(state.level(lambda: read_facts(root).digest()))
