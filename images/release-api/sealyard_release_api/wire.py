"""How a refusal looks on the wire. The bodies themselves are in `sealyard.api.release_api`."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from sealyard.api.release_api import ErrorBody, Reason

STATUS_OF: Mapping[Reason, int] = {
    Reason.INVALID_REQUEST: 400,
    Reason.INVALID_NAME: 400,
    Reason.INVALID_SMALL_PART: 400,
    Reason.INVALID_MANIFEST: 400,
    Reason.INVALID_DEVICE: 400,
    Reason.INVALID_GRANT: 400,
    Reason.INVALID_METADATA: 400,
    Reason.LOGIN_REFUSED: 401,
    Reason.NONCE_REFUSED: 401,
    Reason.TOKEN_REFUSED: 401,
    Reason.FORBIDDEN: 403,
    Reason.NOT_FOUND: 404,
    Reason.NOT_GRANTED: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.TOO_SLOW: 408,
    Reason.SMALL_PART_FIXED: 409,
    Reason.SMALL_PART_MISSING: 409,
    Reason.SMALL_PART_DIFFERS: 409,
    Reason.MANIFEST_EXISTS: 409,
    Reason.UNKNOWN_DEVICE: 409,
    Reason.TUF_EXISTS: 409,
    Reason.TUF_VERSION: 409,
    Reason.PRECONDITION_FAILED: 412,
    Reason.TOO_LARGE: 413,
    Reason.WRONG_CONTENT_TYPE: 415,
    Reason.TOO_MANY_REQUESTS: 429,
    Reason.INTERNAL: 500,
    Reason.UNAVAILABLE: 503,
}


class Refusal(Exception):  # noqa: N818 - it is an answer to a client, not a fault of ours
    """A request that is answered with a reason instead of what it asked for.

    Attributes:
        reason: the machine's half of the answer.
        message: the reader's half; one line without any secret.
        headers: what else the answer carries (`Retry-After`, `Allow`).
    """

    def __init__(
        self, reason: Reason, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status code of the reason."""
        return STATUS_OF[self.reason]

    def response(self) -> JSONResponse:
        """The answer."""
        headers = dict(self.headers)
        if self.reason is Reason.TOKEN_REFUSED:
            headers["WWW-Authenticate"] = "Bearer"
        body = ErrorBody(error=self.reason, message=self.message[:2048])
        return JSONResponse(body.to_wire(), self.status, headers)
