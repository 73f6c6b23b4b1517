"""The two stores as `pull`, `verify` and `publish` are told of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle

DEFAULT_REGION: Final = "us-east-1"
READING: Final = (Purpose.API_VERIFIER, Purpose.CDN_READ)
"""The login and the credential that read releases."""
WRITING: Final = (Purpose.API_PUBLISHER, Purpose.CDN_WRITE)
"""The login and the credential that publish them."""


def _secrets_dir(purposes: tuple[Purpose, ...]) -> Any:
    *others, last = (key for purpose in purposes for key in SECRET_USES[purpose].keys)
    files = f"{', '.join(others)} and {last}"
    return typer.Option("--secrets-dir", help=f"A folder with the files {files}.")


ModelArgument: TypeAlias = Annotated[str, typer.Argument(help="The model.")]
VersionArgument: TypeAlias = Annotated[str, typer.Argument(help="The version, exact.")]
ApiOption: TypeAlias = Annotated[str, typer.Option("--api", help="URL of the release API.")]
CdnOption: TypeAlias = Annotated[str, typer.Option("--cdn", help="URL of the S3-compatible CDN.")]
BucketOption: TypeAlias = Annotated[str, typer.Option("--bucket", help="The bucket on the CDN.")]
ReaderSecretsOption: TypeAlias = Annotated[Path, _secrets_dir(READING)]
WriterSecretsOption: TypeAlias = Annotated[Path, _secrets_dir(WRITING)]
RegionOption: TypeAlias = Annotated[str, typer.Option("--region", help="Of the CDN.")]
ApiCaOption: TypeAlias = Annotated[
    Path | None, typer.Option("--api-ca", help="CA bundle of the release API.")
]
CdnCaOption: TypeAlias = Annotated[
    Path | None, typer.Option("--cdn-ca", help="CA bundle of the CDN.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where the stores are, and where the secrets lie that open them.

    Attributes:
        api: URL of the release API.
        cdn: URL of the CDN.
        bucket: on the CDN.
        region: of the CDN.
        secrets_dir: has a file for each key.
        api_ca: the CAs to trust for the release API; the system's roots without one.
        cdn_ca: likewise for the CDN.
    """

    api: str
    cdn: str
    bucket: str
    region: str
    secrets_dir: Path
    api_ca: Path | None
    cdn_ca: Path | None

    @contextmanager
    def opened(self, uses: tuple[Purpose, Purpose]) -> Iterator[tuple[ReleaseApi, Cdn]]:
        """Clients of both, until the block ends.

        Args:
            uses: `READING` or `WRITING`.

        Raises:
            InvalidError: a URL is not of the form that is allowed.
            MissingError: a CA bundle or a key is not there.
        """
        login, credential = uses
        source = f"folder {self.secrets_dir}"
        with (
            ReleaseApi(
                self.api,
                SecretFiles(login, self.secrets_dir, source),
                bundle=_bundle(self.api_ca),
            ) as release_api,
            Cdn(
                S3Place(self.cdn, self.region, self.bucket),
                SecretFiles(credential, self.secrets_dir, source),
                bundle=_bundle(self.cdn_ca),
            ) as store,
        ):
            yield release_api, store


def _bundle(path: Path | None) -> CaBundle | None:
    return None if path is None else CaBundle(path, f"CA bundle {path}")
