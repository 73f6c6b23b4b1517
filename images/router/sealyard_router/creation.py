"""Whether a store creates a file only where there is none: all that a journal relies on."""

from __future__ import annotations

from typing import Final

from sealyard.delivery.s3_requests import UnsupportedError
from sealyard.errors import InvalidError
from sealyard_router.patience import PatientStore

KEY: Final = ".sealyard-create"
"""Of a file that is for this alone; it stays."""


def prove_creation(store: PatientStore) -> None:
    """Try to create a file twice.

    Raises:
        InvalidError: the store would replace what is there.
    """
    try:
        refuses = not store.create(KEY, b"") or not store.create(KEY, b"")
    except UnsupportedError:
        refuses = False
    if not refuses:
        raise InvalidError(
            f"{store.name} replaces an object in spite of If-None-Match: *, so two routers could "
            "file one message twice; use a store that enforces conditional writes"
        )
