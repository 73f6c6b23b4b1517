"""Tell the release API of every device as it is to be, though it may refuse some of them.

A batch holds as a whole or not at all. So one that is refused is halved until what the API refuses
stands alone, and everybody else is registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sealyard.api.device_api import DeviceEntry
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.refusals import ForbiddenError
from sealyard.delivery.troubles import located
from sealyard.errors import InvalidError, SealyardError


@dataclass(slots=True)
class Registered:
    """What became of the devices.

    Attributes:
        changed: how many were not there yet as they are to be.
        refused: why the API took some of them for wrong, or for none of the login's, by id.
    """

    changed: int = 0
    refused: dict[str, SealyardError] = field(default_factory=dict)


def register(registry: DeviceRegistry, devices: Iterable[DeviceEntry]) -> Registered:
    """Register these devices, those first that are to be shut out.

    Raises:
        ForbiddenError: none of them may be registered, so it is the login that is wrong.
        UnavailableError: the API fails.
        RefusedError: it refuses the login.
    """
    ordered = sorted(devices, key=lambda device: not device.suspended)
    registered = Registered()
    for batch in registry.batches(ordered):
        _put(registry, batch, registered)
    forbidden = (
        located(f"device {device_id}", error)
        for device_id, error in registered.refused.items()
        if isinstance(error, ForbiddenError)
    )
    if len(registered.refused) == len(ordered) and (first := next(forbidden, None)):
        raise first
    return registered


def _put(registry: DeviceRegistry, batch: Sequence[DeviceEntry], registered: Registered) -> None:
    try:
        registered.changed += registry.put_devices(batch)
    except (ForbiddenError, InvalidError) as error:
        if len(batch) > 1:
            half = len(batch) // 2
            _put(registry, batch[:half], registered)
            _put(registry, batch[half:], registered)
        elif batch[0].suspended and batch[0].models:
            # With no model it is shut out as well. That may be said of a device that the API does
            # not know, whatever models it was to have; of another login's it may not.
            bare = batch[0].model_copy(update={"models": [], "not_after": None})
            _put(registry, [bare], registered)
        else:
            registered.refused[batch[0].device_id] = error
