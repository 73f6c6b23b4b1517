"""The state folder, the levels that need no TPM, and what an attacker makes of a copy of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from sealyard.api.device import DeviceSpec
from sealyard.device.enrolment import device_document, enrol, rebind
from sealyard.device.hardware import commitment, read_facts
from sealyard.device.local_file import open_local_file, seal_local_file
from sealyard.device.machine import unlocked
from sealyard.device.state import DeviceState, Keystore, raw_key
from sealyard.errors import IntegrityError, InvalidError, MissingError
from support.enrolments import CDN_PAIR, told
from support.machines import SERIAL, files, machine


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return machine(tmp_path / "machine")


@pytest.fixture
def device(tmp_path: Path, here: Path) -> DeviceState:
    return enrol(tmp_path / "state", told(), lambda: read_facts(here))


def elsewhere(tmp_path: Path, serial: str = "ANOTHER") -> Path:
    return machine(tmp_path / "elsewhere", serial=serial)


def test_a_device_opens_on_its_machine(device: DeviceState, here: Path) -> None:
    state = DeviceState.load(device.folder)
    secrets = unlocked(state, here)
    assert secrets.opening_key.recipient.hex() == state.record.device_id
    assert state.cdn_pair(secrets) == CDN_PAIR
    digest = read_facts(here).digest()
    assert state.record.fingerprint_commitment == commitment(secrets.salt, digest).hex()
    assert (device.folder / "trust/root.json").read_bytes() == b"{}"


def test_the_folder_is_its_owners_alone(device: DeviceState) -> None:
    assert stat.S_IMODE(device.folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in device.folder.rglob("*")}
    assert modes == {0o600, 0o700}


def test_nothing_secret_lies_in_clear(device: DeviceState, here: Path) -> None:
    secrets = unlocked(device, here)
    disk = b"".join(path.read_bytes() for path in device.folder.rglob("*") if path.is_file())
    document = json.loads(secrets.encode())
    for text in (*document.values(), CDN_PAIR.secret, SERIAL):
        assert text.encode() not in disk
    for raw in map(raw_key, document.values()):
        assert raw not in disk
        assert raw.hex().encode() not in disk
        assert raw.hex() not in repr(secrets)


def test_the_document_is_what_is_applied(device: DeviceState) -> None:
    document = device_document(device.record)
    assert document["kind"] == "Device"
    assert document["metadata"] == {"name": "press-7"}
    assert list(document["spec"]) == [
        *("deviceId", "encryptionKey", "signingKey", "level", "fingerprintCommitment"),
        *("models", "channels", "targetRef"),
    ]
    spec = DeviceSpec.from_wire(document["spec"])
    assert spec.to_wire() == document["spec"] | {"suspend": False}  # none of it is unknown there


def test_a_copied_folder_opens_nothing_on_other_hardware(
    tmp_path: Path, device: DeviceState, here: Path
) -> None:
    copy = shutil.copytree(device.folder, tmp_path / "copy")
    resource = tmp_path / "plain"
    resource.write_bytes(b"a calibration")
    sealed = tmp_path / "sealed"
    seal_local_file(unlocked(device, here).files, resource, sealed)
    with pytest.raises(IntegrityError, match="sealed on another device, or its bytes changed"):
        unlocked(DeviceState.load(copy), elsewhere(tmp_path))
    # The copy is whole: with the facts forged it opens, which docs/threat-model.md says.
    assert unlocked(DeviceState.load(copy), here).salt


def test_each_device_has_keys_of_its_own(tmp_path: Path, device: DeviceState, here: Path) -> None:
    other = enrol(tmp_path / "other", told(), lambda: read_facts(here))
    assert other.record.device_id != device.record.device_id
    shutil.copy(device.folder / "keys.sealed", other.folder)
    with pytest.raises(IntegrityError, match=r"keys\.sealed: does not open here"):
        unlocked(other, here)
    # Even with the local random: the record says who the device is.
    shutil.copy(device.folder / "local.random", other.folder)
    with pytest.raises(IntegrityError, match="are of two devices"):
        unlocked(other, here)


@pytest.mark.parametrize("name", ["keys.sealed", "local.random", "cdn.sealed"])
def test_a_tampered_file_is_refused(device: DeviceState, here: Path, name: str) -> None:
    path = device.folder / name
    changed = bytearray(path.read_bytes())
    changed[20] ^= 1
    path.write_bytes(changed)
    with pytest.raises(IntegrityError, match="does not open here"):
        device.cdn_pair(unlocked(device, here))


@pytest.mark.parametrize("name", ["keys.sealed", "local.random", "device.json"])
def test_a_missing_file_is_named(device: DeviceState, here: Path, name: str) -> None:
    (device.folder / name).unlink()
    with pytest.raises(MissingError, match=name):
        unlocked(DeviceState.load(device.folder), here)


def test_sealed_files_do_not_take_each_others_place(device: DeviceState, here: Path) -> None:
    secrets = unlocked(device, here)
    with pytest.raises(IntegrityError, match="does not open"):
        open_local_file(secrets.files, device.folder / "cdn.sealed", device.folder / "plain")
    assert not (device.folder / "plain").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"deviceId": "0" * 32}, "deviceId is not that of its keys"),
        ({"apiUrl": "http://api"}, "apiUrl"),
        ({"level": "none"}, "level"),
    ],
)
def test_a_changed_record_is_refused(
    device: DeviceState, change: dict[str, str], said: str
) -> None:
    path = device.folder / "device.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IntegrityError, match=said):
        DeviceState.load(device.folder)


def test_a_device_is_not_made_over_another(device: DeviceState, here: Path) -> None:
    with pytest.raises(InvalidError, match="has a device already"):
        enrol(device.folder, told(), lambda: read_facts(here))


def test_a_folder_that_others_use_is_refused_and_stays_as_it_is(tmp_path: Path, here: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "theirs").touch()
    with pytest.raises(InvalidError, match=r"--state: .*shared is open to others \(mode 0755\)"):
        enrol(folder, told(), lambda: read_facts(here))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [path.name for path in folder.iterdir()] == ["theirs"]


@pytest.mark.parametrize(("mode", "holds"), [(0o755, False), (0o700, True)])
def test_a_folder_that_nobody_else_uses_is_taken(
    tmp_path: Path, here: Path, mode: int, holds: bool
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    if holds:
        (folder / "mounted.key").touch()
    enrol(folder, told(), lambda: read_facts(here))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_it_is_told_is_checked_and_not_repeated(tmp_path: Path, here: Path) -> None:
    with pytest.raises(InvalidError, match=r"^device: apiUrl: ") as caught:
        enrol(tmp_path / "s", told(url="https://me:secret@api"), lambda: read_facts(here))
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_a_missing_fact_is_missing_for_fingerprint_only(tmp_path: Path, here: Path) -> None:
    files(here, {"proc/cpuinfo": None})
    with pytest.raises(MissingError, match="fact cpu"):
        enrol(tmp_path / "one", told(), lambda: read_facts(here))
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    other = told("keystore", Keystore(file=str(key)))
    made = enrol(tmp_path / "other", other, lambda: read_facts(here))
    assert made.record.fingerprint_commitment is None


class TestKeystore:
    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        path = tmp_path / "mounted"
        path.write_text(os.urandom(32).hex() + "\n")
        return path

    @pytest.fixture
    def device(self, tmp_path: Path, here: Path, key: Path) -> DeviceState:
        keystore = told("keystore", Keystore(file=str(key)))
        return enrol(tmp_path / "state", keystore, lambda: read_facts(here))

    def test_it_opens_wherever_the_key_is(self, tmp_path: Path, device: DeviceState) -> None:
        assert unlocked(device, elsewhere(tmp_path)).salt

    @pytest.mark.parametrize(
        ("content", "error", "said"),
        [
            (None, MissingError, "mounted: cannot be read"),
            (b"short", InvalidError, "must hold 32 bytes"),
            (bytes(32), IntegrityError, "does not open here"),
        ],
    )
    def test_another_key_opens_nothing(
        self,
        device: DeviceState,
        key: Path,
        content: bytes | None,
        error: type[Exception],
        said: str,
    ) -> None:
        files(key.parent, {key.name: content})
        with pytest.raises(error, match=said):
            unlocked(device)


class InMemory(KeyringBackend):
    """A keyring for this process."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class TestSystemKeyring:
    @pytest.fixture
    def system(self) -> Iterator[InMemory]:
        before, backend = keyring.get_keyring(), InMemory()
        keyring.set_keyring(backend)
        yield backend
        keyring.set_keyring(before)

    def test_the_key_is_an_entry_of_the_devices_name(
        self, tmp_path: Path, here: Path, system: InMemory
    ) -> None:
        device = enrol(tmp_path / "state", told("keystore"), lambda: read_facts(here))
        assert list(system.kept) == [("sealyard", device.record.device_id)]
        assert unlocked(device).salt
        system.kept.clear()
        with pytest.raises(MissingError, match="has no entry"):
            unlocked(device)

    def test_no_keyring_is_said_without_what_was_given(self, tmp_path: Path, here: Path) -> None:
        before = keyring.get_keyring()
        keyring.set_keyring(NoKeyring())
        try:
            with pytest.raises(MissingError, match=r"cannot be reached \(NoKeyringError\)"):
                enrol(tmp_path / "state", told("keystore"), lambda: read_facts(here))
        finally:
            keyring.set_keyring(before)


