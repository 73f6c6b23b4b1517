"""A volume whose server is gone: a write that neither fails nor ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from sealyard.delivery.http import Buffer
from sealyard_router import requests
from sealyard_router.patience import Patience, PatientStore
from sealyard_router.troubles import Troubles
from sealyard_router.volume import Volume
from support.stores import until


def test_a_write_that_hangs_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PATIENCE_SECONDS", 0.0)
    is_back = threading.Event()

    class Hanging(Volume):
        def put(self, key: str, content: Buffer) -> None:
            is_back.wait(60)
            super().put(key, content)

    failures = Counter("failures", "", ["problem"], registry=CollectorRegistry())
    patience = Patience("StoreUnavailable", Troubles(), threading.Event(), failures)
    store = PatientStore(Hanging(tmp_path, "the claim"), patience)
    writing = threading.Thread(target=lambda: store.put("labels/a.txt", b"0"))
    writing.start()
    until(lambda: "nothing has come of labels/a.txt" in (store.hanging or ""), "the line")
    is_back.set()
    writing.join()
    assert store.hanging is None
