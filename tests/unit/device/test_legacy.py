"""Level legacy: the fleet key is kept as level fingerprint keeps keys, and cannot be bound anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealyard.api.device import DeviceSpec
from sealyard.device.enrolment import device_document, enrol, rebind
from sealyard.device.hardware import HardwareFacts, read_facts
from sealyard.device.machine import opening_keys, unlocked
from sealyard.device.state import FLEET_FILE, DeviceState
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.legacy import LegacyKey, seal_small_for_legacy
from support.enrolments import told
from support.machines import machine

FLEET_KEY = bytes(range(32))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return machine(tmp_path / "machine")


@pytest.fixture
def device(tmp_path: Path, here: Path) -> DeviceState:
    legacy = told("legacy", fleet_key=FLEET_KEY, digest_secret="digests")
    return enrol(tmp_path / "state", legacy, lambda: read_facts(here))


def test_it_opens_by_its_hardware_its_id_and_the_fleet_key(device: DeviceState, here: Path) -> None:
    state = DeviceState.load(device.folder)
    keys = opening_keys(state, unlocked(state, here), here)
    assert isinstance(keys, LegacyKey)
    assert keys.fleet_keys() == (FLEET_KEY,)
    digest, device_id = read_facts(here).digest(), bytes.fromhex(state.record.device_id)
    assert keys.opened_small(seal_small_for_legacy(b"small", digest, device_id)) == b"small"


def test_the_document_names_the_secret_and_no_digest(device: DeviceState, here: Path) -> None:
    document = device_document(device.record)
    assert document["spec"]["level"] == "legacy"
    assert document["spec"]["hardwareDigestSecretRef"] == {"name": "digests"}
    spec = DeviceSpec.from_wire(document["spec"])
    assert spec.to_wire() == document["spec"] | {"suspend": False}
    assert read_facts(here).digest().hex() not in str(document)


def test_neither_digest_nor_fleet_key_lies_in_clear(device: DeviceState, here: Path) -> None:
    disk = b"".join(path.read_bytes() for path in device.folder.rglob("*") if path.is_file())
    for secret in (FLEET_KEY, read_facts(here).digest()):
        assert secret not in disk
        assert secret.hex().encode() not in disk
    assert FLEET_KEY.hex() not in repr(told("legacy", fleet_key=FLEET_KEY, digest_secret="d"))


def test_a_copied_folder_gives_no_fleet_key_on_other_hardware(
    tmp_path: Path, device: DeviceState
) -> None:
    copy = DeviceState.load(shutil.copytree(device.folder, tmp_path / "copy"))
    with pytest.raises(IntegrityError, match="sealed on another device, or its bytes changed"):
        unlocked(copy, machine(tmp_path / "elsewhere", serial="ANOTHER"))


def test_a_changed_or_lost_fleet_key_is_named(device: DeviceState, here: Path) -> None:
    secrets, path = unlocked(device, here), device.folder / FLEET_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError, match=FLEET_FILE):
        opening_keys(device, secrets, here)
    path.unlink()
    with pytest.raises(MissingError, match=FLEET_FILE):
        opening_keys(device, secrets, here)


def test_it_cannot_be_bound_anew_nor_another_become_one(
    tmp_path: Path, device: DeviceState, here: Path
) -> None:
    def facts() -> HardwareFacts:
        return read_facts(here)

    other = enrol(tmp_path / "other", told(), facts)
    changed = facts()
    for refused in (
        lambda: rebind(device, facts),
        lambda: rebind(device, facts, level="fingerprint"),
        lambda: rebind(device, facts, expected=changed),
        lambda: rebind(other, facts, level="legacy"),
    ):
        with pytest.raises(InvalidError, match=r"^level legacy cannot be bound anew: make another"):
            refused()


@pytest.mark.parametrize(
    ("level", "fleet_key", "digest_secret", "said"),
    [
        ("legacy", None, "digests", "--fleet-key-file: must be given with --level legacy"),
        ("legacy", FLEET_KEY, None, "--digest-secret: must be given with --level legacy"),
        ("fingerprint", FLEET_KEY, None, "--fleet-key-file: must be given with --level legacy"),
        ("tpm2", None, "digests", "--digest-secret: must be given with --level legacy"),
    ],
)
def test_what_belongs_to_it_is_given_with_it_only(
    level: str, fleet_key: bytes | None, digest_secret: str | None, said: str
) -> None:
    with pytest.raises(InvalidError, match=f"^{said}"):
        told(level, fleet_key=fleet_key, digest_secret=digest_secret)  # type: ignore[arg-type]


def test_without_a_fact_there_is_no_such_device(tmp_path: Path) -> None:
    legacy = told("legacy", fleet_key=FLEET_KEY, digest_secret="digests")
    with pytest.raises(MissingError, match="hardware fact cpu"):
        enrol(tmp_path / "state", legacy, lambda: read_facts(tmp_path))
    assert not (tmp_path / "state").exists()
