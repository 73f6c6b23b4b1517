"""The writes of the index: read what is there, ask the rules, store; all in one transaction."""

from __future__ import annotations

import hashlib

from sealyard_release_api.operations import Written
from sealyard_release_api.releases import Change
from sealyard_release_api.store import Author, Blob, Store
from sealyard_release_api.tuf import rows
from sealyard_release_api.tuf.files import (
    MetadataName,
    MetadataRole,
    TargetName,
    check_chain,
    check_digest,
    judge_lasting,
    judge_timestamp,
)
from sealyard_release_api.tuf.signatures import SignedFile, check_signatures

_INDEX = "index"


def put_metadata(store: Store, name: MetadataName, body: bytes, author: Author) -> Written:
    """Store a metadata file.

    Raises:
        Refusal: as `tuf.files` and `tuf.signatures` have it.
    """
    file = SignedFile.parse(body, name)
    new = Blob(body, hashlib.sha256(body).hexdigest())
    with store.writing(_INDEX) as transaction:
        found = rows.metadata(transaction, name)
        stored = (found[0], found[1].sha256) if found else None
        if name.role is MetadataRole.TIMESTAMP:
            change = judge_timestamp(file.version, new.sha256, stored)
        else:
            change = judge_lasting(new.sha256, stored[1] if stored else None)
        if change is not Change.UNCHANGED:
            newest = rows.newest_root(transaction)
            check_chain(file.role, file.version, newest[0] if newest else None)
            check_signatures(file, newest[1].body if newest else None)
            rows.put_metadata(transaction, file.role, file.version, new, author)
    return Written(change, new.sha256)


def put_target(store: Store, name: TargetName, body: bytes, author: Author) -> Written:
    """Store a target file; under its digest, so that it can only be there already or not.

    Raises:
        Refusal: as `tuf.files` has it.
    """
    check_digest(body, name)
    with store.writing(_INDEX) as transaction:
        found = rows.target(transaction, name.path)
        change = judge_lasting(name.sha256, found.sha256 if found else None)
        if change is Change.CREATE:
            rows.put_target(transaction, name.path, Blob(body, name.sha256), author)
    return Written(change, name.sha256)
