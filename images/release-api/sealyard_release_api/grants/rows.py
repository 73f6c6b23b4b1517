"""The rows of slots in the database; who may have one is decided in `slots`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, insert, or_, select
from sqlalchemy.sql.elements import ColumnElement

from sealyard_release_api.releases import Release
from sealyard_release_api.schema import GRANTS, SMALLS
from sealyard_release_api.store import Author, Transaction, covered


class Variant(NamedTuple):
    """What slots are of."""

    release: Release
    name: str

    def __str__(self) -> str:
        return f"{self.release.model}/{self.release.version}/{self.name}"


def find(transaction: Transaction, variant: Variant, device_id: str) -> bytes | None:
    """The device's slot, if it has one."""
    return find_all(transaction, variant, [device_id]).get(device_id)


def find_all(
    transaction: Transaction, variant: Variant, device_ids: Collection[str]
) -> dict[str, bytes]:
    """The slots of those of the devices that have one."""
    rows = transaction.connection.execute(
        select(GRANTS.c.device_id, GRANTS.c.sealed).where(
            _of(variant), GRANTS.c.device_id.in_(device_ids)
        )
    )
    return {row.device_id: row.sealed for row in rows}


def put(
    transaction: Transaction, variant: Variant, slots: Mapping[str, bytes], author: Author
) -> None:
    """Keep slots, each in the place of the one that its device has."""
    if not slots:
        return
    transaction.connection.execute(
        delete(GRANTS).where(_of(variant), GRANTS.c.device_id.in_(slots.keys()))
    )
    transaction.connection.execute(
        insert(GRANTS),
        [
            {
                "model": variant.release.model,
                "version": variant.release.version,
                "variant": variant.name,
                "device_id": device_id,
                "sealed": sealed,
                "written_at": author.at,
                "written_by": author.email,
            }
            for device_id, sealed in slots.items()
        ],
    )


def device_ids(
    transaction: Transaction, variant: Variant, *, after: str = "", limit: int | None = None
) -> list[str]:
    """The devices that have a slot, in the order of their ids, behind one of them."""
    query = select(GRANTS.c.device_id).where(_of(variant), GRANTS.c.device_id > after)
    query = query.order_by(GRANTS.c.device_id).limit(limit)
    return list(transaction.connection.execute(query).scalars())


def variants(
    transaction: Transaction, *, after: Variant | None, patterns: Sequence[str], limit: int
) -> list[Variant]:
    """The variants of which some device has a slot, ordered by model, version and name as text.

    Args:
        transaction: where.
        after: begin behind this one; it need not exist.
        patterns: only models that one of these names (`Principal.models`).
        limit: at most so many.
    """
    columns = SMALLS.c.model, SMALLS.c.version, SMALLS.c.variant
    # A slot goes with its small part, and of those there are few for each ten thousand slots.
    held = exists().where(
        GRANTS.c.model == SMALLS.c.model,
        GRANTS.c.version == SMALLS.c.version,
        GRANTS.c.variant == SMALLS.c.variant,
    )
    query = select(*columns).where(covered(SMALLS, patterns), held)
    if after is not None:
        model, version, name = after.release.model, after.release.version, after.name
        query = query.where(
            or_(
                SMALLS.c.model > model,
                and_(SMALLS.c.model == model, SMALLS.c.version > version),
                and_(
                    SMALLS.c.model == model,
                    SMALLS.c.version == version,
                    SMALLS.c.variant > name,
                ),
            )
        )
    rows = transaction.connection.execute(query.order_by(*columns).limit(limit))
    return [Variant(Release(row.model, row.version), row.variant) for row in rows]


def drop(transaction: Transaction, variant: Variant, device_ids: Collection[str]) -> None:
    """Delete the slots that these devices have of a variant."""
    transaction.connection.execute(
        delete(GRANTS).where(_of(variant), GRANTS.c.device_id.in_(device_ids))
    )


def drop_of_variant(transaction: Transaction, variant: Variant) -> None:
    """Delete all slots of a variant."""
    transaction.connection.execute(delete(GRANTS).where(_of(variant)))


def drop_of_devices(transaction: Transaction, device_ids: Collection[str]) -> None:
    """Delete all slots of these devices."""
    if device_ids:
        transaction.connection.execute(delete(GRANTS).where(GRANTS.c.device_id.in_(device_ids)))


def drop_of_models(transaction: Transaction, pairs: Sequence[tuple[str, str]]) -> None:
    """Delete the slots that each of these devices has of a model."""
    statement = delete(GRANTS).where(
        GRANTS.c.device_id == bindparam("whose"), GRANTS.c.model == bindparam("of")
    )
    if pairs:
        transaction.connection.execute(
            statement, [{"whose": device_id, "of": model} for device_id, model in pairs]
        )


def _of(variant: Variant) -> ColumnElement[bool]:
    return and_(
        GRANTS.c.model == variant.release.model,
        GRANTS.c.version == variant.release.version,
        GRANTS.c.variant == variant.name,
    )
