"""The grant Job against the real release API: each device opens what it was granted alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sealyard.api.device_api import GRANTS_PATH
from sealyard.api.grants import AuthorisedDevice, GrantedRelease, GrantInput
from sealyard.api.index import WithdrawnRelease
from sealyard.api.secrets import Purpose
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.grant import grant_devices
from sealyard.delivery.hardware_digests import HardwareDigests
from sealyard.delivery.refusals import ForbiddenError
from sealyard.errors import InvalidError, RefusedError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.header import Header
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.slots import DeviceKey, device_recipient
from sealyard_release_api.roles import Role
from support import release_api
from support.authorised import Target
from support.counting import CountingProxy
from support.devices import Device, b64, bearer, log_in_as, register
from support.programs import PROGRAM_SECONDS
from support.releases import LEGACY, SEALED, Sample
from support.sealing import KEYRING
from support.stores import until

pytestmark = pytest.mark.stores

MANY = 2500
"""Three batches."""
NO_DIGESTS = HardwareDigests({})
NARROW = "narrow@example.org"
"""A publisher whose account has not every model."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[release_api.ReleaseApi]:
    users = [
        *release_api.default_users(),
        release_api.user(NARROW, Role.PUBLISHER, models=("m-*",)),
    ]
    with release_api.release_api_server(tmp_path_factory.mktemp("api"), users=users) as server:
        yield server


@pytest.fixture
def target(api: release_api.ReleaseApi, tmp_path: Path) -> Iterator[Target]:
    target = Target(api, tmp_path / "target")
    yield target
    target.assert_no_secret_in(api.log_text())


def authorised(
    device: Device, *releases: int, models: Sequence[str], **changes: object
) -> AuthorisedDevice:
    entry = device.entry(*models)
    fields = {**entry.model_dump(), "level": "keystore", "releases": list(releases), **changes}
    return AuthorisedDevice.model_validate(fields)


def grant_input(made: Sequence[Sample], *devices: AuthorisedDevice) -> GrantInput:
    releases = [
        GrantedRelease(model=one.model, version=one.version, manifest_sha256=one.sha256)
        for one in made
    ]
    return GrantInput(releases=releases, devices=sorted(devices, key=lambda one: one.device_id))


def opens(target: Target, device: Device, made: Sample) -> bool:
    """Whether the device gets a slot from the API and the data key out of it."""
    with release_api.connect(target.api) as client:
        path = f"/releases/{made.model}/{made.version}/variants/{SEALED}/small"
        answer = client.get(path, headers=bearer(client, device))
    if answer.status_code == 404:
        assert answer.json()["error"] == "NotGranted"
        return False
    assert answer.status_code == 200, answer.text
    header = Header.parse(answer.content)
    own = DeviceKey(device.encryption, device.signing.public_key().public_bytes_raw())
    return own.data_key(header) == KEYRING.data_key(Header.parse(made.smalls[SEALED]))


def grant(target: Target, wanted: GrantInput, keyring: Keyring = KEYRING) -> dict[str, int]:
    """What the Job does, in this process."""
    with target.connected() as reader, target.connected(Purpose.API_PUBLISHER) as writer:
        result = grant_devices(
            wanted,
            "0" * 64,
            reader=reader,
            registry=DeviceRegistry(writer.session),
            keyring=keyring,
            digests=NO_DIGESTS,
        )
    counted = {"granted": result.granted, "unchanged": result.unchanged}
    seldom = {"dropped": result.dropped, "failed": result.failed}
    return {**counted, **{name: count for name, count in seldom.items() if count}}


def failures(target: Target, wanted: GrantInput, keyring: Keyring = KEYRING) -> str:
    with target.connected() as reader, target.connected(Purpose.API_PUBLISHER) as writer:
        registry = DeviceRegistry(writer.session)
        result = grant_devices(
            wanted,
            "0" * 64,
            reader=reader,
            registry=registry,
            keyring=keyring,
            digests=NO_DIGESTS,
        )
    return f"{result.failed}: {result.said}"


def test_from_a_reviewed_list_to_a_device_that_opens(target: Target) -> None:
    made, other = target.put(), target.put()
    one, both, none = Device(), Device(), Device()
    models = [made.model, other.model]
    wanted = grant_input(
        [made, other],
        authorised(one, 0, models=models),
        authorised(both, 0, 1, models=models),
        authorised(none, models=models),
    )
    job = target.grant(wanted)
    assert {name: job.result[name] for name in ("devices", "granted", "unchanged")} == {
        "devices": 3,
        "granted": 3,
        "unchanged": 0,
    }
    assert job.message == "devices: 3; slots written: 3, there already: 0, deleted: 0"
    opened = [
        [opens(target, device, release) for release in (made, other)]
        for device in (one, both, none)
    ]
    assert opened == [[True, False], [True, True], [False, False]]
    assert grant(target, wanted) == {"granted": 0, "unchanged": 3}


