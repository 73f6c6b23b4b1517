"""What the kubelet asks: is the operator alive, and has it seen the cluster yet?"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

STUCK_SECONDS = 180.0
"""A key this old means that the workers do not work: six times as long as a request may take."""


def make_health_app(oldest_age: Callable[[], float], listed: Callable[[], bool]) -> web.Application:
    """`/healthz` by the age of the oldest queued key, `/readyz` by the first listing."""

    async def healthz(_: web.Request) -> web.Response:
        age = oldest_age()
        alive = age < STUCK_SECONDS
        return web.Response(
            status=200 if alive else 503, text=f"the oldest queued key is {age:.1f} s old\n"
        )

    async def readyz(_: web.Request) -> web.Response:
        ready = listed()
        text = "ready\n" if ready else "the first listing is not complete\n"
        return web.Response(status=200 if ready else 503, text=text)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app
