"""How long a message takes until it is filed, where one comes at a time.

    PYTHONPATH=.:local:tests .venv/bin/python -m benchmarks.filing_latency

Prints the median and the 99th percentile, in milliseconds, from before a message of 100 KB is
published until whoever asks the store finds its journal entry, which is after its files. Both
servers and whoever asks share the machine with the router.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from botocore.exceptions import ClientError

from benchmarks.filing import PICTURE_BYTES, a_picture_of, a_route
from sealyard.annotations.layout import entry_key
from support.dataset_store import BUCKET
from support.filing import a_message

_MESSAGES: Final = 200
_WARM: Final = 10
_BETWEEN_SECONDS: Final = 0.05


def main() -> int:
    """Print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="sealyard-bench-") as folder,
        a_route(Path(folder)) as yard,
    ):
        yard.start()
        took = []
        for number in range(_MESSAGES + _WARM):
            body = a_message(a_picture_of(number, PICTURE_BYTES), id=f"tray-{number}")
            begun = time.perf_counter()
            yard.publish([body])
            while not _is_there(yard.store.client, yard.prefix + entry_key(number)):
                time.sleep(0.001)
            took.append((time.perf_counter() - begun) * 1000)
            time.sleep(_BETWEEN_SECONDS)
    took = sorted(took[_WARM:])
    ninety_ninth = took[int(len(took) * 0.99)]
    cores = len(os.sched_getaffinity(0))
    print(f"p50 {statistics.median(took):.0f} ms, p99 {ninety_ninth:.0f} ms; {cores} cores")
    return 0


def _is_there(client: object, key: str) -> bool:
    try:
        client.head_object(Bucket=BUCKET, Key=key)  # type: ignore[attr-defined]
    except ClientError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
