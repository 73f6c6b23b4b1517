from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from sealyard_local.ports import BLOCK, free_block, free_ports

LOCAL = Path(__file__).resolve().parents[3] / "local"
TAKE_AND_WAIT = """
import sys
from sealyard_local.ports import free_block, free_ports
print(*free_ports(7), *free_block(), flush=True)
sys.stdin.read()
"""


def test_ports_can_be_bound_all_at_once() -> None:
    ports = [*free_ports(7), *free_ports(1), *free_block(), *free_ports(2)]
    assert len(set(ports)) == 10 + BLOCK
    with contextlib.ExitStack() as stack:
        for port in ports:
            # As servers do: connections of a former one may linger.
            stack.enter_context(socket.create_server(("127.0.0.1", port)))


def test_the_kernel_gives_none_of_them_away() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_block(10_000)) + 10_000 < lowest


def test_what_is_in_use_is_left_out() -> None:
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as used:
        assert used.getsockname()[1] not in free_ports(2 * BLOCK)


def test_processes_never_get_the_same_ones() -> None:
    taking = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_AND_WAIT],
            env={**os.environ, "PYTHONPATH": str(LOCAL)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ports = []
    for process in taking:
        assert process.stdout
        ports += [int(port) for port in process.stdout.readline().split()]
    for process in taking:
        process.communicate()
        assert process.returncode == 0
    assert len(ports) == len(set(ports)) == 4 * (7 + BLOCK)
