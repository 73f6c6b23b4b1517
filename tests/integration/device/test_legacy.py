"""Legacy devices against the real stores: granted by the real Job, and what each of them opens."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import rfc8785

from sealyard.api.grants import AuthorisedDevice, GrantedRelease, GrantInput
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.api.tasks import GrantTask, Owner
from sealyard.delivery.refusals import NotPublishedError
from sealyard.device.enrolment import enrol
from sealyard.device.hardware import read_facts
from sealyard.device.held import HeldRelease
from sealyard.device.machine import opening_keys, unlocked
from sealyard.device.pulling import Wanted, bring, open_device, trusted_manifest
from sealyard.device.state import DeviceState
from sealyard.device.updater.follow import Updater
from sealyard.device.updater.hook import Hook
from sealyard.errors import IntegrityError
from sealyard.sealing.slots import NOT_OPENED
from support.fleet import VARIANT, Fleet, fleet
from support.machines import machine
from support.programs import Ended
from support.stores import Stores, running_stores

pytestmark = pytest.mark.stores

VERSION = "1.0.0"


@dataclass
class Press:
    """A machine, its device, and the Secret that is to have the digest of its hardware."""

    root: Path
    state: DeviceState
    secret: str

    @property
    def digest(self) -> str:
        return read_facts(self.root).digest().hex()

    @property
    def device_id(self) -> str:
        return self.state.record.device_id

    def pull(self, model: str) -> HeldRelease:
        """As `sealyard.device.pull`, on a machine that is not this one."""
        wanted = Wanted(model=model, channel="stable")
        with open_device(self.state.folder, self.root) as stores:
            index = stores.current_index()
            return bring(stores, wanted, trusted_manifest(stores, wanted, index), index)

    @property
    def authorised(self) -> AuthorisedDevice:
        record = self.state.record
        return AuthorisedDevice(
            device_id=record.device_id,
            encryption_key=record.encryption_key,
            signing_key=record.signing_key,
            level=record.level,
            hardware_digest_secret=record.hardware_digest_secret,
            models=record.models,
            releases=[0],
        )


@dataclass
class Line:
    """A fleet of a v1 release: two devices that open it, and three that do not."""

    fleet: Fleet
    good: Press
    other: Press
    mistaken: Press
    forgotten: Press
    alone: Press
    job: Ended

    @property
    def plain(self) -> bytes:
        return self.fleet.contents[VERSION]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Of its own: a release API has one index, and this one's keys are others."""
    with running_stores(tmp_path_factory.mktemp("stores")) as both:
        yield both
        both.assert_no_secret_in(both.api.log_text())


