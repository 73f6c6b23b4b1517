"""From what a task names and what is mounted to clients of the stores."""

from __future__ import annotations

from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteApi, RemoteCdn
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.jobs.mounts import Mounts


def release_api(remote: RemoteApi, purpose: Purpose, mounts: Mounts) -> ReleaseApi:
    """The release API under the login of a purpose.

    Raises:
        MissingError: the CA bundle is not mounted.
    """
    return ReleaseApi(
        remote.url,
        SecretFiles.mounted(purpose, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / "api", remote.ca_bundle_name),
    )


def cdn_of(remote: RemoteCdn, purpose: Purpose, mounts: Mounts) -> Cdn:
    """The CDN under the credential of a purpose.

    Raises:
        MissingError: the CA bundle is not mounted.
    """
    return Cdn(
        S3Place(remote.endpoint, remote.region, remote.bucket),
        SecretFiles.mounted(purpose, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / "cdn", remote.ca_bundle_name),
    )
