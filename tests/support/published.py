"""An index that is published by the code of its Job, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sealyard.api.secrets import Purpose
from sealyard.delivery.index.publish import IndexPublisher
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.tuf_files import TufFiles
from support.authorised import Target
from support.index import wish


def now() -> datetime:
    return datetime.now(UTC)


def published(target: Target, *wanted: Any) -> None:
    """An index, by the code of the Job in this process."""
    with target.connected(Purpose.API_PUBLISHER) as writer:
        publisher(target, TufFiles(writer.session), writer).publish(wish(*wanted))


def publisher(target: Target, store: TufFiles, writer: ReleaseApi) -> IndexPublisher:
    return IndexPublisher(
        store,
        target.trust.chain,
        "ConfigMap trust-root",
        target.trust.signer(),
        writer.manifest,
        scratch=target.folder,
    )
