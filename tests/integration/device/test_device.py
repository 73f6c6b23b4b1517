"""A device against the real stores: what it opens, and what it is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard import device
from sealyard.api.device_api import Health, SeenReport
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.index.errors import NotListedError, TrustError
from sealyard.delivery.refusals import NotPublishedError
from sealyard.device.pulling import Wanted, open_device
from sealyard.device.state import DeviceState
from sealyard.device.updater.decide import Memory
from sealyard.device.updater.follow import Updater
from sealyard.device.updater.hook import Hook
from sealyard.errors import IntegrityError, InvalidError, MissingError, RefusedError
from support.fleet import VARIANT, Fleet, fleet
from support.index import Trust
from support.programs import SEALYARD
from support.stores import Stores, until

EXAMPLE = Path(__file__).parents[3] / "examples/device/infer.py"

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def coins(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(stores, tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture
def both(coins: Fleet, tmp_path: Path) -> DeviceState:
    """A device that was granted both versions; the channel names the first."""
    coins.index(coins.listed("1.0.0"), coins.listed("2.0.0"), coins.channel("1.0.0"))
    return coins.device(tmp_path / "device", "1.0.0", "2.0.0")


def test_what_the_channel_names_opens_in_memory_and_on_no_disk(
    coins: Fleet, both: DeviceState
) -> None:
    held = device.pull(coins.model, state=both.folder)
    assert held.entry.context.version == "1.0.0"
    content = coins.contents["1.0.0"]
    with held.memory() as memory, held.reader() as reader:
        assert memory.read() == content
        assert reader.read_at(1_200_000, 100) == content[1_200_000:1_200_100]
    disk = [path.read_bytes() for path in both.folder.rglob("*") if path.is_file()]
    assert not any(content[5000:5100] in each for each in disk)


def test_an_exact_version_in_a_file_comes_with_a_warning(
    coins: Fleet, both: DeviceState, tmp_path: Path
) -> None:
    output = tmp_path / "model.onnx"
    done = subprocess.run(
        [
            *(SEALYARD, "device", "pull", coins.model, "2.0.0", "--state", str(both.folder)),
            *("--output", str(output), "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert output.read_bytes() == coins.contents["2.0.0"]
    assert json.loads(done.stdout)["trust"] == "signed"
    assert "is a plaintext" in done.stderr
    coins.stores.assert_no_secret_in(done.stdout + done.stderr)


def test_what_was_not_granted_is_refused(coins: Fleet, tmp_path: Path) -> None:
    alone = coins.device(tmp_path / "device", "1.0.0")
    with pytest.raises(NotPublishedError, match="has not been granted it"):
        device.pull(coins.model, version="2.0.0", state=alone.folder)


def test_another_devices_slot_opens_nothing(
    coins: Fleet, both: DeviceState, tmp_path: Path
) -> None:
    other = coins.device(tmp_path / "other", "1.0.0")
    stolen = device.pull(coins.model, state=both.folder)
    own = device.pull(coins.model, state=other.folder)
    shutil.copy(stolen.folder / f"{VARIANT}.small", own.folder)
    with pytest.raises(MissingError, match=f"no slot for device {other.record.device_id}"):
        own.memory()


def test_another_releases_core_is_refused(coins: Fleet, both: DeviceState) -> None:
    first = device.pull(coins.model, version="1.0.0", state=both.folder)
    second = device.pull(coins.model, version="2.0.0", state=both.folder)
    shutil.copy(first.folder / f"{VARIANT}.small", second.folder)
    with pytest.raises(IntegrityError, match="small part"):
        second.memory()


def test_a_changed_big_part_is_refused_before_it_is_opened(coins: Fleet, both: DeviceState) -> None:
    held = device.pull(coins.model, state=both.folder)
    path = held.folder / f"{VARIANT}.big"
    changed = bytearray(path.read_bytes())
    changed[1_100_000] ^= 1
    path.write_bytes(changed)
    with pytest.raises(IntegrityError):
        held.memory()


@pytest.mark.parametrize("part", ["small", "big"])
def test_what_is_held_and_damaged_is_fetched_anew(
    coins: Fleet, both: DeviceState, part: str
) -> None:
    held = device.pull(coins.model, state=both.folder)
    path = held.folder / f"{VARIANT}.{part}"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))
    with device.pull(coins.model, state=both.folder).memory() as memory:
        assert memory.read() == coins.contents["1.0.0"]
    assert path.read_bytes() == whole


def test_a_device_that_is_not_authorised_or_suspended_is_not_let_in(
    coins: Fleet, both: DeviceState, tmp_path: Path
) -> None:
    unknown = coins.enrolled(tmp_path / "unknown")
    with pytest.raises(RefusedError, match="is its Device applied, and neither suspended"):
        device.pull(coins.model, state=unknown.folder)
    device.pull(coins.model, state=both.folder)
    coins.authorise(both, suspended=True)
    with pytest.raises(RefusedError, match="refused the login in device"):
        device.pull(coins.model, state=both.folder)


def test_without_a_network_what_is_held_opens_and_nothing_else(
    coins: Fleet, both: DeviceState
) -> None:
    device.pull(coins.model, state=both.folder)
    both.changed(api_url="https://127.0.0.1:1").keep()
    with device.pull(coins.model, state=both.folder).memory() as memory:
        assert memory.read() == coins.contents["1.0.0"]
    with pytest.raises(Exception, match="cannot be reached"):
        device.pull(coins.model, version="2.0.0", state=both.folder)


def test_a_device_of_another_root_believes_nothing(coins: Fleet, both: DeviceState) -> None:
    both.write("trust/root.json", Trust().first)
    with pytest.raises(TrustError):
        device.pull(coins.model, state=both.folder)


def test_no_variant_is_fit(coins: Fleet, both: DeviceState) -> None:
    with pytest.raises(InvalidError, match=rf"has no variant 'engine'.*it has {VARIANT}"):
        device.pull(coins.model, variant="engine", state=both.folder)


class TestUpdater:
    def look(self, coins: Fleet, state: DeviceState, *command: str) -> Memory:
        updater = Updater(
            state=state.folder,
            wanted=Wanted(model=coins.model, channel="stable"),
            hook=Hook(command, 30),
            interval_seconds=60,
        )
        with open_device(state.folder) as stores:
            return updater.look(stores)

    def runs(self, memory: Memory) -> str | None:
        return None if memory.current is None else memory.current.version

    def test_it_follows_rolls_back_and_withdraws(self, coins: Fleet, both: DeviceState) -> None:
        model = both.folder / "models" / coins.model
        asked = both.folder / "asked"
        told = f'echo "$SEALYARD_EVENT $SEALYARD_VERSION" >> {asked}'
        script = f'{told}; test "$SEALYARD_VERSION" != 2.0.0'
        hook = ("sh", "-c", script)

        assert self.runs(self.look(coins, both, *hook)) == "1.0.0"
        assert (model / "current/manifest.json").is_file()
        with device.current(coins.model, state=both.folder).memory() as memory:
            assert memory.read() == coins.contents["1.0.0"]

        coins.index(coins.channel("2.0.0"))
        after = self.look(coins, both, *hook)
        assert (self.runs(after), len(after.bad)) == ("1.0.0", 1)
        assert self.look(coins, both, *hook) == after, "a bad version is not tried again"
        assert asked.read_text().splitlines() == [
            *("switched 1.0.0", "switched 2.0.0", "rolled-back 1.0.0"),
        ]
        assert self.reported(coins, both) == [("1.0.0", Health.ROLLED_BACK)]

        coins.index(coins.withdrawn("1.0.0"))
        assert self.runs(self.look(coins, both, *hook)) is None
        assert not (model / "current").exists()
        assert list((model / "releases").iterdir()) == []
        assert self.reported(coins, both) == [(None, Health.STOPPED)]
        with pytest.raises(MissingError, match="no release runs"):
            device.current(coins.model, state=both.folder)

    def test_a_revoked_release_does_not_wait_for_its_successor(
        self, coins: Fleet, tmp_path: Path
    ) -> None:
        coins.index(coins.listed("1.0.0"), coins.listed("2.0.0"), coins.channel("1.0.0"))
        alone = coins.device(tmp_path / "device", "1.0.0")
        asked = tmp_path / "asked"
        hook = ("sh", "-c", f'echo "$SEALYARD_EVENT $SEALYARD_VERSION" >> {asked}')
        assert self.runs(self.look(coins, alone, *hook)) == "1.0.0"
        coins.index(coins.withdrawn("1.0.0"), coins.channel("2.0.0"))
        for _ in range(2):
            with pytest.raises(NotPublishedError, match="has not been granted it"):
                self.look(coins, alone, *hook)
        model = alone.folder / "models" / coins.model
        assert not (model / "current").exists()
        assert asked.read_text().splitlines() == ["switched 1.0.0", "withdrawn "]
        assert self.reported(coins, alone) == [(None, Health.STOPPED)]
        assert "has not been granted it" in self.reason(coins, alone)
        coins.grant(alone, "2.0.0")
        assert self.runs(self.look(coins, alone, *hook)) == "2.0.0"

    def test_what_the_hook_did_not_hear_it_is_told_again(
        self, coins: Fleet, both: DeviceState
    ) -> None:
        asked = both.folder / "asked"
        told = f'echo "$SEALYARD_EVENT" >> {asked}'
        assert self.runs(self.look(coins, both, "true")) == "1.0.0"
        coins.index(coins.withdrawn("1.0.0"))
        self.look(coins, both, "sh", "-c", f"{told}; false")
        self.look(coins, both, "sh", "-c", told)
        self.look(coins, both, "sh", "-c", told)
        # Twice: the second was heard. The channel's release is listed no more, so nothing follows.
        assert asked.read_text().split() == ["withdrawn", "withdrawn"]

    def test_the_example_feeds_onnxruntime(self, coins: Fleet, both: DeviceState) -> None:
        self.look(coins, both)
        done = subprocess.run(
            [sys.executable, EXAMPLE, coins.model, "--state", str(both.folder)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout == "y: (375000,)\n", done.stderr

    def test_a_revoked_release_is_refused_though_it_is_held(
        self, coins: Fleet, both: DeviceState
    ) -> None:
        assert self.runs(self.look(coins, both)) == "1.0.0"
        held = device.pull(coins.model, version="2.0.0", state=both.folder)
        coins.index(coins.withdrawn("2.0.0"))
        with pytest.raises(NotListedError):
            device.pull(coins.model, version="2.0.0", state=both.folder)
        assert held.folder.is_dir()

    def test_killed_between_the_switch_and_the_hook(self, coins: Fleet, both: DeviceState) -> None:
        memory = self.look(coins, both)
        places = both.folder / "models" / coins.model
        unproven = memory.model_copy(update={"proven": False})
        (places / "updater.json").write_text(unproven.model_dump_json(by_alias=True))
        (places / "current").unlink()
        after = self.look(coins, both, "true")
        assert after.proven
        assert (places / "current/manifest.json").is_file()

    def test_the_service_says_what_runs_and_ends_by_sigterm(
        self, coins: Fleet, both: DeviceState
    ) -> None:
        process = subprocess.Popen(
            [
                *(SEALYARD, "device", "run", coins.model, "--channel", "stable"),
                *("--state", str(both.folder), "--health-command", "true"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(lambda: bool(self.reported(coins, both)), "a report", seconds=120)
            process.terminate()
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 128 + signal.SIGTERM
        assert f"sealyard: {coins.model}: switched to 1.0.0\n" in said
        coins.stores.assert_no_secret_in(said)
        listed = subprocess.run(
            [
                *(SEALYARD, "devices", "--api", coins.stores.api.url),
                *("--api-ca", str(coins.stores.api.ca_path), "--secrets-dir", str(coins.login)),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        (row,) = (line for line in listed.stdout.splitlines() if both.record.device_id in line)
        assert row.split()[1:6] == ["-", coins.model, "1.0.0", "stable", "Healthy"]

    def reported(self, coins: Fleet, device: DeviceState) -> list[tuple[str | None, Health]]:
        return [(report.version, report.health) for report in self.reports(coins, device)]

    def reason(self, coins: Fleet, device: DeviceState) -> str:
        """Why it could not do what its channel says."""
        (report,) = self.reports(coins, device)
        assert report.message is not None
        return report.message

    def reports(self, coins: Fleet, device: DeviceState) -> list[SeenReport]:
        (seen,) = (
            seen
            for seen in DeviceRegistry(coins.verifier.session).devices()
            if seen.device_id == device.record.device_id
        )
        return seen.reports
