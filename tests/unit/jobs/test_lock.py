from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealyard.api.mounts import POD_UID_VARIABLE
from sealyard.errors import IntegrityError
from sealyard.jobs.lock import LOCK_FILE, WorkspaceLock, pod_uid
from sealyard.jobs.process import Interrupted


def test_the_newest_pod_may_write(tmp_path: Path) -> None:
    old, new = WorkspaceLock(tmp_path, "pod-1"), WorkspaceLock(tmp_path, "pod-2")
    old.take()
    old.check()
    new.take()
    new.check()
    with pytest.raises(Interrupted, match="superseded by pod pod-2; this one stops"):
        old.check()


def test_a_lock_that_is_gone_belongs_to_nobody(tmp_path: Path) -> None:
    lock = WorkspaceLock(tmp_path, "pod-1")
    lock.take()
    (tmp_path / LOCK_FILE).unlink()
    with pytest.raises(Interrupted, match="superseded by pod unknown"):
        lock.check()


def test_a_lock_of_something_else_is_nobodys(tmp_path: Path) -> None:
    lock = WorkspaceLock(tmp_path, "pod-1")
    (tmp_path / LOCK_FILE).write_bytes(b"\xff" * 10_000)
    with pytest.raises(Interrupted) as caught:
        lock.check()
    assert len(str(caught.value)) < 1000
    (tmp_path / LOCK_FILE).unlink()
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(IntegrityError, match="LOCK is a link, a pipe"):
        lock.check()
    lock.take()
    lock.check()


def test_the_uid_comes_from_the_downward_api() -> None:
    assert pod_uid({POD_UID_VARIABLE: "0c5f"}) == "0c5f"
    assert pod_uid({}) != pod_uid({})
