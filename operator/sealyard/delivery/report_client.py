"""Posts reports to the operator's progress endpoint, in the background and as well as it can.

Nothing depends on it: a report that cannot be delivered is dropped, and nobody ever waits.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from pathlib import Path
from typing import Generic, TypeVar

import httpx

from sealyard.api.model import Model
from sealyard.api.tasks import ProgressEndpoint

INTERVAL_SECONDS = 5.0
TIMEOUT_SECONDS = 5.0
CLOSING_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 60.0

R = TypeVar("R", bound=Model)

logger = logging.getLogger(__name__)


def start_reports(
    endpoint: ProgressEndpoint | None, path: str, token: Path, *, goes_on: str
) -> ReportClient[R] | None:
    """The client of an endpoint; None where there is none, or its CA cannot be read.

    Args:
        endpoint: the operator's.
        path: of the kind of report.
        token: the file with the pod's token.
        goes_on: what happens all the same where nothing can be delivered, for the log.
    """
    if endpoint is None:
        return None
    try:
        return ReportClient(endpoint, path, token, goes_on=goes_on)
    except (ssl.SSLError, ValueError) as error:
        logger.warning("the CA of the progress endpoint cannot be used: %s", error)
        return None


class ReportClient(Generic[R]):
    """Delivers the newest report; older ones that were not sent yet give way to it.

    Args:
        endpoint: the operator's.
        path: of the kind of report.
        token: the file with the pod's token, read anew for each report.
        goes_on: what happens all the same where nothing can be delivered, for the log.
        interval: seconds between two reports that are not urgent.

    Raises:
        ssl.SSLError, ValueError: the CA of the endpoint cannot be read.
    """

    def __init__(
        self,
        endpoint: ProgressEndpoint,
        path: str,
        token: Path,
        *,
        goes_on: str,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._url = endpoint.url.rstrip("/") + path
        self._token = token
        self._goes_on = goes_on
        self._interval = interval
        # Only the CA in the task: neither the system's roots nor a proxy of the environment.
        self._client = httpx.Client(
            verify=ssl.create_default_context(cadata=endpoint.ca),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            follow_redirects=False,
        )
        self._change = threading.Condition()
        self._newest: R | None = None
        self._urgent = False
        self._closing = False
        self._failures = 0
        self._thread = threading.Thread(target=self._deliver, name="reports", daemon=True)
        self._thread.start()

    def report(self, report: R, *, urgent: bool = False) -> None:
        """Have a report delivered: soon if it is urgent, else when the interval is over."""
        with self._change:
            self._newest = report
            self._urgent = self._urgent or urgent
            self._change.notify()

    def close(self) -> None:
        """Deliver what is left, for a moment at most, and stop."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(CLOSING_SECONDS)
        self._client.close()

    def _deliver(self) -> None:
        next_time = 0.0
        while True:
            with self._change:
                self._change.wait_for(lambda: self._newest is not None or self._closing)
                self._change.wait_for(
                    lambda: self._urgent or self._closing, max(next_time - time.monotonic(), 0)
                )
                report, self._newest = self._newest, None
                self._urgent = False
            if report is None:
                return
            self._post(report)
            next_time = time.monotonic() + self._pause()

    def _pause(self) -> float:
        return min(self._interval * (1 << min(self._failures, 8)), LONGEST_PAUSE_SECONDS)

    def _post(self, report: R) -> None:
        try:
            # The kubelet replaces the token while the pod runs.
            token = self._token.read_text().strip()
            response = self._client.post(
                self._url,
                content=report.model_dump_json(by_alias=True, exclude_none=True),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
        except (OSError, httpx.HTTPError, ValueError) as error:
            # Only its type: what a library says of a request may quote the header.
            self._failed(type(error).__name__)
        else:
            if response.is_success:
                self._failures = 0
            else:
                self._failed(f"status {response.status_code}")

    def _failed(self, reason: str) -> None:
        if not self._failures:
            logger.warning("reports cannot be delivered (%s); %s without", reason, self._goes_on)
        self._failures += 1
