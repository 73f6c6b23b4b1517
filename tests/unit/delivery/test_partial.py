from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from sealyard.delivery.fetch import proved_segments
from sealyard.delivery.partial import Partial, partial_beside
from sealyard.delivery.readers import FileReader
from sealyard.errors import IntegrityError, MissingError, UnavailableError
from sealyard.sealing.formats import open_sealed
from support.sealing import BOTH, KEYRING, BytesSource, S, content, seal

ID, OTHER = "ab" * 32, "cd" * 32


def left(place: Path) -> Path:
    return place.with_name(f".{place.name}.{ID}.part")


def interrupted(place: Path, data: bytes, error: BaseException) -> None:
    with partial_beside(place, ID) as partial:
        partial.append(data)
        raise error


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "model.big"


@pytest.mark.parametrize("error", [UnavailableError("x"), MissingError("x"), KeyboardInterrupt()])
def test_it_stays_when_it_is_interrupted(place: Path, error: BaseException) -> None:
    for so_far in (b"abc", b"abcabc"):
        with pytest.raises(type(error)):
            interrupted(place, b"abc", error)
        assert left(place).read_bytes() == so_far
        assert stat.S_IMODE(left(place).stat().st_mode) == 0o600
    with partial_beside(place, ID) as partial:
        assert partial.size == 6
        partial.cut(7)
        partial.cut(2)
        partial.append(memoryview(b"xyz"))
        with partial.reader() as reader:
            assert reader.read_at(0, 10) == b"abxyz"
        partial.take_place()
    assert place.read_bytes() == b"abxyz"
    assert list(place.parent.iterdir()) == [place]


def test_it_goes_when_it_is_not_needed_any_more(place: Path) -> None:
    with partial_beside(place, ID) as partial:
        partial.append(b"abc")
    assert not left(place).exists()
    with pytest.raises(IntegrityError):
        interrupted(place, b"abc", IntegrityError("x"))
    assert not left(place).exists()
    with pytest.raises(UnavailableError, match="nothing came"):
        interrupted(place, b"", UnavailableError("nothing came"))
    assert not left(place).exists()


def test_what_took_its_place_is_not_taken_away(place: Path) -> None:
    with partial_beside(place, ID) as partial:
        partial.append(b"abc")
        partial.take_place()
        with partial_beside(place, ID) as next_one:
            next_one.append(b"def")
            partial.remove()
            assert left(place).read_bytes() == b"def"
            next_one.take_place()
    assert place.read_bytes() == b"def"


@pytest.mark.parametrize("object_id", [ID, OTHER])
def test_there_is_one_at_a_time(place: Path, object_id: str) -> None:
    with (
        partial_beside(place, ID) as partial,
        pytest.raises(UnavailableError, match=r"model\.big: another pull to it is under way"),
        partial_beside(place, object_id),
    ):
        partial.append(b"never")
    with partial_beside(place.with_name("elsewhere"), ID), partial_beside(place, ID):
        pass


def test_one_that_its_owner_took_away_in_between_is_not_used(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, 0

    def late(descriptor: int, operation: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            left(place).rename(place)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with partial_beside(place, ID) as partial:
        partial.append(b"abc")
        assert place.read_bytes() == b""
        assert left(place).read_bytes() == b"abc"
    assert calls == 2


def test_what_is_left_of_other_objects_is_removed(place: Path) -> None:
    stays = [f".model.big.{ID}.part.x", f".model.bigger.{OTHER}.part", ".model.big.abc.part"]
    for name in [*stays, f".model.big.{OTHER}.part"]:
        (place.parent / name).write_bytes(b"something")
    with partial_beside(place, ID):
        names = {path.name for path in place.parent.iterdir()}
        assert names == {*stays, left(place).name}


def test_a_link_is_not_followed(place: Path) -> None:
    (place.parent / "victim").write_bytes(b"something")
    left(place).symlink_to(place.parent / "victim")
    with pytest.raises(MissingError, match="cannot be written"), partial_beside(place, ID):
        pass
    assert (place.parent / "victim").read_bytes() == b"something"


def test_a_folder_that_is_not_there_is_named() -> None:
    place = Path("/nowhere/model.big")
    with (
        pytest.raises(MissingError, match=r"^/nowhere/model\.big: cannot be written \(No such"),
        partial_beside(place, ID),
    ):
        pass


def test_a_full_disk_is_named(place: Path) -> None:
    descriptor = os.open("/dev/full", os.O_RDWR)
    try:
        partial = Partial(place, left(place), descriptor)
        with pytest.raises(MissingError, match=r"cannot be written \(No space left on device\)"):
            partial.append(b"abc")
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", BOTH)
def test_segments_count_until_the_first_that_is_not_right(name: str, tmp_path: Path) -> None:
    made = seal(name, content(5 * S + 17))
    opener = open_sealed(made.entry, small=made.small, big=BytesSource(made.big), keys=KEYRING)
    ends = [opener.layout.end_of(count) for count in range(7)]
    for length, damaged, expected in (
        (0, None, 0),
        (ends[1] - 1, None, 0),
        (ends[3], None, 3),
        (ends[4] - 1, None, 3),
        (ends[6], None, 6),
        (len(made.big) + 100, None, 6),
        (ends[6], ends[0] + 20, 0),
        (ends[6], ends[4] + 20, 4),
        (ends[5], ends[5] - 20, 4),
    ):
        big = bytearray((made.big + bytes(100))[:length])
        if damaged is not None:
            big[damaged] ^= 1
        (tmp_path / "big").write_bytes(big)
        with FileReader.open(tmp_path / "big") as before:
            assert proved_segments(opener, before) == expected
