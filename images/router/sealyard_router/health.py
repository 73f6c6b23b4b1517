"""What the kubelet and Prometheus ask: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PORT: Final = 9464
_TEXT: Final = "text/plain; charset=utf-8"

Question = Callable[[], str | None]
"""Gives why not, in one line; None if all is well."""


class Health:
    """A small HTTP server in a thread of its own.

    Args:
        registry: what `/metrics` shows.
        alive: whether the process still does something.
        ready: whether it files.
        port: where it listens; 0 for any that is free.
    """

    def __init__(
        self, registry: CollectorRegistry, *, alive: Question, ready: Question, port: int = PORT
    ) -> None:
        questions = {"/healthz": alive, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(HTTPStatus.OK, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif self.path in questions:
                    why_not = questions[self.path]()
                    status = HTTPStatus.OK if why_not is None else HTTPStatus.SERVICE_UNAVAILABLE
                    self._answer(status, f"{why_not or 'ok'}\n".encode(), _TEXT)
                else:
                    self._answer(HTTPStatus.NOT_FOUND, b"not found\n", _TEXT)

            def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Probes are no news."""

        self._server = ThreadingHTTPServer(("", port), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
