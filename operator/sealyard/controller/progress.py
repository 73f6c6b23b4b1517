"""The progress endpoint: `POST /v1/progress` from the pod that trains, `POST /v1/filing` from a
router, over TLS.

Best effort: what it writes is for people to watch. Of a run no decision depends on it but the count
of idle attempts, and the last figures come from its Job's answer; a route is Ready while its router
reports.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from sealyard.api.filing import MAX_FILING_BYTES
from sealyard.api.model import Model
from sealyard.api.progress import MAX_PROGRESS_BYTES
from sealyard.controller.caches import Caches
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.progress_auth import (
    BusyError,
    FinishedError,
    NotThePodError,
    TokenReviewer,
)
from sealyard.controller.progress_writer import ProgressWriter
from sealyard.controller.report_kinds import ALL, ReportKind
from sealyard.errors import MissingError

READ_SECONDS = 10.0

R = TypeVar("R", bound=Model)

logger = logging.getLogger(__name__)


class ProgressEndpoint:
    """Takes reports in, checks who says so, hands them to the writer."""

    def __init__(self, caches: Caches, reviewer: TokenReviewer, writer: ProgressWriter) -> None:
        self._caches = caches
        self._reviewer = reviewer
        self._writer = writer

    def make_app(self) -> web.Application:
        """The web application."""
        app = web.Application(client_max_size=max(MAX_PROGRESS_BYTES, MAX_FILING_BYTES))
        for kind in ALL:
            app.router.add_post(kind.path, partial(self._post, kind))
        return app

    async def _post(self, kind: ReportKind[Any], request: web.Request) -> web.Response:
        try:
            pod_uid = await self._speaker(request)
            report = await _read(request, kind.type)
            key = kind.check(self._caches, report, pod_uid)
        except _RefusedError as refusal:
            return _answer(refusal.status, str(refusal))
        except NotThePodError as error:
            return _answer(403, str(error))
        except FinishedError as error:
            return _answer(409, str(error))
        self._writer.submit(kind, key, report, pod_uid)
        return _answer(202, "taken in")

    async def _speaker(self, request: web.Request) -> str:
        """The uid of the pod whose token came with the request."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _RefusedError(401, "a bearer token is needed")
        try:
            pod_uid = await self._reviewer.pod_uid(token.strip())
        except ApiError as error:
            logger.warning("a token could not be reviewed: %s", error)
            raise _RefusedError(503, "the API server does not answer; report later") from error
        except BusyError as error:
            # No line in the log: whoever sends rubbish would fill it.
            raise _RefusedError(503, "too many tokens wait for a review; report later") from error
        if pod_uid is None:
            raise _RefusedError(401, "the token is not one of a pod for this endpoint")
        return pod_uid


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _read(request: web.Request, type_: type[R]) -> R:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return type_.model_validate_json(await request.read())
    except ValidationError as error:
        fields = sorted({".".join(map(str, fault["loc"])) or "body" for fault in error.errors()})
        raise _RefusedError(400, f"not a report: {', '.join(fields)[:200]}") from error
    except TimeoutError as error:
        raise _RefusedError(408, "the report did not arrive in time") from error


def server_context(certificate: str, private_key: str) -> ssl.SSLContext:
    """The TLS side of the endpoint.

    Raises:
        MissingError: a file is not there, or is not a certificate with its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        raise MissingError(
            f"the progress endpoint has no certificate: {certificate} and {private_key} cannot "
            f"be read ({error})"
        ) from error
    return context


def _answer(status: int, message: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"message": message}, status=status, headers=headers)
