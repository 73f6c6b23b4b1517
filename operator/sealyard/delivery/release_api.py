"""The release API's client: small parts and manifests, behind a login (contracts.md section 6)."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, NoReturn, Self, TypeVar
from urllib.parse import urlencode

from pydantic import ValidationError

from sealyard.api.release_api import (
    LOGIN_PATH,
    MANIFEST_CONTENT_TYPE,
    MANIFEST_MAX_BYTES,
    PAGE_MAX,
    RELEASES_PATH,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    ErrorBody,
    LoginRequest,
    LoginResponse,
    Reason,
    ReleaseEntry,
    ReleasePage,
    Stored,
    WireModel,
    etag,
    manifest_path,
    small_path,
)
from sealyard.delivery.http import Bounds, HttpClient, Reply
from sealyard.delivery.login import Login, Token
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.secrets import Pair, SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard.sealing.context import ReleaseContext

_ANSWER_BYTES: Final = 16 * 1024
_PAGE_BYTES: Final = 512 * 1024
_SECONDS: Final = 30.0
_NO_NAME: Final = "-"

WireT = TypeVar("WireT", bound=WireModel)


class NotPublishedError(MissingError):
    """The release API has no such manifest or small part."""


class ReplacedError(UnavailableError):
    """Somebody else has replaced what was to be replaced: read it again."""


class ForbiddenError(RefusedError):
    """The login is let in, but its role or its models do not allow what was asked for."""


@dataclass(frozen=True, slots=True)
class Release:
    """A model and its version."""

    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class ReleaseApi:
    """One release API under one login. Safe to use from many threads.

    Args:
        url: where it is.
        credentials: the files with email and password, read when a login is due.
        bundle: the CAs to trust; the system's roots without one.
        retry: how failures that may pass are tried again.
        seconds: the longest that one request may take.
        login_gap_seconds: the least time between two logins, before jitter.

    Raises:
        InvalidError: the URL is not of the form that is allowed.
        MissingError: the CA bundle is not there.
    """

    def __init__(
        self,
        url: str,
        credentials: SecretFiles,
        *,
        bundle: CaBundle | None = None,
        retry: Retry | None = None,
        seconds: float = _SECONDS,
        login_gap_seconds: float = 10.0,
    ) -> None:
        self._http = HttpClient("release API", url, bundle=bundle)
        self._credentials = credentials
        self._retry = retry or Retry()
        self._seconds = seconds
        self._login = Login(
            self._log_in,
            credentials,
            server=self._http.name,
            gap_seconds=login_gap_seconds,
            sleep=self._retry.sleep,
        )

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._http.name

    @property
    def source(self) -> str:
        """What its login is called in messages."""
        return self._credentials.source

    def releases(self, *, page: int = PAGE_MAX) -> Iterator[ReleaseEntry]:
        """Every release whose model the login has, in the server's order; others are left out.

        Args:
            page: how many are asked for at a time, at most `PAGE_MAX`.
        """
        seen: set[str] = set()
        after: dict[str, str] = {}
        while True:
            path = f"{RELEASES_PATH}?{urlencode({'limit': page, **after})}"
            reply = self._get(path, "the list of releases", _PAGE_BYTES)
            found = self._parse(ReleasePage, reply)
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
        return self._get(path, what, MANIFEST_MAX_BYTES).body

    def put_manifest(self, release: Release, manifest: bytes) -> None:
        """Publish the release; the same bytes again are harmless.

        Raises:
            InvalidError: the version is published already with other content.
            IntegrityError: the API keeps other bytes than were sent, or misses a small part.
        """
        path = manifest_path(release.model, release.version)
        self._put(path, f"the manifest of {release}", manifest, MANIFEST_CONTENT_TYPE)

    def small(self, context: ReleaseContext) -> bytes:
        """A variant's small part.

        Raises:
            NotPublishedError: there is none.
        """
        path = small_path(context.model, context.version, context.variant)
        return self._get(path, f"the small part of {context}", SMALL_MAX_BYTES).body

    def put_small(self, context: ReleaseContext, small: bytes) -> None:
        """Store a variant's small part; replaces one of a release that has no manifest yet.

        Raises:
            InvalidError: the version is published already with other content.
            IntegrityError: the API keeps other bytes than were sent.
        """
        path = small_path(context.model, context.version, context.variant)
        self._put(path, f"the small part of {context}", small, SMALL_CONTENT_TYPE)

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
        self._put(path, what, small, SMALL_CONTENT_TYPE, {"If-Match": tag})

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
            reply = self._authorised(
                method,
                small_path(_NO_NAME, "0.0.0", _NO_NAME),
                "small parts",
                bounds=Bounds(_ANSWER_BYTES, self._seconds),
                headers={"Content-Type": SMALL_CONTENT_TYPE},
            )
        except ForbiddenError:
            return False
        if reply.status != 400 or self._parse(ErrorBody, reply).error != Reason.INVALID_NAME:
            raise UnavailableError(
                f"{self.name} answered with status {reply.status} to a name that no model has; "
                "is this the URL of a release API?"
            )
        return True

    def close(self) -> None:
        """Close all connections and forget the token."""
        self._login.forget()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, path: str, what: str, limit: int) -> Reply:
        reply = self._authorised("GET", path, what, bounds=Bounds(limit, self._seconds))
        if reply.status != 200:
            self._fail(reply, what)
        return reply

    def _put(
        self,
        path: str,
        what: str,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        reply = self._authorised(
            "PUT",
            path,
            what,
            bounds=Bounds(_ANSWER_BYTES, self._seconds),
            headers={**(headers or {}), "Content-Type": content_type},
            body=body,
        )
        if reply.status not in {200, 201}:
            self._fail(reply, what)
        stored = self._parse(Stored, reply)
        if not hmac.compare_digest(stored.sha256, hashlib.sha256(body).hexdigest()):
            raise IntegrityError(f"{self.name} keeps other bytes for {what} than were sent")

    def _authorised(
        self,
        method: str,
        path: str,
        what: str,
        *,
        bounds: Bounds,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        def send(token: Token) -> Reply:
            return self._request(
                method,
                path,
                bounds=bounds,
                headers={**(headers or {}), "Authorization": f"Bearer {token.text}"},
                body=body,
            )

        token = self._login.token()
        reply = send(token)
        # The token may be old: whatever another thread has by now will do, else a login.
        if reply.status in {401, 403} and not token.fresh:
            token = self._login.newer(token)
            reply = send(token)
        if reply.status == 403:
            raise ForbiddenError(
                f"Forbidden: {self.name} does not let the login in {self._credentials.source} "
                f"{'read' if method == 'GET' else 'write'} {what}; check its role and its models"
            )
        if reply.status == 401:
            raise RefusedError(
                f"{self.name} refuses the token that it has just given to the login in "
                f"{self._credentials.source}; check its clock and its keys"
            )
        return reply

    def _log_in(self, pair: Pair) -> LoginResponse:
        # Raised outside of the handlers, here and in `_parse`: a context would carry what pydantic
        # was given.
        request = None
        with contextlib.suppress(ValidationError):
            request = LoginRequest(email=pair.name, password=pair.secret)
        if request is None:
            raise InvalidError(
                f"{self._credentials.source}: email or password is longer or shorter than "
                f"{self.name} can take"
            )
        reply = self._request(
            "POST",
            LOGIN_PATH,
            bounds=Bounds(_ANSWER_BYTES, self._seconds),
            headers={"Content-Type": "application/json"},
            body=json.dumps(request.to_wire()).encode(),
        )
        if reply.status in {401, 403}:
            raise RefusedError(
                f"{self.name} refused the login in {self._credentials.source}; "
                "correct its email and password"
            )
        if reply.status != 200:
            self._fail(reply, "the login")
        return self._parse(LoginResponse, reply)

    def _request(
        self, method: str, path: str, *, bounds: Bounds, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        def attempt() -> Reply:
            reply = self._http.send(method, path, bounds=bounds, headers=headers, body=body)
            if reply.status >= 500 or reply.status in {408, 429}:
                raise TransientError(
                    f"{self.name} answered with status {reply.status}",
                    wait_seconds=_retry_after(reply),
                )
            return reply

        return self._retry.call(attempt)

    def _parse(self, kind: type[WireT], reply: Reply) -> WireT:
        with contextlib.suppress(ValidationError):
            return kind.model_validate_json(reply.body)
        raise UnavailableError(
            f"{self.name} answered with status {reply.status} and what is no {kind.__name__}; "
            "is this the URL of a release API?"
        )

    def _fail(self, reply: Reply, what: str) -> NoReturn:
        if 300 <= reply.status < 400:
            raise UnavailableError(
                f"{self.name} redirects {what} elsewhere (status {reply.status}); "
                "redirects are not followed, correct the URL"
            )
        if reply.status < 400:
            raise UnavailableError(f"{self.name} answered {what} with status {reply.status}")
        reason = self._parse(ErrorBody, reply).error
        kind, advice = _REFUSALS.get(reason, (UnavailableError, f"status {reply.status}"))
        # Not the server's own words: it has seen our password, and may repeat it.
        raise kind(f"{self.name}, {what}: {advice}")


_TAKEN = "this version is published already with other content; release another version"
_REFUSALS: Final[Mapping[str, tuple[type[SealyardError], str]]] = {
    Reason.INVALID_REQUEST: (InvalidError, "it refuses the request as malformed"),
    Reason.INVALID_NAME: (InvalidError, "it refuses the name or the version"),
    Reason.INVALID_SMALL_PART: (InvalidError, "it refuses the bytes as no small part"),
    Reason.INVALID_MANIFEST: (InvalidError, "it refuses the bytes as no manifest"),
    Reason.TOO_LARGE: (InvalidError, "it refuses so many bytes"),
    Reason.NOT_FOUND: (NotPublishedError, "there is none; was it published there?"),
    Reason.SMALL_PART_FIXED: (InvalidError, _TAKEN),
    Reason.MANIFEST_EXISTS: (InvalidError, _TAKEN),
    Reason.PRECONDITION_FAILED: (ReplacedError, "somebody else replaced it meanwhile"),
    Reason.SMALL_PART_MISSING: (IntegrityError, "it has not every small part of the manifest"),
    Reason.SMALL_PART_DIFFERS: (IntegrityError, "it has other small parts than the manifest says"),
}


def _retry_after(reply: Reply) -> float | None:
    text = reply.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None
