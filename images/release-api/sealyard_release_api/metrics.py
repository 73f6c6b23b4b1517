"""What Prometheus reads: on a port of its own, without TLS, and without anything that is secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from sealyard.errors import UnavailableError
from sealyard_release_api.log import SERVER

# From a read in memory to a body that is as slow as it may be.
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)


class Metrics:
    """Counts of one server. Labels are ours: no name that a client sends becomes one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "sealyard_release_api_requests",
            "Answered requests, by what they wanted and the reason of a refusal",
            ("event", "status", "reason"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sealyard_release_api_request_seconds",
            "Seconds from a request's head to its answer's end",
            ("event",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.running = Gauge(
            "sealyard_release_api_running_requests",
            "Requests that are being answered",
            registry=self.registry,
        )

    def answered(self, *, event: str, status: int | None, reason: str, seconds: float) -> None:
        """Count a request that has ended; a status of None is a client that went away."""
        self._requests.labels(event, str(status or ""), reason).inc()
        self._seconds.labels(event).observe(seconds)


@contextmanager
def serving(metrics: Metrics, host: str, port: int | None) -> Iterator[None]:
    """Serve `/metrics` on a thread of its own, unless there is no port for it.

    Raises:
        UnavailableError: the address is taken.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise UnavailableError(
            f"--host, --metrics-port: cannot listen on {host} port {port}: {error.strerror}"
        ) from None
    fields = {"message": "serving metrics", "port": server.server_port}
    SERVER.info("serving metrics", extra={"fields": fields})
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
