"""`sealyard pull`: fetch both parts of a release from their stores, check and open them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sealyard.cli.options import (
    FleetKeyOption,
    JsonOption,
    KeyringOption,
    OutputOption,
    VariantOption,
    opening_keys,
)
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_pulled
from sealyard.cli.stores import (
    DEFAULT_REGION,
    READING,
    ApiCaOption,
    ApiOption,
    BucketOption,
    CdnCaOption,
    CdnOption,
    ModelArgument,
    ReaderSecretsOption,
    RegionOption,
    Stores,
    VersionArgument,
)
from sealyard.cli.trusting import TrustRootOption, trust_of
from sealyard.delivery.pull import Puller
from sealyard.delivery.release_api import Release
from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext


def pull(
    model: ModelArgument,
    version: VersionArgument,
    *,
    api: ApiOption,
    cdn: CdnOption,
    bucket: BucketOption,
    secrets_dir: ReaderSecretsOption,
    region: RegionOption = DEFAULT_REGION,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="Refuse a release whose objects lie elsewhere on the CDN."),
    ] = None,
    api_ca: ApiCaOption = None,
    cdn_ca: CdnCaOption = None,
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
    trust_root: TrustRootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch both parts of a release, check everything, and open it.

    Secrets come from files only.
    """
    if output is None and sealed_dir is None:
        raise InvalidError("give --output, --sealed-dir or both")
    # What names nothing that can exist is refused before a store is asked.
    ReleaseContext(model, version, variant or "any")
    keys = opening_keys(keyring, fleet_key_file)
    stores = Stores(
        api=api,
        cdn=cdn,
        bucket=bucket,
        region=region,
        secrets_dir=secrets_dir,
        api_ca=api_ca,
        cdn_ca=cdn_ca,
    )
    with (
        stores.opened(READING) as (release_api, store),
        progress_of(f"pulling {model} {version}", as_json=as_json) as progress,
    ):
        puller = Puller(
            api=release_api,
            cdn=store,
            trust=trust_of(release_api, trust_root),
            keys=keys,
            prefix=prefix,
            progress=progress,
        )
        pulled = puller.pull(Release(model, version), variant, output=output, sealed=sealed_dir)
    show_pulled(pulled, as_json=as_json)
