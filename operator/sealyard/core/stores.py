"""A folder in a store, from how a user names it to how a Job reaches it."""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit

from sealyard.api.s3 import S3Folder
from sealyard.api.tasks import RemoteFolder


def remote_folder(named: S3Folder) -> RemoteFolder:
    """The same, as a task has it."""
    bundle = named.ca_bundle_ref
    return RemoteFolder(
        endpoint=named.endpoint,
        region=named.region,
        bucket=named.bucket,
        prefix=named.prefix,
        secret_name=named.credentials_secret_ref.name,
        ca_bundle_name=bundle.name if bundle else None,
    )


def place(endpoint: str, uri: str) -> str:
    """A folder in a store as one text, however a user spells it.

    Two names of one host stay two.
    """
    return f"{_spelt_out(endpoint)} {uri.rstrip('/')}"


def _spelt_out(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    try:
        port = parts.port or 443
    except ValueError:
        # No client reaches it.
        return endpoint.lower()
    host = (parts.hostname or "").rstrip(".")
    return f"{host}:{port}{posixpath.normpath('/' + parts.path.lstrip('/'))}"
