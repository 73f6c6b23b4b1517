"""The application: which route answers what, and what a failure looks like."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from sealyard.api.release_api import Reason
from sealyard.errors import SealyardError
from sealyard_release_api.contract import OPENAPI_PATH
from sealyard_release_api.frame import Frame, audit_fields
from sealyard_release_api.log import SERVER
from sealyard_release_api.metrics import Metrics
from sealyard_release_api.openapi import OPERATIONS, document
from sealyard_release_api.routes import Api
from sealyard_release_api.wire import Refusal


def create_app(api: Api, metrics: Metrics, *, max_requests: int) -> ASGIApp:
    """The ASGI application: each operation of the contract over its route."""
    described = document(version("sealyard"))

    async def openapi() -> Response:
        return JSONResponse(described)

    endpoints = {**api.endpoints, OPENAPI_PATH: openapi}
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    for operation in OPERATIONS:
        action = operation.action
        app.add_api_route(
            operation.path,
            endpoints[action or operation.path],
            methods=[operation.method],
            response_model=None,
            dependencies=[Depends(api.admission.to(action))] if action else [],
        )
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(HTTPException)(_unknown)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(SQLAlchemyError)(_database_failed)
    app.exception_handler(SealyardError)(_database_failed)
    app.exception_handler(ClientDisconnect)(_nobody_waits)
    app.exception_handler(Exception)(_failed)
    return Frame(app, metrics, max_requests=max_requests)


def _answer(request: Request, refusal: Refusal) -> Response:
    audit_fields(request.scope)["reason"] = refusal.reason.value
    return refusal.response()


async def _refused(request: Request, error: Refusal) -> Response:
    return _answer(request, error)


async def _unknown(request: Request, error: HTTPException) -> Response:
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    if error.status_code == 405:
        message = f"{request.method[:16]} is not for this path"
        return _answer(request, Refusal(Reason.METHOD_NOT_ALLOWED, message, headers))
    if error.status_code == 404:
        return _answer(request, Refusal(Reason.NOT_FOUND, "there is no such path"))
    return _answer(request, Refusal(Reason.INVALID_REQUEST, "the request cannot be read"))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    fault = error.errors()[0]
    where = ".".join(str(step) for step in fault["loc"])
    return _answer(request, Refusal(Reason.INVALID_REQUEST, f"{where}: {fault['msg']}"))


async def _database_failed(request: Request, error: Exception) -> Response:
    # Its text has the statement and sizes of values, not the values (hide_parameters). An error of
    # ours comes from a connection that was to be made: the URL's file is gone, or is wrong.
    SERVER.error("the database failed: %s", " ".join(str(error).split())[:500])
    return _answer(
        request,
        Refusal(Reason.UNAVAILABLE, "the database does not answer", {"Retry-After": "5"}),
    )


async def _nobody_waits(request: Request, _error: ClientDisconnect) -> Response:
    audit_fields(request.scope)["reason"] = "ClientDisconnected"
    return Response(status_code=400)  # goes nowhere


async def _failed(request: Request, _error: Exception) -> Response:
    # Raised again by Starlette once this is sent; uvicorn then logs it with its stack.
    return _answer(request, Refusal(Reason.INTERNAL, "the server failed; its log says why"))