class TestRebind:
    def test_expected_hardware(self, tmp_path: Path, device: DeviceState, here: Path) -> None:
        new = elsewhere(tmp_path)
        changed = rebind(device, lambda: read_facts(here), expected=read_facts(new))
        secrets = unlocked(changed, here)
        assert changed.record.fingerprint_commitment == (
            commitment(secrets.salt, read_facts(new).digest()).hex()
        )
        assert unlocked(DeviceState.load(device.folder), new).encode() == secrets.encode()
        # The hardware was changed: from now on only the new one.
        rebind(DeviceState.load(device.folder), lambda: read_facts(new))
        assert unlocked(DeviceState.load(device.folder), new).encode() == secrets.encode()
        with pytest.raises(IntegrityError, match="does not open here"):
            unlocked(DeviceState.load(device.folder), here)

    @pytest.mark.parametrize("change", ["hardware", "level"])
    def test_what_opens_after_a_change_is_not_written_over(
        self, tmp_path: Path, device: DeviceState, here: Path, change: str
    ) -> None:
        new = elsewhere(tmp_path)
        secrets = unlocked(device, here)
        rebind(device, lambda: read_facts(here), expected=read_facts(new))
        # The hardware was changed, and before it is bound to alone, something else is to change.
        state = DeviceState.load(device.folder)
        if change == "hardware":
            third = machine(tmp_path / "third", serial="A-THIRD")
            rebind(state, lambda: read_facts(new), expected=read_facts(third))
            assert unlocked(DeviceState.load(device.folder), third).encode() == secrets.encode()
        else:
            # Killed before the record names the level.
            key = tmp_path / "key"
            key.write_bytes(os.urandom(32))
            changed = state.changed(level="keystore", keystore=Keystore(file=str(key)))
            held = state.settle(state.level(lambda: read_facts(new).digest()))
            changed.seal(held, changed.level(bytes), name="next.sealed")
        assert unlocked(DeviceState.load(device.folder), new).encode() == secrets.encode()

    def test_too_late(self, tmp_path: Path, device: DeviceState) -> None:
        new = elsewhere(tmp_path)
        with pytest.raises(IntegrityError, match="does not open here"):
            rebind(device, lambda: read_facts(new))

    def test_another_level(self, tmp_path: Path, device: DeviceState, here: Path) -> None:
        key = tmp_path / "key"
        key.write_bytes(os.urandom(32))
        before = unlocked(device, here)
        changed = rebind(
            device,
            lambda: read_facts(here),
            level="keystore",
            keystore=Keystore(file=str(key)),
        )
        assert changed.record.level == "keystore"
        assert changed.record.device_id == device.record.device_id
        state = DeviceState.load(device.folder)
        assert unlocked(state, elsewhere(tmp_path)).encode() == before.encode()
        with pytest.raises(InvalidError, match="--facts: only level fingerprint"):
            rebind(state, lambda: read_facts(here), expected=read_facts(here))

    def test_killed_before_the_record_names_the_level(
        self, tmp_path: Path, device: DeviceState, here: Path
    ) -> None:
        key = tmp_path / "key"
        key.write_bytes(os.urandom(32))
        keystore = Keystore(file=str(key))
        changed = device.changed(level="keystore", keystore=keystore)
        secrets = unlocked(device, here)
        changed.seal(secrets, changed.level(bytes), name="next.sealed")
        assert unlocked(DeviceState.load(device.folder), here).encode() == secrets.encode()
        changed.keep()
        assert unlocked(DeviceState.load(device.folder)).encode() == secrets.encode()


def test_a_resource_opens_here_and_nowhere_else(
    tmp_path: Path, device: DeviceState, here: Path
) -> None:
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    plain.write_bytes(os.urandom(2_500_000))
    keys = unlocked(device, here).files
    seal_local_file(keys, plain, sealed)
    open_local_file(keys, sealed, opened)
    assert opened.read_bytes() == plain.read_bytes()
    assert stat.S_IMODE(opened.stat().st_mode) == 0o600
    opened.unlink()
    changed = bytearray(sealed.read_bytes())
    changed[1_500_000] ^= 1
    sealed.write_bytes(changed)
    with pytest.raises(IntegrityError, match=f"{sealed}: does not open here"):
        open_local_file(keys, sealed, opened)
    assert not opened.exists()
