from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from sealyard.controller.kubernetes_api import ApiError, KubernetesClient
from sealyard.controller.resources import JOBS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(status: int, body: bytes) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    return handle


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


FAULTS = [
    (
        answer(200, b"<html>a proxy</html>"),
        0,
        "GET /apis/batch/v1/namespaces/ns/jobs/x: the answer",
    ),
    (answer(200, b"\xff\xfe"), 0, "is not one of an API server"),
    (answer(200, b"[]"), 0, "is not one of an API server"),
    (answer(502, b"<html>a proxy</html>"), 502, "502: b'<html>a proxy</html>'"),
    (answer(403, b'{"reason": "Forbidden", "message": "no"}'), 403, "403 Forbidden: no"),
    (hang_up, 0, "the API server does not answer"),
]


@pytest.mark.parametrize(("handler", "status", "says"), FAULTS)
async def test_whatever_is_answered_is_one_kind_of_error(
    handler: Handler, status: int, says: str
) -> None:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    async with TestServer(app) as server:
        configuration = Configuration(host=str(server.make_url("")).rstrip("/"))
        async with ApiClient(configuration) as client:
            with pytest.raises(ApiError) as caught:
                await KubernetesClient(client).read(JOBS, "ns", "x")
    assert caught.value.status == status
    assert says in str(caught.value)
