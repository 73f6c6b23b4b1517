from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sealyard.controller.health import STUCK_SECONDS, make_health_app

ASKED = [
    ("/healthz", 0.0, False, 200),
    ("/healthz", STUCK_SECONDS - 1, True, 200),
    ("/healthz", STUCK_SECONDS, True, 503),
    ("/readyz", 0.0, False, 503),
    ("/readyz", 0.0, True, 200),
    ("/other", 0.0, True, 404),
]


@pytest.mark.parametrize(("path", "age", "listed", "status"), ASKED)
async def test_health(path: str, age: float, listed: bool, status: int) -> None:
    app = make_health_app(lambda: age, lambda: listed)
    async with TestClient(TestServer(app)) as client, client.get(path) as answer:
        assert answer.status == status
