"""The seam: what holds for both formats."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.formats import (
    FORMATS,
    BytesReader,
    Entry,
    Keyring,
    OpenedReader,
    ReleaseContext,
    format_named,
    object_key,
    open_sealed,
    open_stream,
)
from sealyard.sealing.layout import Buffer
from sealyard.sealing.manifest import Manifest
from support.sealing import (
    BOTH,
    CONTEXT,
    KEYRING,
    V1,
    V2,
    S,
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
    chunks = open_stream(opener, BytesReader(made.big[: 2 * S]), sha256=made.entry.plaintext_sha256)
    assert next(chunks) == made.plaintext[:S]
    with pytest.raises(IntegrityError, match=r"^big part: \d+ bytes at offset \d+, expected"):
        list(chunks)


class FileReader:
    """As delivery reads: pread on a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = path.stat().st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

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
            opened = sum(len(chunk) for chunk in open_stream(opener, big, sha256=digest))
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


def test_only_a_format_whose_segments_prove_themselves_skips_the_plaintexts_digest() -> None:
    wrong = hashlib.sha256(b"another").hexdigest()
    for name, made in LONG.items():
        big = BytesReader(made.big)
        opener = open_sealed(made.entry, small=made.small, big=big, keys=KEYRING)
        assert opener.authenticated is (name == V2)
        chunks = open_stream(opener, big, sha256=wrong)
        if opener.authenticated:
            assert b"".join(chunks) == made.plaintext
        else:
            assert [next(chunks), next(chunks), next(chunks)][0] == made.plaintext[:S]
            with pytest.raises(IntegrityError, match="do not open"):
                next(chunks)
