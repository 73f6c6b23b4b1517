"""`sealyard publish`: upload to both stores what `sealyard seal` made."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from sealyard.cli.options import JsonOption
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_published
from sealyard.cli.stores import (
    DEFAULT_REGION,
    WRITING,
    ApiCaOption,
    ApiOption,
    BucketOption,
    CdnCaOption,
    CdnOption,
    RegionOption,
    Stores,
    WriterSecretsOption,
)
from sealyard.delivery.kept_release import checked_release
from sealyard.delivery.publish_kept import KeptPublisher


def publish(
    folder: Annotated[Path, typer.Argument(help="A folder that `seal` has filled.")],
    *,
    api: ApiOption,
    cdn: CdnOption,
    bucket: BucketOption,
    secrets_dir: WriterSecretsOption,
    region: RegionOption = DEFAULT_REGION,
    api_ca: ApiCaOption = None,
    cdn_ca: CdnCaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload what `seal` made: big parts, small parts, the manifest.

    No keyring is needed: the parts are compared with the manifest first, which takes no key. Doing
    it again is harmless; where it was interrupted it goes on. Secrets come from files only.
    """
    stores = Stores(
        api=api,
        cdn=cdn,
        bucket=bucket,
        region=region,
        secrets_dir=secrets_dir,
        api_ca=api_ca,
        cdn_ca=cdn_ca,
    )
    with ExitStack() as opened:
        with progress_of(f"checking {folder}", as_json=as_json) as progress:
            kept = opened.enter_context(checked_release(folder, progress=progress))
        release_api, store = opened.enter_context(stores.opened(WRITING))
        with progress_of(f"publishing {kept.release}", as_json=as_json) as progress:
            new = KeptPublisher(
                folder=folder,
                destination=(api, cdn, bucket),
                api=release_api,
                cdn=store,
                progress=progress,
            ).publish(kept)
    show_published(kept, new=new, as_json=as_json)
