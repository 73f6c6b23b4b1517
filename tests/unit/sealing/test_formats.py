"""The seam: what holds for both formats."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.formats import (
    FORMATS,
    BytesReader,
    Entry,
    Keyring,
    OpenedReader,
    ReleaseContext,
    SplitLimits,
    format_named,
    object_key,
    open_sealed,
)
from sealyard.sealing.layout import Buffer, Range
from sealyard.sealing.manifest import Manifest
from support.sealing import (
    BOTH,
    CONTEXT,
    KEYRING,
    V1,
    V2,
    BytesSource,
    S,
    all_opened,
    content,
    manifest_of,
    seal,
    seal_stream,
    seeded,
    variant_of,
)

LENGTHS = [0, 1, 15, 16, 17, 4095, 4096, 4097, S - 1, S, S + 1, 2 * S, 3 * S + 17]
LONG = {name: seal(name, content(3 * S + 17)) for name in BOTH}


def test_the_formats_are_found_by_name() -> None:
    assert list(FORMATS) == [V2, V1]
    assert all(format_named(name).name == name for name in BOTH)
    with pytest.raises(InvalidError, match=r"^sealing\.format: 'rot13' must be one of sealed-v2"):
        format_named("rot13")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_sealed_opens_under_its_manifest(name: str, length: int) -> None:
    made = seal(name, content(length))
    manifest = manifest_of(made)
    entry = Manifest.parse(manifest.encode(), sha256=manifest.digest()).entry(CONTEXT)
    assert made.but(entry=entry).open() == made.plaintext
    assert entry.variant.small.size_bytes == len(made.small)
    assert entry.variant.big.size_bytes == len(made.big)


@given(plaintext=st.binary(max_size=10_000), seed=st.text(max_size=8))
def test_any_plaintext_comes_back(plaintext: bytes, seed: str) -> None:
    for name in BOTH:
        assert seal(name, plaintext, seed=seed).open() == plaintext


PLAIN = content(3 * S + 17)
BOUNDARIES = st.sampled_from([0, 16, 4096, 15_344, S, 2 * S, 3 * S])
LIMITS = st.builds(SplitLimits, st.integers(320, 3072), st.integers(8, 20))


@settings(max_examples=60)
@given(boundary=BOUNDARIES, beside=st.integers(-17, 17), limits=LIMITS)
@example(boundary=0, beside=0, limits=SplitLimits())
@example(boundary=4096, beside=0, limits=SplitLimits(320, 8))
def test_every_length_comes_back_under_every_limit(
    boundary: int, beside: int, limits: SplitLimits
) -> None:
    plaintext = PLAIN[: max(0, boundary + beside)]
    for name in BOTH:
        made = seal(name, plaintext, limits=limits)
        total = len(made.small) + len(made.big)
        most = min(limits.max_bytes, math.floor(Fraction(total * limits.max_percent, 100)))
        assert len(made.small) == (320 if name == V2 else most)
        assert len(made.small) <= most
        assert made.big
        assert made.open() == plaintext


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("length", [0, 100, S + 1])
def test_resuming_gives_the_same_bytes(name: str, length: int) -> None:
    fmt, plain = format_named(name), BytesReader(content(length))
    first = fmt.sealer(plaintext_bytes=length, context=CONTEXT, keyring=KEYRING)
    later = KEYRING.add("other", "v2").activate("other").add("fleet-2", "v1").activate("fleet-2")
    again = fmt.resume(first.state, plaintext_bytes=length, context=CONTEXT, keyring=later)
    assert again.object_id == first.object_id
    assert b"".join(seal_stream(again, plain)) == b"".join(seal_stream(first, plain))
    assert again.finish() == first.finish()


def test_a_v2_state_goes_on_only_with_what_it_was_made_for() -> None:
    fmt = format_named(V2)
    state = fmt.sealer(plaintext_bytes=100, context=CONTEXT, keyring=KEYRING).state
    with pytest.raises(InvalidError, match=r"^state: .*another length; seal anew"):
        fmt.resume(state, plaintext_bytes=101, context=CONTEXT, keyring=KEYRING)
    other = ReleaseContext("coins", "1.0.1", "onnx-fp32")
    with pytest.raises(InvalidError, match=r"^state: was not made for coins 1\.0\.1"):
        fmt.resume(state, plaintext_bytes=100, context=other, keyring=KEYRING)
    with pytest.raises(MissingError, match="none of its v2 keys"):
        fmt.resume(state, plaintext_bytes=100, context=CONTEXT, keyring=Keyring.new(v2="another"))


@pytest.mark.parametrize("name", BOTH)
def test_segments_open_in_any_order_and_from_threads(name: str) -> None:
    made = LONG[name]
    big = BytesReader(made.big)
    opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
    assert opener.parallel

    def one(index: int) -> bytes:
        out = bytearray(opener.layout.buffer_bytes)
        length = opener.open_segment(index, big.read_at(*opener.layout.read_range(index)), out)
        return bytes(out[:length])

    order = [3, 1, 0, 2, 2, 0]
    with ThreadPoolExecutor(4) as pool:
        for index, chunk in zip(order, pool.map(one, order), strict=True):
            assert chunk == made.plaintext[index * S : (index + 1) * S]


def test_v2_segments_are_sealed_in_any_order_and_from_threads() -> None:
    made = LONG[V2]
    sealer = format_named(V2).sealer(
        plaintext_bytes=len(made.plaintext), context=CONTEXT, keyring=KEYRING, random=seeded("seal")
    )
    layout, plain = sealer.layout, BytesReader(made.plaintext)
    big = bytearray(layout.big_bytes)

    def one(index: int) -> None:
        out = bytearray(layout.buffer_bytes)
        length = sealer.seal_segment(index, plain.read_at(*layout.plaintext_range(index)), out)
        offset, expected = layout.big_range(index)
        assert length == expected
        big[offset : offset + length] = out[:length]

    assert sealer.parallel
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, [3, 1, 0, 2]))
    sealed = sealer.finish()
    big[layout.trailer_range.offset :] = sealed.trailer
    assert bytes(big) == made.big
    assert sealed.small == made.small


@given(offset=st.integers(0, 3 * S + 40), length=st.integers(0, S + 100))
def test_a_range_reads_only_what_it_touches(offset: int, length: int) -> None:
    for made in LONG.values():
        big = BytesReader(made.big)
        opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
        opened = OpenedReader(opener, big)
        assert opened.size == len(made.plaintext)
        assert opened.read_at(offset, length) == made.plaintext[offset : offset + length]


class CountingReader:
    """Notes what is read."""

    def __init__(self, data: bytes) -> None:
        self._reader = BytesReader(data)
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> Buffer:
        self.reads.append((offset, length))
        return self._reader.read_at(offset, length)

    def stream(self, wanted: Range) -> Iterator[Buffer]:
        yield self.read_at(*wanted)


def test_small_reads_in_order_read_each_segment_once() -> None:
    made = LONG[V2]
    big = CountingReader(made.big)
    opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
    opened = OpenedReader(opener, big)
    big.reads.clear()
    step = S // 4
    parts = [opened.read_at(at, step) for at in range(0, opened.size, step)]
    assert b"".join(parts) == made.plaintext
    assert big.reads == [tuple(opener.layout.read_range(index)) for index in range(4)]


def test_a_range_does_not_meet_damage_elsewhere() -> None:
    made = LONG[V2]
    damaged = bytearray(made.big)
    damaged[0] ^= 1
    big = BytesReader(bytes(damaged))
    opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
    opened = OpenedReader(opener, big)
    assert opened.read_at(S, 5) == made.plaintext[S : S + 5]
    with pytest.raises(IntegrityError, match="segment 0 is not the one that was signed"):
        opened.read_at(S - 1, 2)
    with pytest.raises(ValueError, match="must not be negative"):
        opened.read_at(-1, 2)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("said", [99, 101])
def test_a_plaintext_of_another_length_than_was_said_is_refused(name: str, said: int) -> None:
    sealer = format_named(name).sealer(plaintext_bytes=said, context=CONTEXT, keyring=KEYRING)
    with pytest.raises(InvalidError, match=f"^plaintext: segment 0 has 100 bytes, expected {said}"):
        sealer.seal_segment(0, bytes(100), bytearray(sealer.layout.buffer_bytes))


@pytest.mark.parametrize("name", BOTH)
def test_a_stream_that_breaks_off_while_opening_is_refused(name: str) -> None:
    made = LONG[name]
    opener = open_sealed(made.entry, small=made.small, big=BytesReader(made.big), keys=KEYRING)
    pieces = OpenedReader(opener, BytesReader(made.big[: 2 * S])).stream(Range(0, 4 * S))
    assert next(pieces) == made.plaintext[:S]
    with pytest.raises(IntegrityError, match=r"^big part: \d+ bytes at offset \d+, expected"):
        list(pieces)


class FileReader:
    """As delivery reads: pread on a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = path.stat().st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def stream(self, wanted: Range) -> Iterator[bytes]:
        end = sum(wanted)
        return (self.read_at(at, min(S, end - at)) for at in range(wanted.offset, end, S))

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize("name", BOTH)
def test_memory_does_not_grow_with_the_file(name: str, tmp_path: Path) -> None:
    size = 24 * S + 5
    source, target = tmp_path / "plain", tmp_path / "big"
    with source.open("wb") as file:
        file.truncate(size)
    digest = hashlib.sha256(bytes(size)).hexdigest()
    tracemalloc.start()
    try:
        with closing(FileReader(source)) as plain, target.open("wb") as out:
            sealer = format_named(name).sealer(
                plaintext_bytes=size, context=CONTEXT, keyring=KEYRING
            )
            for chunk in seal_stream(sealer, plain):
                out.write(chunk)
            sealed = sealer.finish()
        variant = variant_of(
            name=CONTEXT.variant,
            plaintext_bytes=size,
            sealing=sealed.sealing,
            small=sealed.small_part,
            big=sealed.big_part(object_key("", sealer.object_id)),
        )
        with closing(FileReader(target)) as big:
            entry = Entry(CONTEXT, variant, digest)
            opener = open_sealed(entry, small=sealed.small, big=big, keys=KEYRING)
            opened = sum(map(len, OpenedReader(opener, big).stream(Range(0, size))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert opened == size
    assert peak < 6 * S


@pytest.mark.parametrize(("name", "field"), [(V1, "active.v1"), (V2, "active.v2")])
def test_a_keyring_without_a_key_for_the_format_is_said_to_lack_it(name: str, field: str) -> None:
    keyring = Keyring({}, {})
    with pytest.raises(MissingError, match=f"^keyring: {field} names no key"):
        format_named(name).sealer(plaintext_bytes=1, context=CONTEXT, keyring=keyring)
    with pytest.raises(MissingError, match=r"^keyring: "):
        LONG[name].but(keys=keyring).open()


def test_the_random_bytes_are_new_unless_they_are_given() -> None:
    for name in BOTH:
        made = {
            format_named(name).sealer(plaintext_bytes=1, context=CONTEXT, keyring=KEYRING).object_id
            for _ in range(3)
        }
        assert len(made) == 3
        assert all(len(bytes.fromhex(one)) == 32 for one in made)


@pytest.mark.parametrize("prefix", ["", "models", "/a/b/"])
def test_the_object_key_is_prefix_objects_id(prefix: str) -> None:
    stripped = prefix.strip("/")
    expected = f"{stripped}/objects/ab" if stripped else "objects/ab"
    assert object_key(prefix, "ab") == expected


@pytest.mark.parametrize("name", BOTH)
def test_a_segment_is_known_without_being_opened(name: str) -> None:
    made = LONG[name]
    big = BytesReader(made.big)
    opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
    assert opener.authenticated is (name == V2)
    assert opener.trailer == made.big[opener.layout.trailer_range.offset :]
    for index in range(opener.layout.segments):
        sealed = bytearray(big.read_at(*opener.layout.read_range(index)))
        assert opener.proves(index, sealed)
        assert not opener.proves(index, sealed[:-1])
        assert not opener.proves((index + 1) % opener.layout.segments, sealed)
        sealed[-1] ^= 1
        assert not opener.proves(index, sealed)


@pytest.mark.parametrize("name", BOTH)
def test_sizes_are_checked_before_anything_of_big_is_there(name: str) -> None:
    made = LONG[name]
    layout = format_named(name).checked_layout(made.entry, small=made.small)
    assert layout.big_bytes == len(made.big)
    damaged = bytes([made.small[0] ^ 1]) + made.small[1:]
    with pytest.raises(IntegrityError, match=r"^small part: "):
        format_named(name).checked_layout(made.entry, small=damaged)


@given(lengths=st.lists(st.integers(1, 2 * S), max_size=8))
def test_big_may_come_in_pieces_of_any_length(lengths: list[int]) -> None:
    made = LONG[V1]

    class Pieces(CountingReader):
        def stream(self, wanted: Range) -> Iterator[Buffer]:
            assert wanted == (0, self.size)
            ends = list(itertools.accumulate(lengths, initial=0))
            for begin, end in itertools.pairwise([*ends, max(self.size, ends[-1])]):
                yield made.big[begin:end]

    opener = open_sealed(made.entry, small=made.small, big=Pieces(made.big), keys=KEYRING)
    assert all_opened(opener, made.entry, BytesSource(made.big)) == made.plaintext
