from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.formats import (
    BytesReader,
    Entry,
    FleetKey,
    Keyring,
    SplitLimits,
    format_named,
    open_sealed,
)
from sealyard.sealing.keyring import Key
from sealyard.sealing.layout import Buffer, Range
from sealyard.sealing.manifest import BigPart, Sealing, SmallPart
from sealyard.sealing.slots import NOT_OPENED
from support.sealing import CONTEXT, KEYRING, V1, Artifact, S, content, seal, variant_of

KEY = KEYRING.active_v1.material
LENGTHS = [0, 1, 15, 16, 17, 4095, 4096, 15_343, 15_344, S - 1, S, S + 1, 3 * S, 3 * S + 17]
SHORT = seal(V1, content(20_000))
LONG = seal(V1, content(2 * S + 100))


def openssl(*mode: str, iv: bytes, data: bytes, folder: Path) -> bytes:
    source, result = folder / "in", folder / "out"
    source.write_bytes(data)
    subprocess.run(
        ["openssl", "enc", *mode, "-aes-256-cbc", "-K", KEY.hex(), "-iv", iv.hex(),
         "-in", source, "-out", result],
        check=True,
        timeout=60,
    )  # fmt: skip
    return result.read_bytes()


def of_the_fleet(plaintext: bytes, stream: bytes, cut: int) -> Artifact:
    """What another program sealed, under a manifest that tells of it."""
    small, big = stream[:cut], stream[cut:]
    variant = variant_of(
        name=CONTEXT.variant,
        plaintext_bytes=len(plaintext),
        sealing=Sealing(format=V1),
        small=SmallPart(size_bytes=cut, sha256=hashlib.sha256(small).hexdigest()),
        big=BigPart(
            key=f"objects/{'0' * 64}", size_bytes=len(big), sha256=hashlib.sha256(big).hexdigest()
        ),
    )
    entry = Entry(CONTEXT, variant, hashlib.sha256(plaintext).hexdigest())
    return Artifact(plaintext=plaintext, small=small, big=big, entry=entry, keys=FleetKey(KEY))


@pytest.mark.parametrize("length", LENGTHS)
def test_openssl_opens_what_we_seal(length: int, tmp_path: Path) -> None:
    made = seal(V1, content(length))
    stream = made.small + made.big
    assert openssl("-d", iv=stream[:16], data=stream[16:], folder=tmp_path) == made.plaintext


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("limits", [SplitLimits(), SplitLimits(320, 8)])
def test_we_open_what_openssl_sealed(length: int, limits: SplitLimits, tmp_path: Path) -> None:
    plaintext, iv = content(length), content(16, "iv")
    stream = iv + openssl("-e", iv=iv, data=plaintext, folder=tmp_path)
    theirs = of_the_fleet(plaintext, stream, limits.small_limit(len(stream)))
    assert theirs.open() == plaintext