@pytest.fixture(scope="module")
def line(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("legacy")
    names = {"good": "a", "other": "a", "mistaken": "a", "forgotten": "a", "alone": "gone"}
    with fleet(stores, folder, versions=[VERSION], sealing="aes-256-cbc-v1") as made:
        presses = {name: enrolled(made, folder / name, secret) for name, secret in names.items()}
        entries = {presses[name].device_id: presses[name].digest for name in ("good", "other")}
        entries[presses["mistaken"].device_id] = presses["good"].digest
        job = grant(made, folder / "job", list(presses.values()), {"a": entries})
        yield Line(made, **presses, job=job)


def enrolled(made: Fleet, folder: Path, secret: str) -> Press:
    root = machine(folder / "machine", serial=f"SERIAL-{folder.name}")
    fleet_key = made.stores.keyring.active_v1.material
    told = made.told("legacy", fleet_key=fleet_key, digest_secret=secret)
    return Press(root, enrol(folder / "state", told, lambda: read_facts(root)), secret)


def grant(
    made: Fleet, folder: Path, presses: list[Press], digests: dict[str, dict[str, str]]
) -> Ended:
    """Run the grant Job, with Secrets mounted as the operator mounts them."""
    job = made.stores.release(folder)
    for name, entries in digests.items():
        (key,) = SECRET_USES[Purpose.HARDWARE_DIGESTS].keys
        mount = job.secrets / Purpose.HARDWARE_DIGESTS / name
        mount.mkdir(parents=True)
        (mount / key).write_text(json.dumps(entries))
    listed = made.listed(VERSION)
    release = GrantedRelease(
        model=made.model, version=VERSION, manifest_sha256=listed.manifest_sha256
    )
    devices = sorted((press.authorised for press in presses), key=lambda one: one.device_id)
    raw = rfc8785.dumps(GrantInput(releases=[release], devices=devices).to_wire())
    (folder / "input").mkdir()
    (folder / "input/0000").write_bytes(raw)
    task = GrantTask(
        owner=Owner(namespace="coins", name="stores", uid="uid"),
        attempt=1,
        input_sha256=hashlib.sha256(raw).hexdigest(),
        verifier=made.stores.remote_api("release-api-verifier"),
        publisher=made.stores.remote_api("release-api-publisher"),
        keyring_secret_name="keyring",
    )
    return job.start(task, "--input", str(folder / "input")).wait()


def test_from_its_hardware_to_bytes_that_are_equal(line: Line) -> None:
    for press in (line.good, line.other):
        held = press.pull(line.fleet.model)
        with held.memory() as memory, held.reader() as reader:
            assert memory.read() == line.plain
            assert reader.read_at(1_200_000, 100) == line.plain[1_200_000:1_200_100]


def test_the_updater_follows_the_channel(line: Line) -> None:
    updater = Updater(
        state=line.good.state.folder,
        wanted=Wanted(model=line.fleet.model, channel="stable"),
        hook=Hook((), 30),
        interval_seconds=60,
    )
    with open_device(line.good.state.folder, line.good.root) as stores:
        current = updater.look(stores).current
    assert current is not None
    assert current.version == VERSION


def test_the_job_names_whom_it_has_no_digest_of(line: Line) -> None:
    assert {name: line.job.result[name] for name in ("granted", "failed")} == {
        "granted": 3,
        "failed": 2,
    }
    key, shown = "key hardware-digests.json", line.job.result["failures"]
    for press, said in (
        (line.forgotten, f"Secret a, {key}: has no entry {line.forgotten.device_id}; add what"),
        (line.alone, "Secret gone has no key hardware-digests.json; add it"),
    ):
        assert f"device {press.device_id}: {said}" in " ".join(shown)
        with pytest.raises(NotPublishedError, match="has not been granted it"):
            press.pull(line.fleet.model)


def test_no_digest_is_shown(line: Line, stores: Stores) -> None:
    assert line.job.answer is not None
    shown = line.job.output + line.job.answer.model_dump_json() + stores.api.log_text()
    for press in (line.good, line.other, line.forgotten):
        assert press.digest not in shown
        assert press.digest.upper() not in shown


def test_what_was_made_for_other_hardware_opens_nothing(line: Line) -> None:
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        line.mistaken.pull(line.fleet.model)


def test_what_was_made_for_another_device_opens_nothing(line: Line, tmp_path: Path) -> None:
    stolen = line.other.pull(line.fleet.model).folder / f"{VARIANT}.small"
    held = copied(line.good, line.fleet.model, tmp_path)
    shutil.copy(stolen, held.folder)
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        held.memory()


@pytest.mark.parametrize("at", [0, 16, -1])
def test_a_changed_small_part_opens_nothing_until_it_is_fetched_anew(
    line: Line, tmp_path: Path, at: int
) -> None:
    held = copied(line.good, line.fleet.model, tmp_path)
    small = held.folder / f"{VARIANT}.small"
    changed = bytearray(small.read_bytes())
    changed[at] ^= 1
    small.write_bytes(changed)
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        held.memory()
    state = DeviceState.load(tmp_path / "copy")
    again = Press(line.good.root, state, line.good.secret).pull(line.fleet.model)
    with again.memory() as memory:
        assert memory.read() == line.plain


def test_the_small_part_lies_sealed_and_without_it_nothing_opens(line: Line) -> None:
    held = line.good.pull(line.fleet.model)
    small = (held.folder / f"{VARIANT}.small").read_bytes()
    assert hashlib.sha256(small).hexdigest() != held.entry.variant.small.sha256
    assert len(small) > held.entry.variant.small.size_bytes


def copied(press: Press, model: str, folder: Path) -> HeldRelease:
    """A copy of a device's folder on the same machine, and what it holds."""
    held = press.pull(model)
    copy = shutil.copytree(press.state.folder, folder / "copy")
    state = DeviceState.load(copy)
    return HeldRelease(
        folder=copy / held.folder.relative_to(press.state.folder),
        entry=held.entry,
        manifest_sha256=held.manifest_sha256,
        keys=opening_keys(state, unlocked(state, press.root), press.root),
    )
