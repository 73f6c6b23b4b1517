"""The release API's client: small parts and manifests, behind a login (contracts.md section 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlencode

from sealyard.api.device_api import LEGACY_SMALL_MAX_BYTES
from sealyard.api.release_api import (
    MANIFEST_CONTENT_TYPE,
    MANIFEST_MAX_BYTES,
    PAGE_MAX,
    RELEASES_PATH,
    SMALL_CONTENT_TYPE,
    ErrorBody,
    Reason,
    ReleaseEntry,
    ReleasePage,
    etag,
    manifest_path,
    small_path,
)
from sealyard.delivery.account import Account
from sealyard.delivery.api_session import SECONDS, ApiSession
from sealyard.delivery.refusals import ForbiddenError
from sealyard.delivery.retry import Retry
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import UnavailableError
from sealyard.sealing.context import ReleaseContext

_PAGE_BYTES: Final = 512 * 1024
_NO_NAME: Final = "-"


@dataclass(frozen=True, slots=True)
class Release:
    """A model and its version."""

    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class ReleaseApi:
    """Releases at one release API, under one login. Safe to use from many threads.

    Args:
        url: where it is.
        credentials: the files with email and password, or another account; read when a login is
            due.
        bundle: the CAs to trust; the system's roots without one.
        retry: how failures that may pass are tried again.
        seconds: the longest that one request may take.
        login_gap_seconds: the least time between two logins, before jitter.

    Raises:
        InvalidError: the URL is not of the form that is allowed.
        MissingError: the CA bundle is not there.

    Attributes:
        session: the login, for `DeviceRegistry` and `TufFiles`.
    """

    def __init__(
        self,
        url: str,
        credentials: SecretFiles | Account,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = SECONDS,
        login_gap_seconds: float = 10.0,
    ) -> None:
        self.session = ApiSession(
            url,
            credentials,
            bundle=bundle,
            retry=retry,
            seconds=seconds,
            login_gap_seconds=login_gap_seconds,
        )

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self.session.name

    @property
    def source(self) -> str:
        """What its login is called in messages."""
        return self.session.source

    def releases(self, *, page: int = PAGE_MAX) -> Iterator[ReleaseEntry]:
        """Every release whose model the login has, in the server's order; others are left out.

        Args:
            page: how many are asked for at a time, at most `PAGE_MAX`.
        """
        seen: set[str] = set()
        after: dict[str, str] = {}
        while True:
            path = f"{RELEASES_PATH}?{urlencode({'limit': page, **after})}"
            reply = self.session.get(path, "the list of releases", _PAGE_BYTES)
            found = self.session.parse(ReleasePage, reply)
            yield from found.releases
            if found.next is None:
                return
            if found.next in seen:
                raise UnavailableError(f"{self.name} never comes to the end of its releases")
            seen.add(found.next)
            after = {"after": found.next}

    def manifest(self, release: Release) -> bytes:
        """The manifest as it is kept; the caller says which digest it must have, and parses it.

        Raises:
            NotPublishedError: the release has none.
        """
        what = f"the manifest of {release}"
        path = manifest_path(release.model, release.version)
        return self.session.get(path, what, MANIFEST_MAX_BYTES).body

    def put_manifest(self, release: Release, manifest: bytes) -> None:
        """Publish the release; the same bytes again are harmless.

        Raises:
            InvalidError: the version is published already with other content.
            IntegrityError: the API keeps other bytes than were sent, or misses a small part.
        """
        path = manifest_path(release.model, release.version)
        self.session.store(path, f"the manifest of {release}", manifest, MANIFEST_CONTENT_TYPE)

    def small(self, context: ReleaseContext) -> bytes:
        """A variant's small part.

        Raises:
            NotPublishedError: there is none.
        """
        path = small_path(context.model, context.version, context.variant)
        what = f"the small part of {context}"
        return self.session.get(path, what, LEGACY_SMALL_MAX_BYTES).body

    def put_small(self, context: ReleaseContext, small: bytes) -> None:
        """Store a variant's small part; replaces one of a release that has no manifest yet.

        Raises:
            InvalidError: the version is published already with other content.
            IntegrityError: the API keeps other bytes than were sent.
        """
        path = small_path(context.model, context.version, context.variant)
        self.session.store(path, f"the small part of {context}", small, SMALL_CONTENT_TYPE)

    def replace_small(self, context: ReleaseContext, small: bytes, *, known: bytes) -> None:
        """Store another small part in the place of one that is known, whatever else is published.

        Raises:
            ReplacedError: it is not there any more.
            InvalidError: the manifest promises another core.
            IntegrityError: the API keeps other bytes than were sent.
        """
        path = small_path(context.model, context.version, context.variant)
        # The tag is by contract made of the bytes: nothing that a server says can stand for others.
        tag = etag(hashlib.sha256(known).hexdigest())
        what = f"the small part of {context}"
        self.session.store(path, what, small, SMALL_CONTENT_TYPE, {"If-Match": tag})

    def may(self, action: Literal["read", "write"]) -> bool:
        """Whether the login's role lets it do that with small parts. Nothing is read or written.

        The small part is one whose name no model can have. A server judges the role before the
        name, so one that objects to the name would let the role do it to another.

        Raises:
            RefusedError: the login is refused.
            UnavailableError: the server objects to neither.
        """
        method = "GET" if action == "read" else "PUT"
        try:
            reply = self.session.authorised(
                method,
                small_path(_NO_NAME, "0.0.0", _NO_NAME),
                "small parts",
                headers={"Content-Type": SMALL_CONTENT_TYPE},
            )
        except ForbiddenError:
            return False
        if reply.status != 400 or self.session.parse(ErrorBody, reply).error != Reason.INVALID_NAME:
            raise UnavailableError(
                f"{self.name} answered with status {reply.status} to a name that no model has; "
                "is this the URL of a release API?"
            )
        return True

    def close(self) -> None:
        """Close all connections and forget the token."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
