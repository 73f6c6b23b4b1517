"""Level `tpm2` against a real TPM 2.0 in software."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.device.enrolment import enrol, rebind
from sealyard.device.hardware import HardwareFacts
from sealyard.device.machine import unlocked
from sealyard.device.state import DeviceState
from sealyard.errors import IntegrityError, MissingError
from support.enrolments import told
from support.tpm import SoftwareTpm, software_tpm


def facts() -> HardwareFacts:
    return HardwareFacts(cpu="a", gpu="b", memory="1", drive="d")


@pytest.fixture
def tpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftwareTpm]:
    (tmp_path / "tpm").mkdir()
    with software_tpm(tmp_path / "tpm") as tpm:
        for name, value in tpm.environment.items():
            monkeypatch.setenv(name, value)
        yield tpm


@pytest.fixture
def device(tmp_path: Path, tpm: SoftwareTpm) -> DeviceState:
    return enrol(tmp_path / "state", told("tpm2"), facts)


def test_it_opens_as_booted_and_not_when_secure_boot_changed(
    device: DeviceState, tpm: SoftwareTpm
) -> None:
    assert unlocked(device).encode() == unlocked(DeviceState.load(device.folder)).encode()
    tpm.change_secure_boot()
    with pytest.raises(IntegrityError, match=r"the state of Secure Boot \(PCR 7\)"):
        unlocked(device)


def test_a_copied_folder_opens_nothing_with_another_tpm(
    tmp_path: Path, device: DeviceState, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(device.folder, tmp_path / "copy")
    (tmp_path / "other").mkdir()
    with software_tpm(tmp_path / "other") as other:
        monkeypatch.setenv("TPM2TOOLS_TCTI", other.environment["TPM2TOOLS_TCTI"])
        with pytest.raises(IntegrityError, match="this is another TPM"):
            unlocked(DeviceState.load(copy))


def test_blobs_of_another_device_open_nothing(tmp_path: Path, device: DeviceState) -> None:
    other = enrol(tmp_path / "other", told("tpm2"), facts)
    for name in ("tpm2.public", "tpm2.private"):
        shutil.copy(other.folder / name, device.folder)
    with pytest.raises(IntegrityError, match="does not open here"):
        unlocked(device)


def test_from_fingerprint_to_tpm2_and_back(tmp_path: Path, tpm: SoftwareTpm) -> None:
    state = enrol(tmp_path / "state", told("fingerprint"), facts)
    before = state.unlock(state.level(facts().digest)).encode()
    state = rebind(state, facts, level="tpm2")
    assert unlocked(DeviceState.load(state.folder)).encode() == before
    state = rebind(state, facts, level="fingerprint")
    tpm.change_secure_boot()
    assert state.unlock(state.level(facts().digest)).encode() == before


def test_without_a_tpm(tmp_path: Path, tpm: SoftwareTpm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPM2TOOLS_TCTI", "swtpm:host=127.0.0.1,port=1")
    with pytest.raises(MissingError, match=r"no TPM 2\.0 answers"):
        enrol(tmp_path / "state", told("tpm2"), facts)


def test_without_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="needs the programs of tpm2-tools"):
        enrol(tmp_path / "state", told("tpm2"), facts)
