"""Granting: read what is there, ask the rules, store; all in one transaction."""

from __future__ import annotations

import hashlib

from sealyard.api.device_api import DroppedGrants, GrantBatch
from sealyard.api.release_api import Reason
from sealyard_release_api.devices import rows as devices
from sealyard_release_api.grants import rows
from sealyard_release_api.grants.rows import Variant
from sealyard_release_api.grants.slots import (
    check_devices,
    check_slots,
    check_small,
    small_for_device,
)
from sealyard_release_api.releases import Release
from sealyard_release_api.store import Author, Blob, Store, Transaction
from sealyard_release_api.wire import Refusal


def put_grants(store: Store, batch: GrantBatch, author: Author) -> list[str]:
    """Grant a variant to devices: all of the batch, or nothing.

    Returns:
        The devices whose slot is new or became another, in order.

    Raises:
        Refusal: as `grants.slots` has it.
    """
    release = Release(batch.model, batch.version)
    variant = Variant(release, batch.variant)
    wanted = [slot.device_id for slot in batch.slots]
    with store.writing(str(release)) as transaction:
        blob = transaction.small(release, batch.variant)
        small = check_small(blob.body if blob else None, batch.sha256)
        slots = check_slots(batch.slots, small)
        # Held: a device that is suspended meanwhile waits, and then loses what it got here.
        rights = devices.hold_rights(transaction, wanted)
        check_devices(wanted, rights, batch.model)
        there = rows.find_all(transaction, variant, slots)
        changed = {id_: slot for id_, slot in slots.items() if there.get(id_) != slot}
        rows.put(transaction, variant, changed, author)
    return sorted(changed)


def drop_grants(store: Store, dropped: DroppedGrants) -> list[str]:
    """Take a variant from devices.

    Returns:
        The devices that had a slot, in order.
    """
    release = Release(dropped.model, dropped.version)
    variant = Variant(release, dropped.variant)
    with store.writing(str(release)) as transaction:
        held = rows.find_all(transaction, variant, dropped.devices).keys()
        rows.drop(transaction, variant, held)
    return sorted(held)


def small_of_device(transaction: Transaction, variant: Variant, device_id: str) -> Blob | None:
    """The small part as a device gets it; None if there is none for anybody.

    Raises:
        Refusal: `NotGranted`.
    """
    blob = transaction.small(variant.release, variant.name)
    if blob is None:
        return None
    sealed = rows.find(transaction, variant, device_id)
    if sealed is None:
        raise Refusal(
            Reason.NOT_GRANTED,
            f"{variant.release} variant {variant.name!r} has not been granted to this device",
        )
    body = small_for_device(blob.body, sealed)
    return Blob(body, hashlib.sha256(body).hexdigest())
