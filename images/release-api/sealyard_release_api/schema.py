"""The tables, and how a database of an earlier schema becomes one of this.

A step is never changed once it is released: a database out there has taken it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    inspect,
    select,
    update,
)

from sealyard.errors import InvalidError

METADATA = MetaData()


def _text(length: int) -> String:
    """Text that is compared by its bytes, whatever the database's language is."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


SCHEMA = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

MANIFESTS = Table(
    "manifests",
    METADATA,
    Column("model", _text(63), primary_key=True),
    Column("version", _text(64), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)

SMALLS = Table(
    "small_parts",
    METADATA,
    Column("model", _text(63), primary_key=True),
    Column("version", _text(64), primary_key=True),
    Column("variant", _text(63), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("core_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("email", _text(254), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("models", JSON, nullable=False),
    Column("password_hash", String(512), nullable=False),
)
"""The accounts that `user add` made. Those of the mounted Secret are not here."""

ACCOUNT_STATES = Table(
    "account_states",
    METADATA,
    Column("email", _text(254), primary_key=True),
    Column("disabled", Boolean, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("changed_at", String(20), nullable=False),
    Column("changed_by", String(254), nullable=False),
)
"""Whether an account is disabled, wherever it is from, and how often it was changed here."""

DEVICES = Table(
    "devices",
    METADATA,
    Column("device_id", _text(32), primary_key=True),
    Column("encryption_key", String(44), nullable=False),
    Column("signing_key", String(44), nullable=False),
    Column("models", JSON, nullable=False),
    Column("not_after", String(20)),
    Column("suspended", Boolean, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("last_login_at", String(20)),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)

DEVICE_REPORTS = Table(
    "device_reports",
    METADATA,
    Column("device_id", _text(32), primary_key=True),
    Column("model", _text(63), primary_key=True),
    Column("report", JSON, nullable=False),
    Column("reported_at", String(20), nullable=False),
)
"""The last that each device said of each of its models."""

USED_NONCES = Table(
    "used_nonces",
    METADATA,
    Column("device_id", _text(32), primary_key=True),
    Column("nonce", String(44), primary_key=True),
    Column("issued_at", BigInteger, nullable=False),
)
"""Answered ones that have not expired yet. Those that nobody has answered are nowhere."""

GRANTS = Table(
    "grants",
    METADATA,
    Column("model", _text(63), primary_key=True),
    Column("version", _text(64), primary_key=True),
    Column("variant", _text(63), primary_key=True),
    Column("device_id", _text(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
    Index("grants_of_a_device", "device_id", "model"),
)

INDEX_METADATA = Table(
    "index_metadata",
    METADATA,
    Column("role", _text(16), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)
"""The signed index. Of the timestamp there is one row, of the others every version."""

INDEX_TARGETS = Table(
    "index_targets",
    METADATA,
    Column("path", _text(320), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)


def _create(*tables: Table) -> Callable[[Connection], None]:
    return lambda connection: METADATA.create_all(connection, tables=tables, checkfirst=False)


_STEPS: Sequence[Callable[[Connection], None]] = (
    _create(SCHEMA, MANIFESTS, SMALLS),
    _create(ACCOUNTS, ACCOUNT_STATES),
    _create(DEVICES, DEVICE_REPORTS, USED_NONCES, GRANTS, INDEX_METADATA, INDEX_TARGETS),
)
SCHEMA_VERSION = len(_STEPS)


def migrate(connection: Connection) -> None:
    """Bring the database to this schema, in the caller's transaction and under its lock.

    Raises:
        InvalidError: a newer version of this program has written it.
    """
    found = 0
    if inspect(connection).has_table(SCHEMA.name):
        found = connection.execute(select(SCHEMA.c.version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise InvalidError(
            f"the database has schema version {found}, this program knows {SCHEMA_VERSION}: "
            "run the version of Sealyard that wrote it"
        )
    for step in _STEPS[found:]:
        step(connection)
    if found == 0:
        connection.execute(SCHEMA.insert().values(version=SCHEMA_VERSION))
    elif found < SCHEMA_VERSION:
        connection.execute(update(SCHEMA).values(version=SCHEMA_VERSION))
