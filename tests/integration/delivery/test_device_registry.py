"""The writers' clients for devices, slots and the index, against the real release API."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.api.device_api import granted_digest
from sealyard.api.index import channel_target, manifest_target
from sealyard.api.secrets import Purpose
from sealyard.delivery.api_session import ApiSession
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.refusals import (
    ForbiddenError,
    MetadataExistsError,
    MetadataVersionError,
)
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.tuf_files import TufFiles
from sealyard.errors import IntegrityError, InvalidError, UnavailableError
from sealyard.sealing.context import ReleaseContext
from support import release_api
from support.devices import Device
from support.index import Trust
from support.releases import SEALED, sample

pytestmark = pytest.mark.stores

SMALL = sample().smalls[SEALED]
CORE = hashlib.sha256(SMALL[:128]).hexdigest()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[release_api.ReleaseApi]:
    with release_api.release_api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="module")
def client(
    api: release_api.ReleaseApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReleaseApi]:
    secrets = tmp_path_factory.mktemp("secrets") / Purpose.API_PUBLISHER.value
    secrets.mkdir()
    (secrets / "api-publisher-email").write_text(release_api.PUBLISHER)
    (secrets / "api-publisher-password").write_text(release_api.PASSWORD)
    with ReleaseApi(
        api.url,
        SecretFiles.mounted(Purpose.API_PUBLISHER, secrets.parent, "publisher"),
        bundle=CaBundle(api.ca_path, "ca.crt"),
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def session(client: ReleaseApi) -> ApiSession:
    return client.session


TRUST = Trust()


def test_devices_are_put_in_batches_and_listed(session: ApiSession) -> None:
    registry = DeviceRegistry(session)
    devices = [Device() for _ in range(1001)]
    entries = [device.entry("coins") for device in devices]
    assert registry.put_devices(entries) == 1001
    assert registry.put_devices(entries) == 0
    listed = [device.device_id for device in registry.devices()]
    assert listed == sorted(listed)
    assert set(listed) >= {device.id for device in devices}


def test_slots_are_put_in_batches_and_listed(client: ReleaseApi) -> None:
    registry, context = DeviceRegistry(client.session), ReleaseContext("coins", "1.0.1", SEALED)
    devices = [Device() for _ in range(1001)]
    registry.put_devices(device.entry("coins") for device in devices)
    client.put_small(context, SMALL)
    slots = [device.slot() for device in devices]
    assert registry.put_grants(context, CORE, slots) == 1001
    assert registry.put_grants(context, CORE, [*slots[:-1], devices[-1].slot(2)]) == 1
    ids = sorted(device.id for device in devices)
    assert list(registry.granted(context)) == ids
    digest = registry.grant_digest(context)
    assert (digest.digest, digest.devices) == (granted_digest(ids), 1001)


def test_what_cannot_be_granted_says_why(client: ReleaseApi) -> None:
    registry, context = DeviceRegistry(client.session), ReleaseContext("coins", "1.0.2", SEALED)
    device, stranger = Device(), Device()
    registry.put_devices([device.entry("coins")])
    with pytest.raises(IntegrityError, match="not every small part"):
        registry.put_grants(context, CORE, [device.slot()])
    client.put_small(context, SMALL)
    with pytest.raises(IntegrityError, match="other small parts"):
        registry.put_grants(context, "0" * 64, [device.slot()])
    with pytest.raises(UnavailableError, match="not there, is suspended, or is not for"):
        registry.put_grants(context, CORE, [stranger.slot()])
    wrong = stranger.slot().model_copy(update={"device_id": device.id})
    with pytest.raises(InvalidError, match="refuses a slot"):
        registry.put_grants(context, CORE, [wrong])
    other = device.entry("coins").model_copy(update={"device_id": stranger.id})
    with pytest.raises(InvalidError, match="refuses a device"):
        registry.put_devices([other])


def test_index_files_are_kept_as_they_are(session: ApiSession) -> None:
    files = TufFiles(session)
    assert files.get("timestamp.json", 1000) is None
    bodies = {
        "1.root.json": TRUST.first,
        "1.targets.json": TRUST.metadata("targets", 1),
        "1.snapshot.json": TRUST.metadata("snapshot", 1),
    }
    for name, body in bodies.items():
        for _ in range(2):
            files.put(name, body)
        assert files.get(name, 10_000) == body
        with pytest.raises(MetadataExistsError):
            files.put(name, body + b"\n")
    TRUST.rotate({})
    TRUST.rotate({})
    with pytest.raises(MetadataVersionError):
        files.put("3.root.json", TRUST.chain["3.root.json"])
    files.put("timestamp.json", TRUST.metadata("timestamp", 1))
    files.put("timestamp.json", TRUST.metadata("timestamp", 2))
    for version in (1, 2, 4):
        with pytest.raises(MetadataVersionError):
            files.put("timestamp.json", TRUST.metadata("timestamp", version, "other"))
    with pytest.raises(InvalidError, match="not what their name says"):
        files.put("2.root.json", TRUST.metadata("targets", 2))
    with pytest.raises(InvalidError, match="not signed by whom its root names"):
        files.put("2.targets.json", Trust().metadata("targets", 2))


def test_targets_lie_under_their_digest(session: ApiSession) -> None:
    files = TufFiles(session)
    for target in (manifest_target("coins", "1.0.0"), channel_target("coins", "stable")):
        content = b'{"a": 1}'
        files.put_target(target, content)
        files.put_target(target, content)
        folder, _, name = target.rpartition("/")
        path = f"targets/{folder}/{hashlib.sha256(content).hexdigest()}.{name}"
        assert files.get(path, 100) == content
        with pytest.raises(UnavailableError, match="more than the 7 bytes"):
            files.get(path, 7)


def test_a_verifier_writes_no_index(api: release_api.ReleaseApi, tmp_path: Path) -> None:
    folder = tmp_path / Purpose.API_VERIFIER.value
    folder.mkdir()
    (folder / "api-verifier-email").write_text(release_api.VERIFIER)
    (folder / "api-verifier-password").write_text(release_api.PASSWORD)
    credentials = SecretFiles.mounted(Purpose.API_VERIFIER, tmp_path, "verifier")
    with (
        ApiSession(api.url, credentials, bundle=CaBundle(api.ca_path, "ca.crt")) as session,
        pytest.raises(ForbiddenError, match=r"write 1\.root\.json of the index"),
    ):
        TufFiles(session).put("1.root.json", TRUST.first)
