"""What a router counts, on a registry of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from sealyard_router.filer import Filing
from sealyard_router.index import Counts

_PREFIX: Final = "sealyard_router"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_MESSAGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 512)


class Metrics:
    """Counters, gauges and histograms."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.messages = Counter(
            "messages", "Messages filed, by verdict.", ["verdict"], namespace=_PREFIX,
            registry=self.registry,
        )  # fmt: skip
        self.unproven = self._counter("unproven", "Annotations whose role was not proven.")
        self.lost = self._counter("lost", "Messages that the broker deleted before.")
        self.bytes = self._counter("bytes", "Bytes of messages filed.")
        self.overtaken = self._counter("overtaken", "Batches that another router had filed.")
        self.items = Gauge(
            "items", "Items, by where they are.", ["state"], namespace=_PREFIX,
            registry=self.registry,
        )  # fmt: skip
        self.offset = self._gauge("offset", "Everything before it is filed.")
        self.lag = self._gauge("lag", "Messages behind the end of the stream.")
        self._batch_messages = self._histogram("batch_messages", "Messages in an entry.", _MESSAGES)
        self._batch_seconds = self._histogram("batch_seconds", "Filing a batch.", _SECONDS)
        self.store_errors = Counter(
            "store_errors",
            "Requests to a store that failed and are made again, by problem.",
            ["problem"],
            namespace=_PREFIX,
            registry=self.registry,
        )
        self._age = self._histogram(
            "filed_seconds", "From when the broker took a message until it was filed.", _SECONDS
        )

    @contextmanager
    def timed_batch(self) -> Iterator[None]:
        """Measures how long filing a batch takes."""
        with self._batch_seconds.time():
            yield

    def filed(self, filing: Filing) -> None:
        """Count a batch."""
        now = time.time()
        self._batch_messages.observe(len(filing.decisions))
        self.lost.inc(filing.lost)
        for decision in filing.decisions:
            record = decision.record
            self.messages.labels(record.verdict).inc()
            if record.annotator is not None and record.role is None:
                self.unproven.inc()
            self.bytes.inc(len(decision.delivery.body))
            self._age.observe(max(0.0, now - decision.delivery.time_ms / 1000))

    def stands(self, counts: Counts, *, offset: int, lag: int | None) -> None:
        """Say what is filed, and how far behind the end of the stream that is."""
        for state, number in asdict(counts).items():
            self.items.labels(state).set(number)
        self.offset.set(offset)
        self.lag.set(math.nan if lag is None else lag)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, namespace=_PREFIX, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, namespace=_PREFIX, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, namespace=_PREFIX, registry=self.registry, buckets=buckets)
