from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sealyard.cli.app import run
from sealyard.sealing.keyring import Keyring

MIB = 1 << 20
SEALYARD = Path(sys.executable).with_name("sealyard")


@dataclass(frozen=True)
class CommandLine:
    """`sealyard` in a folder with a keyring and a file to seal."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def plain(self) -> Path:
        return self.folder / "m.onnx"

    @property
    def sealed(self) -> Path:
        return self.folder / "sealed"

    @property
    def opened(self) -> Path:
        return self.folder / "opened.onnx"

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        self.monkeypatch.setattr("sys.argv", ["sealyard", *arguments])
        code = run()
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def keys(self) -> tuple[str, str]:
        return ("--keyring", str(self.folder / "keyring.json"))

    def seal(self, *arguments: str) -> tuple[int, str, str]:
        places = (*self.keys(), "--sealed-dir", str(self.sealed))
        return self(
            "seal", str(self.plain), "coins", "1.0.0", "--image-size", "64", *places, *arguments
        )


@pytest.fixture
def sealyard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    (tmp_path / "keyring.json").write_bytes(Keyring.new(v1="fleet", v2="k1").to_json())
    (tmp_path / "m.onnx").write_bytes(b"model")
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
@pytest.mark.parametrize("size", [0, 1, MIB, 5 * MIB + 7])
def test_what_is_sealed_opens(sealyard: CommandLine, sealing: str, size: int) -> None:
    sealyard.plain.write_bytes(os.urandom(size))
    code, output, _ = sealyard.seal("--format", sealing, "--json")
    assert code == 0
    said: dict[str, Any] = json.loads(output)
    assert (said["sizeBytes"], said["sealingFormat"]) == (size, sealing)
    assert said["smallBytes"] <= min(3072, (said["smallBytes"] + said["bigBytes"]) // 5)
    assert {stat.S_IMODE(path.stat().st_mode) for path in sealyard.sealed.iterdir()} == {0o600}

    opened = sealyard("open", str(sealyard.sealed), *sealyard.keys(), "-o", str(sealyard.opened))
    assert opened[0] == 0
    assert sealyard.opened.read_bytes() == sealyard.plain.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((), "sealyard/objects/"),
        (("--prefix", "team/models"), "team/models/objects/"),
        (("--prefix", ""), "objects/"),
    ],
)
def test_the_manifest_says_where_the_big_part_will_be(
    sealyard: CommandLine, arguments: tuple[str, ...], key: str
) -> None:
    assert sealyard.seal(*arguments)[0] == 0
    _, output, _ = sealyard("inspect", str(sealyard.sealed))
    (variant,) = json.loads(output)["predicate"]["variants"]
    assert variant["big"]["key"].rpartition("/")[0] + "/" == key


@pytest.mark.parametrize(
    ("arguments", "small"),
    [
        ((), 3072),
        (("--max-small-bytes", "500"), 500),
        (("--max-small-percent", "8"), (16 + 20_000) * 8 // 100),
    ],
)
def test_the_small_part_keeps_to_its_limits(
    sealyard: CommandLine, arguments: tuple[str, ...], small: int
) -> None:
    sealyard.plain.write_bytes(bytes(19_999))
    _, output, _ = sealyard.seal("--format", "aes-256-cbc-v1", "--json", *arguments)
    assert json.loads(output)["smallBytes"] == small


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--precision", "fp8"), "--precision: 'fp8' must be one of fp32, fp16, int8"),
        (("--format", "rot13"), "sealing.format: 'rot13' must be one of"),
        (("--variant", "A"), "variant: 'A' must be 1 to 63"),
        (("--image-size", "0"), "--image-size: 0 must be from 1 to 65536"),
        (("--max-small-bytes", "319"), "--max-small-bytes: 319 must be from 320 to 3072"),
        (("--max-small-percent", "21"), "--max-small-percent: 21 must be from 8 to 20"),
        (("--prefix", "a//b"), "--prefix: 'a//b' must be of letters, digits"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    sealyard: CommandLine, arguments: tuple[str, str], said: str
) -> None:
    code, output, error = sealyard.seal(*arguments)
    assert (code, output) == (64, "")
    assert said in error
    assert error.count("\n") == 1
    assert not sealyard.sealed.exists()


def test_a_file_that_is_not_there(sealyard: CommandLine) -> None:
    sealyard.plain.unlink()
    code, _, error = sealyard.seal()
    assert code == 66
    assert "m.onnx: cannot be read" in error


@pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
def test_a_range_is_opened_alone(sealyard: CommandLine, sealing: str) -> None:
    content = os.urandom(3 * MIB + 11)
    sealyard.plain.write_bytes(content)
    assert sealyard.seal("--format", sealing)[0] == 0
    for offset, length in ((0, 1), (MIB - 1, 2), (7, 2 * MIB), (3 * MIB, 11), (5, 0)):
        arguments = [str(SEALYARD), "open", str(sealyard.sealed), *sealyard.keys()]
        done = subprocess.run(
            [*arguments, "--range", f"{offset}:{length}"],
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == content[offset : offset + length]


def test_a_range_opens_what_lies_beside_a_damaged_segment(sealyard: CommandLine) -> None:
    sealyard.plain.write_bytes(bytes(3 * MIB))
    assert sealyard.seal()[0] == 0
    big = sealyard.sealed / "onnx-fp32.big"
    damaged = bytearray(big.read_bytes())
    damaged[MIB + 100] ^= 1
    big.write_bytes(damaged)
    opening = ("open", str(sealyard.sealed), *sealyard.keys(), "--range")
    code, _, error = sealyard(*opening, f"{MIB}:1")
    assert (code, error) == (
        65,
        "sealyard: big part: segment 1 is not the one that was signed\n",
    )
    assert sealyard(*opening, f"{2 * MIB}:{MIB}")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give exactly one of --output and --range"),
        (("--range", "1-2"), "--range: '1-2' must be OFFSET:LENGTH, in bytes"),
        (("--range", "4:2"), "range: 4:2 must lie in the 5 bytes of the plaintext"),
    ],
)
def test_a_wrong_range_is_refused(
    sealyard: CommandLine, arguments: tuple[str, ...], said: str
) -> None:
    assert sealyard.seal()[0] == 0
    code, output, error = sealyard("open", str(sealyard.sealed), *sealyard.keys(), *arguments)
    assert (code, output) == (64, "")
    assert said in error
