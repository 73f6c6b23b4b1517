"""The writes: read what is there, ask the rules, store; all in one transaction."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sealyard.sealing.manifest import Manifest
from sealyard_release_api.grants import rows as grants
from sealyard_release_api.grants.rows import Variant
from sealyard_release_api.releases import (
    Change,
    Release,
    Small,
    judge_manifest,
    judge_small,
    read_manifest,
)
from sealyard_release_api.store import Author, Blob, Store


class Written(NamedTuple):
    """What a PUT did, and the digest of what lies there now."""

    change: Change
    sha256: str


def put_small(
    store: Store,
    release: Release,
    variant: str,
    body: bytes,
    *,
    if_match: str | None,
    author: Author,
) -> Written:
    """Store a small part.

    Raises:
        Refusal: `releases.judge_small` says no, or `Small.of`.
    """
    new = Small.of(body)
    with store.writing(str(release)) as transaction:
        there = transaction.small(release, variant)
        manifest = transaction.manifest(release)
        change = judge_small(
            new,
            Small.of(there.body) if there else None,
            Manifest.parse(manifest.body, sha256=manifest.sha256) if manifest else None,
            variant,
            if_match,
        )
        if change is Change.CREATE:
            transaction.add_small(release, variant, new, body, author)
        elif change is Change.REPLACE:
            transaction.replace_small(release, variant, new, body, author)
            if manifest is None:  # else its core is the same, and every slot still opens
                grants.drop_of_variant(transaction, Variant(release, variant))
    return Written(change, new.sha256)


def put_manifest(store: Store, release: Release, body: bytes, *, author: Author) -> Written:
    """Store a manifest, which makes the release.

    Raises:
        Refusal: `releases.judge_manifest` says no, or `read_manifest`.
    """
    manifest = read_manifest(body, release)
    sha256 = hashlib.sha256(body).hexdigest()
    with store.writing(str(release)) as transaction:
        there = transaction.manifest(release)
        change = judge_manifest(
            manifest, sha256, there.sha256 if there else None, transaction.smalls(release)
        )
        if change is Change.CREATE:
            transaction.add_manifest(release, Blob(body, sha256), author)
    return Written(change, sha256)
