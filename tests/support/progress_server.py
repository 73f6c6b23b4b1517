"""A TLS server that takes progress as the operator does, and remembers it."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sealyard.api.progress import MAX_PROGRESS_BYTES, PROGRESS_PATH, ProgressReport
from sealyard.api.tasks import ProgressEndpoint
from sealyard_local.pki import PrivateCA


@dataclass
class Received:
    """What came in, in this order."""

    endpoint: ProgressEndpoint
    reports: list[ProgressReport] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """What to answer next; 204 when it is empty."""
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[ProgressReport]:
        """The reports, as soon as there are so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.reports) >= count, 30)
            return list(self.reports)


@contextmanager
def progress_server(folder: Path) -> Iterator[Received]:
    """A server on a free port of the loopback, with a certificate of a CA of its own."""
    authority = PrivateCA.create("Progress")
    authority.issue(dns_names=["localhost"], ips=["127.0.0.1"]).write(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            assert length < MAX_PROGRESS_BYTES
            assert self.path == PROGRESS_PATH
            report = ProgressReport.model_validate_json(self.rfile.read(length))
            with received.arrived:
                received.reports.append(report)
                received.tokens.append(self.headers["Authorization"])
                status = received.statuses.pop(0) if received.statuses else 204
                received.arrived.notify_all()
            self.send_response(status)
            if status in (301, 307):
                self.send_header("Location", "https://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """The test looks at what was received, not at a log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    received = Received(
        ProgressEndpoint(
            url=f"https://127.0.0.1:{server.server_address[1]}", ca=authority.ca_pem.decode()
        )
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
