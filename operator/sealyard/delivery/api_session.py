"""A login at the release API, and requests under it (contracts.md section 6).

Who asks for what is in `release_api`, `device_registry` and `tuf_files`; they may share a session.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Final, NoReturn, Self, TypeVar

from pydantic import ValidationError

from sealyard.api.release_api import (
    ErrorBody,
    Reason,
    Stored,
    WireModel,
)
from sealyard.delivery.account import Account, PasswordAccount
from sealyard.delivery.http import Bounds, HttpClient, Reply
from sealyard.delivery.login import Login, Token
from sealyard.delivery.refusals import REFUSALS, ForbiddenError
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import IntegrityError, RefusedError, UnavailableError

JSON_CONTENT_TYPE: Final = "application/json"
ANSWER_BYTES: Final = 16 * 1024
SECONDS: Final = 30.0

WireT = TypeVar("WireT", bound=WireModel)


class ApiSession:
    """One release API under one login. Safe to use from many threads.

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
        self._http = HttpClient("release API", url, bundle=bundle)
        self._account = (
            PasswordAccount(credentials) if isinstance(credentials, SecretFiles) else credentials
        )
        self._retry = retry or Retry()
        self._seconds = seconds
        self._forbidden = 0
        self._login = Login(
            lambda: self._retry.call(lambda: self._account.log_in(self)),
            self._account.fingerprint,
            source=self._account.source,
            server=self._http.name,
            gap_seconds=login_gap_seconds,
            sleep=self._retry.sleep,
        )

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""
        return self._http.name

    @property
    def url(self) -> str:
        """Where it is."""
        return self._http.url

    @property
    def source(self) -> str:
        """What its login is called in messages."""
        return self._account.source

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

    def get(self, path: str, what: str, limit: int) -> Reply:
        """A GET whose answer is 200.

        Args:
            path: below the API's URL, with its query.
            what: is asked for, in messages.
            limit: the most bytes that the answer may have.

        Raises:
            NotPublishedError: there is none.
            RefusedError: the login is refused, or may not read it (`ForbiddenError`).
            UnavailableError: there is no such answer.
        """
        reply = self.authorised("GET", path, what, limit=limit)
        if reply.status != 200:
            self.fail(reply, what)
        return reply

    def store(
        self,
        path: str,
        what: str,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A PUT of bytes that are to lie there as they are.

        Raises:
            IntegrityError: the API keeps other bytes than were sent.
            SealyardError: as `REFUSALS` has it for the API's reason.
        """
        headers = {**(headers or {}), "Content-Type": content_type}
        stored = self.parse(Stored, self._put(path, what, body, headers))
        if not hmac.compare_digest(stored.sha256, hashlib.sha256(body).hexdigest()):
            raise IntegrityError(f"{self.name} keeps other bytes for {what} than were sent")

    def put(self, path: str, what: str, body: WireModel, kind: type[WireT]) -> WireT:
        """A PUT of a document, and what is answered.

        Raises:
            SealyardError: as `REFUSALS` has it for the API's reason.
        """
        raw = json.dumps(body.to_wire()).encode()
        return self.parse(kind, self._put(path, what, raw, {"Content-Type": JSON_CONTENT_TYPE}))

    def authorised(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int = ANSWER_BYTES,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """The answer of whatever status but 401 and 403, after at most one new login.

        Raises:
            ForbiddenError: 403, though the login is new.
            RefusedError: the login is refused, or the token that it gave.
            UnavailableError: there is no answer, or none that such a request may have.
        """
        bounds = Bounds(limit, self._seconds)

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
        # The token may be old: whatever another thread has by now will do, else a login. But what
        # was forbidden under this very token when it was new is no matter of its age.
        is_known = reply.status == 403 and token.serial == self._forbidden
        if reply.status in {401, 403} and not token.fresh and not is_known:
            token = self._login.newer(token)
            reply = send(token)
        if reply.status == 403:
            self._forbidden = token.serial
            raise ForbiddenError(
                f"Forbidden: {self.name} does not let the login in {self._account.source} "
                f"{'read' if method == 'GET' else 'write'} {what}; check its role and its models"
            )
        if reply.status == 401:
            raise RefusedError(
                f"{self.name} refuses the token that it has just given to the login in "
                f"{self._account.source}; check its clock and its keys"
            )
        return reply

    def parse(self, kind: type[WireT], reply: Reply) -> WireT:
        """The body of an answer.

        Raises:
            UnavailableError: it is no such document.
        """
        # Raised outside of the handler: a context would carry what pydantic was given.
        with contextlib.suppress(ValidationError):
            return kind.model_validate_json(reply.body)
        raise UnavailableError(
            f"{self.name} answered with status {reply.status} and what is no {kind.__name__}; "
            "is this the URL of a release API?"
        )

    def fail(self, reply: Reply, what: str) -> NoReturn:
        """Raise what an answer that is no success means.

        Raises:
            SealyardError: as `REFUSALS` has it for the API's reason.
        """
        if 300 <= reply.status < 400:
            raise UnavailableError(
                f"{self.name} redirects {what} elsewhere (status {reply.status}); "
                "redirects are not followed, correct the URL"
            )
        if reply.status < 400:
            raise UnavailableError(f"{self.name} answered {what} with status {reply.status}")
        reason = self.parse(ErrorBody, reply).error
        kind, advice = REFUSALS.get(reason, (UnavailableError, f"status {reply.status}"))
        # Not the server's own words: it has seen our password, and may repeat it.
        raise kind(f"{self.name}, {what}: {advice}")

    def _put(self, path: str, what: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        reply = self.authorised("PUT", path, what, headers=headers, body=body)
        if reply.status not in {200, 201}:
            self.fail(reply, what)
        return reply

    def post(self, path: str, what: str, body: WireModel | None, kind: type[WireT]) -> WireT:
        """One POST without a token, of which a login is made. Not tried again by itself.

        Raises:
            RefusedError: the account is not let in.
            TransientError: the login may succeed if it is begun anew.
            UnavailableError: there is no such answer.
        """
        reply = self._attempt(
            "POST",
            path,
            bounds=Bounds(ANSWER_BYTES, self._seconds),
            headers={"Content-Type": JSON_CONTENT_TYPE},
            body=b"" if body is None else json.dumps(body.to_wire()).encode(),
        )
        if _is_about_nonce(reply):
            raise TransientError(f"{self.name} has had this nonce before, or knows it no more")
        if reply.status in {401, 403}:
            raise RefusedError(
                f"{self.name} refused the login in {self.source}; {self._account.advice}"
            )
        if reply.status != 200:
            self.fail(reply, what)
        return self.parse(kind, reply)

    def _request(
        self, method: str, path: str, *, bounds: Bounds, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        return self._retry.call(
            lambda: self._attempt(method, path, bounds=bounds, headers=headers, body=body)
        )

    def _attempt(
        self, method: str, path: str, *, bounds: Bounds, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        reply = self._http.send(method, path, bounds=bounds, headers=headers, body=body)
        if reply.status >= 500 or reply.status in {408, 429}:
            raise TransientError(
                f"{self.name} answered with status {reply.status}",
                wait_seconds=_retry_after(reply),
            )
        return reply


def _is_about_nonce(reply: Reply) -> bool:
    """Whether a login was refused for its nonce alone, as happens where an answer was lost."""
    with contextlib.suppress(ValidationError):
        return (
            reply.status == 401
            and ErrorBody.model_validate_json(reply.body).error == Reason.NONCE_REFUSED
        )
    return False


def _retry_after(reply: Reply) -> float | None:
    text = reply.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None
