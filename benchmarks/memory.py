"""How much memory the programs need that go through a whole release.

Each runs as the process that a Job or a person starts, and what it did is checked. A row holds at
most three times its size: the plaintext, the object on the CDN and the pulled file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.children import peak_mebibytes
from benchmarks.delivery import releases_of
from benchmarks.table import OpenPeak, Peak

_MOST_MEBIBYTES: Final = 160


@contextmanager
def _publish(folder: Path, size_bytes: int) -> Iterator[Peak]:
    with releases_of(folder, size_bytes) as releases:

        def peak() -> float:
            releases.begin()
            mebibytes = peak_mebibytes(releases.publish_program())
            releases.check_published()
            return mebibytes

        yield Peak("sealyard-courier, publish", _MOST_MEBIBYTES, size_bytes, peak)


@contextmanager
def _verify(folder: Path, size_bytes: int) -> Iterator[Peak]:
    with releases_of(folder, size_bytes) as releases:
        releases.publish()
        yield Peak(
            "sealyard-courier, verify",
            _MOST_MEBIBYTES,
            size_bytes,
            lambda: peak_mebibytes(releases.verify_program()),
        )


@contextmanager
def _pull(folder: Path, size_bytes: int) -> Iterator[Peak]:
    with releases_of(folder, size_bytes) as releases:
        releases.publish()
        output = folder / "pulled"

        def peak() -> float:
            mebibytes = peak_mebibytes(releases.pull_program(output))
            releases.plain.check(output)
            return mebibytes

        yield Peak("sealyard pull", _MOST_MEBIBYTES, size_bytes, peak)


ROWS: Final[Mapping[str, OpenPeak]] = {
    "memory-publish": _publish,
    "memory-verify": _verify,
    "memory-pull": _pull,
}
