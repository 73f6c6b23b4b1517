"""What the server listens with."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sealyard.errors import UnavailableError
from sealyard_release_api.server import listen


async def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_headers() -> None:
    no_delay: list[int] = []

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connection = transport.get_extra_info("socket")
            no_delay.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    loop = asyncio.get_running_loop()
    with listen("127.0.0.1", 0) as listener:
        server = await loop.create_server(Answering, sock=listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
    assert [bool(each) for each in no_delay] == [True]


def test_a_taken_address_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UnavailableError, match=f"cannot listen on 127.0.0.1 port {port}"),
            listen("127.0.0.1", port),
        ):
            pass
