"""When a request hangs, and when it is only slow."""

from __future__ import annotations

import pytest

from sealyard_router.requests import Request, Requests, hanging

MIB = 1 << 20
LABELS = Request("seed/labels/a.txt", 100, 1000.0)
PICTURE = Request("seed/images/a.jpg", 64 * MIB, 900.0)

CASES = {
    "nothing to do": ([], 9999.0, None),
    "one that has just begun": ([LABELS], 1001.0, None),
    "one that is slow": ([LABELS], 1300.0, None),
    "one that hangs": (
        [LABELS],
        1310.0,
        "nothing has come of seed/labels/a.txt for 310 s; the storage hangs",
    ),
    "a large one that takes its time": ([PICTURE], 3200.0, None),
    "a large one that hangs": (
        [PICTURE],
        3300.0,
        "nothing has come of seed/images/a.jpg for 2400 s; the storage hangs",
    ),
    "one beside others that are well": (
        [Request("b", 0, 1290.0), LABELS, Request("c", 0, 1309.0)],
        1310.0,
        "nothing has come of seed/labels/a.txt for 310 s; the storage hangs",
    ),
    "the one that hangs for longest": (
        [LABELS, PICTURE],
        3300.0,
        "nothing has come of seed/images/a.jpg for 2400 s; the storage hangs",
    ),
}


@pytest.mark.parametrize(("requests", "now", "line"), CASES.values(), ids=CASES)
def test_what_hangs(requests: list[Request], now: float, line: str | None) -> None:
    assert hanging(requests, now) == line


def test_what_has_ended_however_hangs_no_more() -> None:
    now = 0.0
    requests = Requests(lambda: now)

    def fail() -> None:
        with requests.made("a"):
            raise OSError

    with requests.made("b"):
        now = 200.0
        with pytest.raises(OSError):  # noqa: PT011 - whichever
            fail()
        now = 400.0
        assert requests.hanging == "nothing has come of b for 400 s; the storage hangs"
    assert requests.hanging is None
