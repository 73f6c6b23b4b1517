"""Whom `pull` and `verify` believe about a manifest: the signed index, or the release API alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import IndexClient
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.trust import Trust, UnsignedApiTrust
from sealyard.delivery.tuf_files import TufFiles
from sealyard.errors import MissingError
from sealyard.jobs.workspace import read_record

TrustRootOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--trust-root",
        help="The first root (JSON, from elsewhere than the API): only what the signed index lists "
        "is believed. Without it the release API's word counts.",
    ),
]


def trust_of(api: ReleaseApi, root: Path | None) -> Trust:
    """What vouches for manifests.

    What was seen of the index is remembered for each first root, so that an older one is noticed.

    Args:
        api: serves the index as well; any login may read it.
        root: the file with the first root; without one nothing is signed.

    Raises:
        MissingError: the root cannot be read, or nothing can be remembered.
        InvalidError: it is no root.
        IntegrityError: the index is not signed by whom the root names, or is out of date.
        UnavailableError: the release API cannot be reached.
    """
    if root is None:
        return UnsignedApiTrust(api)
    try:
        first = read_record(root)
    except OSError as error:
        raise MissingError(f"--trust-root {root}: cannot be read ({error.strerror})") from None
    client = IndexClient(TufFiles(api.session), first, Cache(_memory(first)))
    return SignedTrust(client, client.refresh())


def _memory(first: bytes) -> Path:
    """Where it is remembered, as the XDG Base Directory Specification has it."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "sealyard", "index", hashlib.sha256(first).hexdigest()[:32])
