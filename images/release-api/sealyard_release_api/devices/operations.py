"""The writes of devices: read what is there, ask the rules, store; all in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealyard.api.device_api import DeviceEntry
from sealyard_release_api.devices import rows
from sealyard_release_api.devices.entries import judge_devices, lost_models
from sealyard_release_api.grants import rows as grants
from sealyard_release_api.roles import Principal
from sealyard_release_api.store import Author, Store

_REGISTER = "devices"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a batch changed, by ids in order.

    Attributes:
        changed: the devices that are new or became others.
        suspended: those of them that are suspended now.
    """

    changed: list[str]
    suspended: list[str]


def put_devices(
    store: Store, entries: Sequence[DeviceEntry], principal: Principal, author: Author
) -> Registered:
    """Register devices or change them; whoever may have less loses the slots at once.

    Raises:
        Refusal: `entries.judge_devices` says no.
    """
    with store.writing(_REGISTER) as transaction:
        registered = rows.find_all(transaction, {entry.device_id for entry in entries})
        changed = judge_devices(entries, registered, principal)
        suspended = [device.entry.device_id for device in changed if device.entry.suspended]
        lost = lost_models(changed, registered)
        rows.put(transaction, changed, registered.keys(), author)
        rows.drop_reports(transaction, lost)
        grants.drop_of_devices(transaction, suspended)
        grants.drop_of_models(transaction, lost)
    return Registered(sorted(d.entry.device_id for d in changed), sorted(suspended))
