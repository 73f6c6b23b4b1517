"""What the Secrets with hardware digests say, and what is said of one that says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealyard.api.secrets import Purpose
from sealyard.delivery.hardware_digests import HardwareDigests
from sealyard.errors import InvalidError, MissingError, SealyardError

DEVICE, OTHER = "1" * 32, "2" * 32
DIGEST = "ab" * 32


def digests(folder: Path, content: str | None) -> HardwareDigests:
    """Those of a Secret `good`, and of a Secret `odd` with such a content."""
    for name, text in (("good", json.dumps({DEVICE: DIGEST})), ("odd", content)):
        mount = folder / Purpose.HARDWARE_DIGESTS / name
        mount.mkdir(parents=True)
        if text is not None:
            (mount / "hardware-digests.json").write_text(text)
    return HardwareDigests.mounted(folder, ["good", "odd", "good"])


def test_an_entry_is_found(tmp_path: Path) -> None:
    found = digests(tmp_path, json.dumps({OTHER: DIGEST.upper(), DEVICE: "cd" * 32}))
    assert found.of("good", DEVICE) == bytes.fromhex(DIGEST)
    assert found.of("odd", OTHER) == bytes.fromhex(DIGEST)
    assert found.of("odd", DEVICE) == bytes.fromhex("cd" * 32)


KEY = "Secret odd, key hardware-digests.json"
CASES: dict[str, tuple[str | None, type[SealyardError], str]] = {
    "no Secret, or no key": (None, MissingError, "Secret odd has no key hardware-digests.json;"),
    "empty": ("", MissingError, "Secret odd: key hardware-digests.json is empty"),
    "no entry": (
        "{}",
        MissingError,
        f"{KEY}: has no entry {DEVICE}; add what `sealyard device facts --digest` prints there",
    ),
    "no JSON": ("hunter2", InvalidError, f"{KEY}: must be one JSON object"),
    "no object": ('["hunter2"]', InvalidError, f"{KEY}: must be one JSON object"),
    "deep": ("[" * 100_000, InvalidError, f"{KEY}: must be one JSON object"),
    "an entry twice": (
        f'{{"{DEVICE}": "{DIGEST}", "{DEVICE}": "hunter2"}}',
        InvalidError,
        f"{KEY}: must be one JSON object",
    ),
    "too short": (
        json.dumps({DEVICE: "hunter2"}), InvalidError, f"{KEY}: entry {DEVICE} must be 64 hexadec"
    ),
    "too long": (json.dumps({DEVICE: DIGEST + "0"}), InvalidError, f"{KEY}: entry {DEVICE} must"),
    "with a line end": (json.dumps({DEVICE: DIGEST + "\n"}), InvalidError, f"{KEY}: entry"),
    "no text": (json.dumps({DEVICE: [1]}), InvalidError, f"{KEY}: entry {DEVICE} must be 64"),
    "a megabyte": (" " * (1 << 20) + "{}", InvalidError, f"{KEY}: longer than 1048576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_concerns_one_device_and_shows_nothing(case: str, tmp_path: Path) -> None:
    content, kind, said = CASES[case]
    found = digests(tmp_path, content)
    for _ in range(2):
        with pytest.raises(kind) as caught:
            found.of("odd", DEVICE)
        assert str(caught.value).startswith(said)
        assert "hunter2" not in str(caught.value)
        assert DIGEST not in str(caught.value)
    assert found.of("good", DEVICE) == bytes.fromhex(DIGEST)


def test_a_device_that_names_no_secret(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"^its level is legacy, and it names no Secret with"):
        digests(tmp_path, None).of(None, DEVICE)