@pytest.mark.parametrize("length", LENGTHS)
def test_small_is_exactly_the_limits_first_bytes(length: int) -> None:
    for limits in (SplitLimits(), SplitLimits(1000, 20), SplitLimits(3072, 8)):
        made = seal(V1, content(length), limits=limits)
        total = 16 + (length // 16 + 1) * 16
        assert len(made.small) == limits.small_limit(total)
        assert len(made.small) + len(made.big) == total
        assert made.open() == made.plaintext


@given(at=st.integers(0, len(LONG.big) - 1), bit=st.integers(0, 7))
def test_no_bit_of_big_can_change_unnoticed(at: int, bit: int) -> None:
    changed = bytearray(LONG.big)
    changed[at] ^= 1 << bit
    with pytest.raises(IntegrityError, match=r"^big part: it is not the one in the manifest"):
        LONG.but(big=bytes(changed)).open()


@pytest.mark.parametrize("at", [0, 15, 16, 3071])
def test_no_bit_of_small_can_change_unnoticed(at: int) -> None:
    changed = bytearray(SHORT.small)
    changed[at] ^= 1
    with pytest.raises(IntegrityError, match=r"^small part: it is not the one in the manifest"):
        SHORT.but(small=bytes(changed)).open()


@pytest.mark.parametrize("change", [-16, -1, 1, 16])
def test_another_length_is_refused(change: int) -> None:
    longer = SHORT.big + bytes(16)
    with pytest.raises(IntegrityError, match=r"^big part: \d+ bytes, must be \d+"):
        SHORT.but(big=longer[: len(SHORT.big) + change]).open()
    longer = SHORT.small + bytes(16)
    with pytest.raises(IntegrityError, match=r"^small part: \d+ bytes, must be 3072"):
        SHORT.but(small=longer[: len(SHORT.small) + change]).open()


def test_a_wrong_key_gets_the_uniform_error() -> None:
    for key in range(40):
        with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
            SHORT.but(keys=FleetKey(bytes([key]) * 32)).open()


def fitting_keys(artifact: Artifact, wanted: int) -> list[bytes]:
    """Wrong keys under which the padding looks right: one in 256, if it is a single byte."""
    found = []
    for number in range(20_000):
        key = hashlib.sha256(number.to_bytes(8, "big")).digest()
        reader = BytesReader(artifact.big)
        try:
            open_sealed(
                replace(artifact.entry), small=artifact.small, big=reader, keys=FleetKey(key)
            )
        except IntegrityError:
            continue
        found.append(key)
        if len(found) == wanted:
            return found
    raise AssertionError("no such key")


def test_a_key_whose_padding_fits_by_chance_is_not_taken_for_the_right_one() -> None:
    made = seal(V1, content(31))
    one, two = fitting_keys(made, 2)
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        made.but(keys=FleetKey(one)).open()
    old = Keyring(
        {
            "new": Key("new", "v1", one),
            "newer": Key("newer", "v1", two),
            "old": Key("old", "v1", KEY),
        },
        {"v1": "new"},
    )
    assert made.but(keys=old).open() == made.plaintext
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        made.but(keys=old.retire("old")).open()


def test_an_older_release_opens_after_the_fleet_key_changed() -> None:
    keyring = KEYRING.add("fleet-2", "v1").activate("fleet-2")
    assert LONG.but(keys=keyring).open() == LONG.plaintext
    assert seal(V1, content(100), keyring=keyring).but(keys=keyring).open() == content(100)


class Turncoat:
    """A store that serves what the manifest says while it is checked, and then something else."""

    def __init__(self, honest: bytes, later: bytes) -> None:
        self._honest, self._later = honest, later
        self.turned = False

    @property
    def size(self) -> int:
        return len(self._honest)

    def read_at(self, offset: int, length: int) -> Buffer:
        return (self._later if self.turned else self._honest)[offset : offset + length]

    def stream(self, wanted: Range) -> Iterator[Buffer]:
        yield self.read_at(*wanted)


@pytest.mark.parametrize("at", [0, 1000, S, S + 16, len(LONG.big) - 1])
def test_bytes_that_change_after_the_check_are_not_decrypted(at: int) -> None:
    changed = bytearray(LONG.big)
    changed[at] ^= 1
    big = Turncoat(LONG.big, bytes(changed))
    opener = open_sealed(LONG.entry, small=LONG.small, big=big, keys=KEYRING)
    big.turned = True
    out = bytearray(opener.layout.buffer_bytes)
    refused = 0
    for index in range(opener.layout.segments):
        read = opener.layout.read_range(index)
        sealed = big.read_at(*read)
        if sealed == LONG.big[read.offset : read.offset + read.length]:
            length = opener.open_segment(index, sealed, out)
            assert out[:length] == LONG.plaintext[index * S : index * S + length]
            continue
        with pytest.raises(IntegrityError, match=f"^big part: segment {index} changed since"):
            opener.open_segment(index, sealed, out)
        refused += 1
    assert refused


def test_segments_are_sealed_in_order_and_once() -> None:
    sealer = format_named(V1).sealer(plaintext_bytes=2 * S, context=CONTEXT, keyring=KEYRING)
    out = bytearray(sealer.layout.buffer_bytes)
    assert not sealer.parallel
    with pytest.raises(ValueError, match="segment 0 is next, not 1"):
        sealer.seal_segment(1, bytes(S), out)
    sealer.seal_segment(0, bytes(S), out)
    with pytest.raises(ValueError, match="segment 1 is next, not 0"):
        sealer.seal_segment(0, bytes(S), out)
    with pytest.raises(ValueError, match="segment 1 was not sealed"):
        sealer.finish()


@pytest.mark.parametrize(
    "change",
    [
        {"plaintext_bytes": 101},
        {"limits": SplitLimits(320, 8)},
        {"keyring": Keyring.new(v1="fleet", v2=None)},
        {"state": b""},
        {"state": bytes(80)},
    ],
    ids=["length", "limits", "key", "empty", "zeros"],
)
def test_a_state_goes_on_only_with_what_it_was_made_for(change: dict[str, object]) -> None:
    fmt = format_named(V1)
    sealer = fmt.sealer(plaintext_bytes=100, context=CONTEXT, keyring=KEYRING)
    asked = {"plaintext_bytes": 100, "context": CONTEXT, "keyring": KEYRING, "state": sealer.state}
    with pytest.raises(InvalidError, match=r"^state: .*seal anew"):
        fmt.resume(**asked | change)  # type: ignore[arg-type]  # a table of arguments
