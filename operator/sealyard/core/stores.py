"""A folder in a store, from how a user names it to how a Job reaches it."""

from __future__ import annotations

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
