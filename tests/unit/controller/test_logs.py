from __future__ import annotations

import json
import logging

from sealyard.controller.logs import REPEAT_SECONDS, JsonFormatter, RepeatFilter


def line(name: str, message: str, *, fault: bool = False, **extra: str) -> logging.LogRecord:
    trace = (ValueError, ValueError(), None) if fault else None
    record = logging.LogRecord(name, logging.ERROR, "file", 1, message, (), trace)
    record.__dict__.update(extra)
    return record


def test_one_object_a_line() -> None:
    text = JsonFormatter().format(line("sealyard.x", "two\nlines", key="TrainingRun ns/run"))
    assert "\n" not in text
    entry = json.loads(text)
    assert entry["message"] == "two\nlines"
    assert entry["key"] == "TrainingRun ns/run"
    assert entry["level"] == "error"


def test_only_our_own_faults_come_with_a_trace() -> None:
    ours = json.loads(JsonFormatter().format(line("sealyard.x", "m", fault=True)))
    theirs = json.loads(JsonFormatter().format(line("kopf.x", "m", fault=True)))
    assert "ValueError" in ours["trace"]
    assert "trace" not in theirs


def test_what_others_repeat_is_said_once_a_minute() -> None:
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    said = [repeats.filter(line("kopf.x", f"attempt #{n} failed: GET /jobs")) for n in range(5)]
    assert said == [True, False, False, False, False]
    assert repeats.filter(line("kopf.x", "attempt #1 failed: GET /pods"))
    now[0] = REPEAT_SECONDS
    assert repeats.filter(line("kopf.x", "attempt #9 failed: GET /jobs"))


def test_what_we_say_is_always_said() -> None:
    repeats = RepeatFilter()
    assert all(repeats.filter(line("sealyard.x", "the same")) for _ in range(3))