def test_only_what_lacks_a_slot_gets_one(target: Target) -> None:
    made = target.put()
    first, second = Device(), Device()
    assert grant(target, grant_input([made], authorised(first, 0, models=[made.model]))) == {
        "granted": 1,
        "unchanged": 0,
    }
    wanted = grant_input(
        [made], *(authorised(device, 0, models=[made.model]) for device in (first, second))
    )
    assert grant(target, wanted) == {"granted": 1, "unchanged": 1}
    assert opens(target, second, made)


def test_a_suspended_device_loses_its_slots(target: Target) -> None:
    made = target.put()
    kept, lost = Device(), Device()
    models = [made.model]
    grant(target, grant_input([made], *(authorised(one, 0, models=models) for one in (kept, lost))))
    suspended = authorised(lost, 0, models=models, suspended=True)
    wanted = grant_input([made], authorised(kept, 0, models=models), suspended)
    assert grant(target, wanted) == {"granted": 0, "unchanged": 1}
    with target.connected(Purpose.API_PUBLISHER) as writer:
        context = ReleaseContext(made.model, made.version, SEALED)
        assert list(DeviceRegistry(writer.session).granted(context)) == [kept.id]


def test_a_narrowed_device_loses_the_slots_of_what_it_may_no_longer_follow(
    target: Target,
) -> None:
    model = target.put().model
    one, two, over = (target.put(model=model, version=f"{n}.0.0") for n in (2, 3, 4))
    narrowed, free, stranger = Device(), Device(), Device()
    everything = [
        authorised(device, 0, 1, 2, models=[model]) for device in (narrowed, free, stranger)
    ]
    grant(target, grant_input([one, two, over], *everything))
    # What nobody follows any more does not stand in the input; the stranger is somebody else's.
    wanted = grant_input(
        [two],
        authorised(narrowed, 0, models=[model], restricted_models=[model]),
        authorised(free, 0, models=[model]),
    ).model_copy(update={"withdrawn_releases": [WithdrawnRelease(model=model, version="4.0.0")]})
    job = target.grant(wanted)
    assert {name: job.result[name] for name in ("granted", "unchanged", "dropped")} == {
        "granted": 0,
        "unchanged": 2,
        "dropped": 3,
    }
    opened = [
        [opens(target, device, release) for release in (one, two, over)]
        for device in (narrowed, free, stranger)
    ]
    assert opened == [[False, True, False], [True, True, False], [True, True, True]]
    assert grant(target, wanted) == {"granted": 0, "unchanged": 2}


def test_a_legacy_device_gets_v1_and_all_others_sealed_v2(target: Target) -> None:
    both, sealed = target.put(), target.put(variants=[SEALED])
    models = [both.model, sealed.model]
    legacy, other = Device(), Device()
    of_legacy = {"level": "legacy", "hardware_digest_secret": "digests"}
    wanted = grant_input(
        [both, sealed],
        authorised(legacy, 0, 1, models=models, **of_legacy),
        authorised(other, 0, 1, models=models),
    )
    digests = HardwareDigests({"digests": {legacy.id: "ab" * 32}})
    with target.connected() as reader, target.connected(Purpose.API_PUBLISHER) as writer:
        registry = DeviceRegistry(writer.session)
        for granted, unchanged in ((3, 0), (0, 3)):
            result = grant_devices(
                wanted, "0" * 64, reader=reader, registry=registry, keyring=KEYRING, digests=digests
            )
            assert (result.granted, result.unchanged) == (granted, unchanged)
            assert result.said == (
                f"{sealed.model} 1.0.0: has no variant in aes-256-cbc-v1, and 1 of its devices, of "
                "level legacy, open no other format"
            )
        holders = {
            variant: list(registry.granted(ReleaseContext(both.model, both.version, variant)))
            for variant in (SEALED, LEGACY)
        }
    assert holders == {SEALED: [other.id], LEGACY: [legacy.id]}


