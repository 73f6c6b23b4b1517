"""`sealyard pull`: fetch both parts of a release from their stores, check and open them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sealyard.api.secrets import Purpose
from sealyard.cli.options import (
    FleetKeyOption,
    JsonOption,
    KeyringOption,
    OutputOption,
    VariantOption,
    opening_keys,
    progress_line,
)
from sealyard.cli.report import show_pulled
from sealyard.delivery.cdn import Cdn, CdnPlace
from sealyard.delivery.pull import Puller
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.trust import UnsignedApiTrust
from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext


def pull(
    model: Annotated[str, typer.Argument(help="The model.")],
    version: Annotated[str, typer.Argument(help="The version, exact.")],
    *,
    api: Annotated[str, typer.Option("--api", help="URL of the release API.")],
    cdn: Annotated[str, typer.Option("--cdn", help="URL of the S3-compatible CDN.")],
    bucket: Annotated[str, typer.Option("--bucket", help="The bucket on the CDN.")],
    secrets_dir: Annotated[
        Path,
        typer.Option(
            "--secrets-dir",
            help="A folder with the files api-verifier-email, api-verifier-password, "
            "cdn-read-access-key-id and cdn-read-secret-access-key.",
        ),
    ],
    region: Annotated[str, typer.Option("--region", help="Of the CDN.")] = "us-east-1",
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="Refuse a release whose objects lie elsewhere on the CDN."),
    ] = None,
    api_ca: Annotated[
        Path | None, typer.Option("--api-ca", help="CA bundle of the release API.")
    ] = None,
    cdn_ca: Annotated[Path | None, typer.Option("--cdn-ca", help="CA bundle of the CDN.")] = None,
    keyring: KeyringOption = None,
    fleet_key_file: FleetKeyOption = None,
    variant: VariantOption = None,
    output: OutputOption = None,
    sealed_dir: Annotated[
        Path | None,
        typer.Option(
            "--sealed-dir", help="Keep the manifest and both sealed parts in this folder."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch both parts of a release, check everything, and open it.

    Secrets come from files only. Exit codes: 64 wrong input, 65 something is not what was
    released, 66 something is missing, 69 a store cannot be reached or trusted, 77 credentials
    refused.
    """
    if output is None and sealed_dir is None:
        raise InvalidError("give --output, --sealed-dir or both")
    # What names nothing that can exist is refused before a store is asked.
    ReleaseContext(model, version, variant or "any")
    keys = opening_keys(keyring, fleet_key_file)
    source = f"folder {secrets_dir}"
    with (
        ReleaseApi(
            api,
            SecretFiles(Purpose.API_VERIFIER, secrets_dir, source),
            bundle=_bundle(api_ca),
        ) as release_api,
        Cdn(
            CdnPlace(cdn, region, bucket),
            SecretFiles(Purpose.CDN_READ, secrets_dir, source),
            bundle=_bundle(cdn_ca),
        ) as store,
    ):
        puller = Puller(
            api=release_api,
            cdn=store,
            trust=UnsignedApiTrust(release_api),
            keys=keys,
            prefix=prefix,
            progress=progress_line(f"{model} {version}"),
        )
        pulled = puller.pull(Release(model, version), variant, output=output, sealed=sealed_dir)
    show_pulled(pulled, as_json=as_json)


def _bundle(path: Path | None) -> CaBundle | None:
    return None if path is None else CaBundle(path, f"CA bundle {path}")
