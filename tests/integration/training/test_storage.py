"""A disk that fills up and a volume that becomes read-only: both are said, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult, parse_answer
from support.job_programs import BIN, TIMEOUT_SECONDS, Pod
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(TIMEOUT_SECONDS),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount of its own"),
]

# In namespaces of its own, where a user may mount: a small volume at $2, the workspace. Beside the
# first training somebody else fills it up; for the second it is read-only; the third has room.
ATTEMPTS = """
set -u
mount -t tmpfs -o size=200m tmpfs "$2"
run="$2/{run}"
(until [ -e "$run/checkpoints/epoch-000002.json" ]; do sleep 0.02; done
 cat /dev/zero > "$2/of-somebody-else" 2> /dev/null) &
{trainer} "$@"; echo $? > "{out}/code-1"; cp "{answer}" "{out}/answer-1"
ls "$run/checkpoints" > "{out}/kept"
mount -o remount,ro "$2"
{trainer} "$@"; echo $? > "{out}/code-2"; cp "{answer}" "{out}/answer-2"
mount -o remount,rw "$2"
rm "$2/of-somebody-else"
{trainer} "$@"; echo $? > "{out}/code-3"; cp "{answer}" "{out}/answer-3"
"""


def attempts(pod: Pod) -> Path:
    """A program that makes the three attempts one after the other, and keeps how each ended."""
    out = pod.root / "ends"
    out.mkdir()
    script = ATTEMPTS.format(
        run=RUN_PATH, trainer=BIN / "sealyard-trainer", out=out, answer=pod.answer_file
    )
    (pod.root / "attempts.sh").write_text(script)
    program = pod.root / "attempts"
    program.write_text(f'#!/bin/sh\nexec unshare -rm sh "{pod.root}/attempts.sh" "$@"\n')
    program.chmod(0o755)
    return program


def test_a_full_disk_and_a_read_only_workspace_lose_one_epoch_at_most(make_pod: MakePod) -> None:
    pod = make_pod()
    program = attempts(pod)
    # Many epochs, so that the disk is full before the last.
    task = train_task(hyperparameters=with_epochs(30))
    assert pod.run(os.fspath(program), task) == 0, pod.log_file.read_text()
    ends = pod.root / "ends"
    codes = [int((ends / f"code-{number}").read_text()) for number in (1, 2, 3)]
    answers = [parse_answer((ends / f"answer-{number}").read_text()) for number in (1, 2, 3)]
    log = pod.log_file.read_text()
    assert codes == [66, 66, 0], log
    assert all(answers)
    full, read_only, done = (answer for answer in answers if answer)
    assert full.message.startswith("the workspace is full (No space left on device); make room")
    assert read_only.message.startswith("the workspace is read-only (Read-only file system)")
    kept = [name for name in (ends / "kept").read_text().split() if name.endswith(".json")]
    newest = max(int(name.removeprefix("epoch-").removesuffix(".json")) for name in kept)
    result = TrainResult.model_validate(done.result)
    assert result.resumed_from_epoch == newest >= 2
    assert result.epochs == 30
    assert log.count(" of 30: mAP50") <= 30 + 1, "one epoch at most was trained twice"
