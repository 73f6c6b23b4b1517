"""The updater's memory and links, in real folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.device.updater.decide import Choice, Event, Memory
from sealyard.device.updater.places import Places, folder_name
from sealyard.errors import MissingError

ONE, TWO, THREE = (
    Choice(version=f"{digit}.0.0", manifest_sha256=digit * 64) for digit in ("1", "2", "3")
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, "coins")


@pytest.mark.parametrize(
    "memory",
    [
        Memory(),
        Memory(current=TWO, previous=ONE, proven=False, variant="engine"),
        Memory(current=ONE, bad=["2" * 64], owed=Event.ROLLED_BACK),
        Memory(owed=Event.WITHDRAWN),
    ],
)
def test_what_is_kept_is_remembered_and_pointed_to(places: Places, memory: Memory) -> None:
    places.keep(Memory(current=THREE, previous=TWO))
    places.keep(memory)
    assert places.remember() == memory
    for name, choice in (("current", memory.current), ("previous", memory.previous)):
        link = places.folder / name
        assert link.is_symlink() == (choice is not None)
        if choice is not None:
            assert link.readlink() == Path("releases") / folder_name(choice)


@pytest.mark.parametrize("memory", [Memory(), Memory(current=ONE)])
def test_a_link_that_cannot_be_put_is_an_error_of_ours(places: Places, memory: Memory) -> None:
    (places.folder / "current/not-ours").mkdir(parents=True)
    for act in (places.point, places.keep):
        with pytest.raises(MissingError, match="current: cannot be written"):
            act(memory)


def test_what_is_neither_current_nor_previous_nor_coming_is_deleted(places: Places) -> None:
    releases = places.folder / "releases"
    for choice in (ONE, TWO, THREE):
        (releases / folder_name(choice)).mkdir(parents=True)
    places.tidy(Memory(current=ONE), TWO)
    assert {path.name for path in releases.iterdir()} == {folder_name(ONE), folder_name(TWO)}
    places.tidy(Memory(current=ONE))
    assert [path.name for path in releases.iterdir()] == [folder_name(ONE)]
