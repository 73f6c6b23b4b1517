"""The rows of the index's files in the database; what may be put is decided in `files`."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from sealyard_release_api.schema import INDEX_METADATA, INDEX_TARGETS
from sealyard_release_api.store import Author, Blob, Transaction
from sealyard_release_api.tuf.files import MetadataName, MetadataRole


def metadata(transaction: Transaction, name: MetadataName) -> tuple[int, Blob] | None:
    """A metadata file with its version, if it is there."""
    query = select(INDEX_METADATA.c.version, INDEX_METADATA.c.body, INDEX_METADATA.c.sha256).where(
        INDEX_METADATA.c.role == name.role.value
    )
    if name.version is not None:
        query = query.where(INDEX_METADATA.c.version == name.version)
    row = transaction.connection.execute(query).one_or_none()
    return (row.version, Blob(row.body, row.sha256)) if row else None


def newest_root(transaction: Transaction) -> tuple[int, Blob] | None:
    """The newest root with its version, if there is one."""
    row = transaction.connection.execute(
        select(INDEX_METADATA.c.version, INDEX_METADATA.c.body, INDEX_METADATA.c.sha256)
        .where(INDEX_METADATA.c.role == MetadataRole.ROOT.value)
        .order_by(INDEX_METADATA.c.version.desc())
        .limit(1)
    ).one_or_none()
    return (row.version, Blob(row.body, row.sha256)) if row else None


def put_metadata(
    transaction: Transaction, role: MetadataRole, version: int, blob: Blob, author: Author
) -> None:
    """Keep a metadata file; a timestamp in the place of the one that is there."""
    if role is MetadataRole.TIMESTAMP:
        transaction.connection.execute(
            delete(INDEX_METADATA).where(INDEX_METADATA.c.role == role.value)
        )
    transaction.connection.execute(
        insert(INDEX_METADATA).values(
            role=role.value,
            version=version,
            sha256=blob.sha256,
            body=blob.body,
            written_at=author.at,
            written_by=author.email,
        )
    )


def target(transaction: Transaction, path: str) -> Blob | None:
    """A target file, if it is there."""
    row = transaction.connection.execute(
        select(INDEX_TARGETS.c.body, INDEX_TARGETS.c.sha256).where(INDEX_TARGETS.c.path == path)
    ).one_or_none()
    return Blob(row.body, row.sha256) if row else None


def put_target(transaction: Transaction, path: str, blob: Blob, author: Author) -> None:
    """Keep a target file where there is none."""
    transaction.connection.execute(
        insert(INDEX_TARGETS).values(
            path=path,
            sha256=blob.sha256,
            body=blob.body,
            written_at=author.at,
            written_by=author.email,
        )
    )
