"""`sealyard verify`: prove that a published release opens, and keep nothing of it."""

from __future__ import annotations

from typing import Annotated

import typer

from sealyard.cli.options import FleetKeyOption, JsonOption, KeyringOption, opening_keys
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_error, show_verified
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
from sealyard.delivery.prove import prove
from sealyard.delivery.release_api import Release
from sealyard.sealing.context import ReleaseContext


def verify(
    model: ModelArgument,
    version: VersionArgument,
    *,
    api: ApiOption,
    cdn: CdnOption,
    bucket: BucketOption,
    secrets_dir: ReaderSecretsOption,
    region: RegionOption = DEFAULT_REGION,
    api_ca: ApiCaOption = None,
    cdn_ca: CdnCaOption = None,
    keyring: KeyringOption = None,
    fleet_key_file: FleetKeyOption = None,
    variant: Annotated[
        str | None, typer.Option("--variant", help="Only this variant; all of them without it.")
    ] = None,
    manifest_sha256: Annotated[
        str | None,
        typer.Option(
            "--manifest-sha256", help="The digest that the manifest must have, from elsewhere."
        ),
    ] = None,
    trust_root: TrustRootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that a published release opens: what the verify Job does.

    Both parts of every variant are fetched, checked and opened in a stream; nothing is kept.
    Secrets come from files only.
    """
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
        progress_of(f"verifying {model} {version}", as_json=as_json) as progress,
    ):
        proofs = prove(
            Release(model, version),
            variant,
            manifest_sha256=manifest_sha256,
            api=release_api,
            cdn=store,
            trust=trust_of(release_api, trust_root),
            keys=keys,
            progress=progress,
        )
    show_verified(proofs, as_json=as_json)
    refusals = [proof.refusal for proof in proofs.variants if proof.refusal is not None]
    for refusal in refusals:
        show_error(refusal)
    if refusals:
        raise typer.Exit(refusals[0].exit_code)