class TestAnAccountThatHasNotEveryModel:
    @pytest.fixture
    def target(self, target: Target) -> Target:
        target.write_secret(Purpose.API_PUBLISHER, "api-publisher-email", NARROW.encode())
        return target

    def test_a_device_of_another_model_keeps_nobody_waiting(self, target: Target) -> None:
        made = target.put()
        lost = [Device() for _ in range(3)]
        good = [Device() for _ in range(9)]
        grant(
            target, grant_input([made], *(authorised(one, 0, models=[made.model]) for one in lost))
        )
        strangers = [Device(), Device()]
        wanted = grant_input(
            [made],
            *(authorised(one, 0, models=[made.model], suspended=True) for one in lost),
            *(authorised(one, 0, models=[made.model]) for one in good),
            *(authorised(one, 0, models=[made.model, "coins"]) for one in strangers),
        )
        told = failures(target, wanted)
        assert told.startswith("2: ")
        assert all(f"device {one.id}: Forbidden" in told for one in strangers)
        with target.connected() as reader:
            context = ReleaseContext(made.model, made.version, SEALED)
            granted = DeviceRegistry(reader.session).granted(context)
            assert list(granted) == sorted(one.id for one in good)

    def test_what_it_never_registered_is_shut_out(self, target: Target) -> None:
        made = target.put()
        stranger, good = Device(), Device()
        wanted = grant_input(
            [made],
            authorised(good, 0, models=[made.model]),
            authorised(stranger, models=["coins"], suspended=True),
        )
        assert grant(target, wanted) == {"granted": 1, "unchanged": 0}
        with release_api.connect(target.api) as client:
            assert log_in_as(client, stranger).status_code == 401

    def test_what_another_registered_is_named(self, target: Target) -> None:
        made = target.put()
        stranger, good = Device(), Device()
        with release_api.connect(target.api, release_api.PUBLISHER) as client:
            register(client, stranger, "coins")
        wanted = grant_input(
            [made],
            authorised(good, 0, models=[made.model]),
            authorised(stranger, models=["coins"], suspended=True),
        )
        with pytest.raises(
            RefusedError, match=rf"1 not suspended, .*device {stranger.id}: Forbidden"
        ):
            grant(target, wanted)
        assert opens(target, good, made)

    def test_where_nobody_may_be_registered_it_is_the_login(self, target: Target) -> None:
        target.write_secret(
            Purpose.API_PUBLISHER, "api-publisher-email", release_api.VERIFIER.encode()
        )
        devices = [authorised(Device(), models=["m-1"]) for _ in range(3)]
        with pytest.raises(ForbiddenError, match=r"^device [0-9a-f]{32}: Forbidden: .*its role"):
            grant(target, grant_input([], *devices))


def test_a_bad_key_keeps_no_other_device_waiting(target: Target) -> None:
    made = target.put()
    good, bad = Device(), Device()
    forged = authorised(bad, 0, models=[made.model], encryption_key=b64(os.urandom(32)))
    wanted = grant_input([made], authorised(good, 0, models=[made.model]), forged)
    assert failures(target, wanted).startswith(f"1: device {bad.id}: its keys make the id")
    assert opens(target, good, made)


def test_a_key_that_nothing_can_be_wrapped_for(target: Target) -> None:
    made = target.put()
    good = Device()
    signing = good.signing.public_key().public_bytes_raw()
    zeros = AuthorisedDevice(
        device_id=device_recipient(bytes(32), signing).hex(),
        encryption_key=b64(bytes(32)),
        signing_key=b64(signing),
        level="keystore",
        models=[made.model],
        releases=[0],
    )
    told = failures(target, grant_input([made], authorised(good, 0, models=[made.model]), zeros))
    assert f"encryptionKey of device {zeros.device_id}: must be" in told
    assert opens(target, good, made)


def test_a_release_that_is_lost_keeps_no_other_waiting(target: Target) -> None:
    made, lost = target.put(), target.put()
    device = Device()
    wanted = grant_input([made, lost], authorised(device, 0, 1, models=[made.model, lost.model]))
    gone = wanted.releases[1].model_copy(update={"version": "9.9.9"})
    wanted = wanted.model_copy(update={"releases": [wanted.releases[0], gone]})
    job = target.grant(wanted)
    assert (job.code, job.result["failed"]) == (0, 1)
    assert "; 1 not granted: " in job.message
    assert "9.9.9" in job.result["failures"][0]
    assert opens(target, device, made)


def test_a_release_that_no_key_opens(target: Target) -> None:
    made = target.put()
    wanted = grant_input([made], authorised(Device(), 0, models=[made.model]))
    assert f"{made.model} 1.0.0 {SEALED}" in failures(target, wanted, Keyring.new(v2="another"))


def test_a_release_that_the_input_does_not_have(target: Target) -> None:
    device = authorised(Device(), 5, models=["coins"])
    with pytest.raises(InvalidError, match=f"device {device.device_id} names release 5"):
        grant(target, grant_input([], device))


def test_a_killed_job_goes_on_where_it_was(target: Target) -> None:
    made = target.put()
    devices = [Device() for _ in range(MANY)]
    wanted = grant_input(
        [made], *(authorised(device, 0, models=[made.model]) for device in devices)
    )
    context = ReleaseContext(made.model, made.version, SEALED)
    pair = target.api.ca.issue(ips=["127.0.0.1"])
    with CountingProxy(
        target.api.url, target.api.ca_path, pair, hold_second=f"PUT {GRANTS_PATH}"
    ) as proxy:
        task = target.grant_task()
        publisher = task.publisher.model_copy(update={"url": proxy.url})
        running = target.start(task.model_copy(update={"publisher": publisher}), wanted)
        assert proxy.holds.wait(PROGRAM_SECONDS), "there was no second batch"
        with target.connected(Purpose.API_PUBLISHER) as writer:
            registry = DeviceRegistry(writer.session)
            until(lambda: registry.grant_digest(context).devices > 0, "the first batch")
        running.process.kill()
        running.process.wait()
    with target.connected(Purpose.API_PUBLISHER) as writer:
        registry = DeviceRegistry(writer.session)
        assert registry.grant_digest(context).devices == 1000
        job = target.grant(wanted)
        assert (job.result["unchanged"], job.result["granted"]) == (1000, MANY - 1000)
        assert registry.grant_digest(context).devices == MANY
