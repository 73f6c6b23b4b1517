"""An engine's file says what it is before it begins."""

from __future__ import annotations

import pytest

from sealyard_exporter.engine.file import joined, parted


@pytest.mark.parametrize("engine", [b"", b"{}", b"ftrt\x00\xff" * 1000])
@pytest.mark.parametrize("metadata", [{}, {"names": "{0: 'm\u00fcnze'}", "stride": "32"}])
def test_metadata_and_engine_come_back(metadata: dict[str, str], engine: bytes) -> None:
    assert parted(joined(metadata, engine)) == (metadata, engine)


def test_the_bytes_are_those_that_ultralytics_reads() -> None:
    assert joined({"task": "detect", "names": "a"}, b"engine") == (
        b"\x1d\x00\x00\x00" + b'{"names":"a","task":"detect"}' + b"engine"
    )


def test_the_order_of_the_metadata_changes_nothing() -> None:
    assert joined({"a": "1", "b": "2"}, b"x") == joined({"b": "2", "a": "1"}, b"x")
