"""The device on its own machine: state, level and hardware put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sealyard.device.hardware import SYSTEM_ROOT, read_facts
from sealyard.device.state import DeviceSecrets, DeviceState
from sealyard.sealing.legacy import LegacyKey
from sealyard.sealing.slots import OpeningKeys

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


def opening_keys(
    state: DeviceState, secrets: DeviceSecrets, root: Path = SYSTEM_ROOT
) -> OpeningKeys:
    """What opens releases on this machine.

    Args:
        state: the device.
        secrets: its own.
        root: as in `unlocked`.

    Raises:
        MissingError, IntegrityError: as `unlocked`; or the fleet key is not there, or was changed.
    """
    if state.record.level != "legacy":
        return secrets.opening_key
    digest = read_facts(root).digest()
    return LegacyKey(state.fleet_key(secrets), digest, state.record.recipient())
