from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from sealyard.delivery.opening_pipeline import Opening
from sealyard.errors import IntegrityError
from sealyard.sealing.formats import Opener, open_sealed
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import BOTH, KEYRING, V1, V2, Artifact, BytesSource, S, content, seal

LONG = {name: seal(name, content(9 * S + 17)) for name in BOTH}


def opener_of(made: Artifact) -> Opener:
    big = BytesSource(made.big)
    return open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)


class Output:
    """What was written, each byte once."""

    def __init__(self, size: int) -> None:
        self.content = bytearray(size)
        self.written = 0
        self.lock = threading.Lock()

    def write(self, offset: int, plain: memoryview) -> None:
        with self.lock:
            self.content[offset : offset + len(plain)] = plain
            self.written += len(plain)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("length", [0, 1, 4096, S, S + 1, 2 * S, 5 * S + 3])
@pytest.mark.parametrize("at_once", [1, S, 2 * S + 5, 100 * S])
def test_every_byte_is_written_once(name: str, length: int, at_once: int) -> None:
    made = seal(name, content(length))
    source, output = BytesSource(made.big, at_once), Output(length)
    opening = Opening(opener_of(made), write=output.write, hashing=True)
    opening.open_from(source, range(opener_of(made).layout.segments))
    opening.finish(made.entry)
    assert output.content == made.plaintext
    assert output.written == length
    assert opening.sha256 == made.entry.plaintext_sha256


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("cut", [0, 1, 5, 9, 10])
def test_it_may_be_opened_from_two_sources(name: str, cut: int) -> None:
    made, arrived, told = LONG[name], bytearray(), []
    opener, output = opener_of(made), Output(9 * S + 17)
    opening = Opening(
        opener, write=output.write, progress=lambda done, total: told.append((done, total))
    )
    opening.open_from(BytesSource(made.big), range(cut))
    opening.open_from(BytesSource(made.big), range(cut, 10), arrived=arrived.extend)
    opening.finish(made.entry)
    assert output.content == made.plaintext
    assert arrived == made.big[opener.layout.end_of(cut) : opener.layout.trailer_range.offset]
    assert told == sorted(told)
    assert len(told) >= 5
    assert told[-1] == (9 * S + 17, 9 * S + 17)


@pytest.mark.parametrize("name", BOTH)
def test_what_was_not_sealed_ends_it_in_its_turn(name: str) -> None:
    made, arrived = LONG[name], bytearray()
    opener = opener_of(made)
    big = bytearray(made.big)
    big[opener.layout.big_range(6).offset + 100] ^= 1
    with pytest.raises(IntegrityError, match=r"^big part: segment 6 "):
        Opening(opener).open_from(BytesSource(bytes(big)), range(10), arrived=arrived.extend)
    assert arrived == made.big[: opener.layout.end_of(6)]


@pytest.mark.parametrize("name", BOTH)
def test_a_source_that_ends_early_is_refused(name: str) -> None:
    made = LONG[name]
    with pytest.raises(IntegrityError, match=r"^big part: it ends before \d+ bytes"):
        Opening(opener_of(made)).open_from(BytesSource(made.big[: 7 * S]), range(10))


def test_only_a_plaintext_whose_segments_prove_themselves_needs_no_digest() -> None:
    for name, made in LONG.items():
        opening = Opening(opener_of(made))
        opening.open_from(BytesSource(made.big), range(10))
        opening.finish(made.entry)
        assert opening.sha256 == {V2: None, V1: made.entry.plaintext_sha256}[name]
        another = replace(made.entry, plaintext_sha256="ab" * 32)
        if name == V2:
            opening.finish(another)
        else:
            with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
                opening.finish(another)
