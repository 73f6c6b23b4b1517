"""Whether a namespace ends is asked once in a while, whoever wants to know."""

from __future__ import annotations

from sealyard.controller.namespaces import REMEMBERED_SECONDS, Namespaces
from support.controller import FakeApi


async def test_a_fleet_asks_once_in_a_while() -> None:
    api, now = FakeApi(), [0.0]
    namespaces = Namespaces(api, lambda: now[0])
    assert [await namespaces.ends("coins") for _ in range(3)] == [False] * 3
    assert await namespaces.ends("gears") is False
    api.ending_namespaces.add("coins")
    assert await namespaces.ends("coins") is False
    now[0] = REMEMBERED_SECONDS
    assert [await namespaces.ends("coins") for _ in range(3)] == [True] * 3
    assert api.asked["namespace_ends"] == 3
