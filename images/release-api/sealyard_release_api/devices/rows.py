"""The rows of devices in the database; what may become of one is decided in `entries`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select, update

from sealyard.api.device_api import DeviceEntry, Report, SeenDevice, SeenReport
from sealyard_release_api.devices.entries import Device, Rights
from sealyard_release_api.schema import DEVICE_REPORTS, DEVICES, USED_NONCES
from sealyard_release_api.store import Author, Transaction


def find(transaction: Transaction, device_id: str) -> Device | None:
    """The device, if it is registered."""
    return find_all(transaction, [device_id]).get(device_id)


def find_all(transaction: Transaction, device_ids: Collection[str]) -> dict[str, Device]:
    """Those of the devices that are registered, by id."""
    rows = transaction.connection.execute(
        select(DEVICES).where(DEVICES.c.device_id.in_(device_ids))
    )
    return {row.device_id: Device(_entry(row), row.changes) for row in rows}


def hold_rights(transaction: Transaction, device_ids: Collection[str]) -> dict[str, Rights]:
    """What those of the devices that are registered may be granted, until the transaction ends."""
    query = select(DEVICES.c.device_id, DEVICES.c.suspended, DEVICES.c.models)
    query = query.where(DEVICES.c.device_id.in_(device_ids)).order_by(DEVICES.c.device_id)
    # SQLite has no rows to hold: there, whoever writes is alone.
    rows = transaction.connection.execute(query.with_for_update(read=True))
    return {device_id: Rights(suspended, models) for device_id, suspended, models in rows}


def put(
    transaction: Transaction,
    changed: Sequence[Device],
    registered: Collection[str],
    author: Author,
) -> None:
    """Keep devices as they are now; those that are registered keep their last login."""
    rows = [_values(device, author) for device in sorted(changed, key=lambda d: d.entry.device_id)]
    new = [row for row in rows if row["device_id"] not in registered]
    known = [
        {"known_id": row["device_id"], **row} for row in rows if row["device_id"] in registered
    ]
    if new:
        transaction.connection.execute(insert(DEVICES), new)
    if known:
        statement = update(DEVICES).where(DEVICES.c.device_id == bindparam("known_id"))
        transaction.connection.execute(statement, known)


def use_nonce(
    transaction: Transaction, device_id: str, nonce: str, *, issued_at: int, forget_before: int
) -> bool:
    """Mark a nonce as used; whether it was not yet. Those that have expired are forgotten.

    Args:
        transaction: where.
        device_id: whose.
        nonce: in base64.
        issued_at: when it was given out, Unix seconds.
        forget_before: nonces given out before are refused for their age.
    """
    mine = USED_NONCES.c.device_id == device_id
    transaction.connection.execute(
        delete(USED_NONCES).where(mine, USED_NONCES.c.issued_at < forget_before)
    )
    query = select(USED_NONCES.c.nonce).where(mine, USED_NONCES.c.nonce == nonce)
    if transaction.connection.execute(query).one_or_none() is not None:
        return False
    transaction.connection.execute(
        insert(USED_NONCES).values(device_id=device_id, nonce=nonce, issued_at=issued_at)
    )
    return True


def logged_in(transaction: Transaction, device_id: str, at: str) -> None:
    """Remember the last login."""
    transaction.connection.execute(
        update(DEVICES).where(DEVICES.c.device_id == device_id).values(last_login_at=at)
    )


def put_report(transaction: Transaction, device_id: str, report: Report, at: str) -> None:
    """Keep what a device says of a model, in the place of what it said before."""
    where = and_(DEVICE_REPORTS.c.device_id == device_id, DEVICE_REPORTS.c.model == report.model)
    transaction.connection.execute(delete(DEVICE_REPORTS).where(where))
    transaction.connection.execute(
        insert(DEVICE_REPORTS).values(
            device_id=device_id, model=report.model, report=report.to_wire(), reported_at=at
        )
    )


def drop_reports(transaction: Transaction, pairs: Sequence[tuple[str, str]]) -> None:
    """Forget what these devices said of these models."""
    statement = delete(DEVICE_REPORTS).where(
        DEVICE_REPORTS.c.device_id == bindparam("whose"), DEVICE_REPORTS.c.model == bindparam("of")
    )
    if pairs:
        transaction.connection.execute(
            statement, [{"whose": device_id, "of": model} for device_id, model in pairs]
        )


def page(transaction: Transaction, *, after: str, limit: int) -> list[SeenDevice]:
    """Devices in the order of their ids, behind one of them, with what they reported."""
    rows = transaction.connection.execute(
        select(DEVICES)
        .where(DEVICES.c.device_id > after)
        .order_by(DEVICES.c.device_id)
        .limit(limit)
    ).all()
    reports = _reports(transaction, [row.device_id for row in rows])
    return [
        SeenDevice(
            device_id=row.device_id,
            models=row.models,
            not_after=row.not_after,
            suspended=row.suspended,
            last_login_at=row.last_login_at,
            reports=reports.get(row.device_id, []),
        )
        for row in rows
    ]


def _reports(
    transaction: Transaction, device_ids: Collection[str]
) -> Mapping[str, list[SeenReport]]:
    rows = transaction.connection.execute(
        select(DEVICE_REPORTS)
        .where(DEVICE_REPORTS.c.device_id.in_(device_ids))
        .order_by(DEVICE_REPORTS.c.reported_at.desc(), DEVICE_REPORTS.c.model)
    )
    found: dict[str, list[SeenReport]] = {}
    for row in rows:
        report = SeenReport.from_wire({**row.report, "reportedAt": row.reported_at})
        found.setdefault(row.device_id, []).append(report)
    return found


def _entry(row: Any) -> DeviceEntry:
    return DeviceEntry(
        device_id=row.device_id,
        encryption_key=row.encryption_key,
        signing_key=row.signing_key,
        models=row.models,
        not_after=row.not_after,
        suspended=row.suspended,
    )


def _values(device: Device, author: Author) -> dict[str, Any]:
    entry = device.entry
    return {
        "device_id": entry.device_id,
        "encryption_key": entry.encryption_key,
        "signing_key": entry.signing_key,
        "models": entry.models,
        "not_after": entry.not_after,
        "suspended": entry.suspended,
        "changes": device.changes,
        "written_at": author.at,
        "written_by": author.email,
    }
