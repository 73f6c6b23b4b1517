"""Devices of real stores: enrolled, authorised, granted, and led by a signed index."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import onnx
import onnx.helper

from sealyard.api.device_api import DeviceEntry, GrantedSlot
from sealyard.api.index import ListedChannel, ListedRelease, WithdrawnRelease
from sealyard.api.model_release import SealingFormatName
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.index.publish import IndexPublisher
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.secrets import Pair, SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.tuf_files import TufFiles
from sealyard.device.enrolment import Enrolment, enrol
from sealyard.device.hardware import HardwareFacts
from sealyard.device.level import LevelName
from sealyard.device.state import CdnAddress, DeviceState, Keystore, raw_key
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.header import Header
from sealyard.sealing.manifest import Manifest, Platform
from sealyard.sealing.slots import wrap_for_device
from support.index import Trust, wish
from support.programs import BUCKET, Job
from support.stores import Stores

VARIANT = "onnx-fp32"


def facts() -> HardwareFacts:
    """Of no machine that there is."""
    return HardwareFacts(cpu="a", gpu="none", memory="1", drive="d")


def a_model() -> bytes:
    """An ONNX model of 1.5 MB that adds noise of its own."""
    size = [375_000]
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, size, os.urandom(1_500_000), True)
    given, given_back = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size) for name in "xy"
    )
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([node], "noise", [given], [given_back], [tensor])
    opset = onnx.helper.make_opsetid("", 18)
    made = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    content: bytes = made.SerializeToString()
    return content


@dataclass
class Fleet:
    """A model with two versions, and whoever authorises and lists.

    Attributes:
        publisher: a client under a Publisher's login.
        verifier: and one under a Verifier's.
        login: a folder with both logins.
        contents: the plaintexts by version.
    """

    stores: Stores
    folder: Path
    publisher: ReleaseApi
    verifier: ReleaseApi
    login: Path
    trust: Trust = field(default_factory=Trust)
    model: str = field(default_factory=lambda: f"m-{secrets.token_hex(6)}")
    contents: dict[str, bytes] = field(default_factory=dict)

    def publish(self, version: str, sealing: SealingFormatName = "sealed-v2") -> None:
        job = self.stores.release(self.folder / version, sealing, version=version)
        job.model = self.model
        self.contents[version] = a_model()
        job.add(VARIANT, self.contents[version])
        ended = Job.publish(job)
        assert ended.code == 0, ended.output

    def listed(self, version: str) -> ListedRelease:
        manifest = Manifest.parse(self.publisher.manifest(Release(self.model, version)))
        return ListedRelease(model=self.model, version=version, manifest_sha256=manifest.digest())

    def channel(self, version: str, name: str = "stable") -> ListedChannel:
        listed = self.listed(version)
        return ListedChannel(
            model=self.model,
            channel=name,
            version=version,
            manifest_sha256=listed.manifest_sha256,
        )

    def withdrawn(self, version: str) -> WithdrawnRelease:
        return WithdrawnRelease(model=self.model, version=version)

    def index(self, *wanted: Any) -> None:
        """Sign and publish the next index."""
        IndexPublisher(
            TufFiles(self.publisher.session),
            self.trust.chain,
            "ConfigMap trust",
            self.trust.signer(timedelta(days=7)),
            self.publisher.manifest,
            scratch=self.folder,
        ).publish(wish(*wanted))

    def enrolled(self, folder: Path) -> DeviceState:
        """A device whose key lies in a file beside its state folder."""
        folder.mkdir(parents=True)
        key = folder / "mounted.key"
        key.write_bytes(os.urandom(32))
        told = self.told(level="keystore", keystore=Keystore(file=str(key)))
        return enrol(folder / "state", told, facts)

    def told(
        self,
        level: LevelName,
        keystore: Keystore | None = None,
        fleet_key: bytes | None = None,
        digest_secret: str | None = None,
    ) -> Enrolment:
        """What a device of this fleet is told."""
        ca = self.stores.ca.ca_pem
        return Enrolment(
            name="press-7",
            target="stores",
            level=level,
            keystore=keystore,
            fleet_key=fleet_key,
            hardware_digest_secret=digest_secret,
            models=[self.model],
            channels=["stable"],
            platform=Platform(arch="x86_64"),
            api_url=self.stores.api.url,
            api_ca=ca,
            cdn=CdnAddress(endpoint=self.stores.cdn.endpoint, region="us-east-1", bucket=BUCKET),
            cdn_ca=ca,
            cdn_pair=Pair(self.stores.read.access_key_id, self.stores.read.secret_access_key),
            trust_root=self.trust.first,
        )

    def authorise(self, device: DeviceState, *, suspended: bool = False) -> None:
        record = device.record
        DeviceRegistry(self.publisher.session).put_devices(
            [
                DeviceEntry(
                    device_id=record.device_id,
                    encryption_key=record.encryption_key,
                    signing_key=record.signing_key,
                    models=record.models,
                    suspended=suspended,
                )
            ]
        )

    def grant(self, device: DeviceState, version: str) -> None:
        context = ReleaseContext(self.model, version, VARIANT)
        header = Header.parse(self.verifier.small(context))
        key = self.stores.keyring.data_key(header)
        record = device.record
        slot = wrap_for_device(
            header.core, key, raw_key(record.encryption_key), raw_key(record.signing_key)
        )
        sealed = base64.b64encode(slot.encode()).decode()
        DeviceRegistry(self.publisher.session).put_grants(
            context,
            header.core.digest().hex(),
            [GrantedSlot(device_id=record.device_id, sealed=sealed)],
        )

    def device(self, folder: Path, *versions: str) -> DeviceState:
        """A device that is authorised and was granted these versions."""
        device = self.enrolled(folder)
        self.authorise(device)
        for version in versions:
            self.grant(device, version)
        return device


@contextmanager
def fleet(
    stores: Stores,
    folder: Path,
    *,
    versions: Sequence[str] = ("1.0.0", "2.0.0"),
    sealing: SealingFormatName = "sealed-v2",
) -> Iterator[Fleet]:
    """A fleet whose model has these versions, all of them listed; stable names the first."""
    login = folder / "login"
    login.mkdir()
    values = stores.secret_values()
    for purpose in (Purpose.API_PUBLISHER, Purpose.API_VERIFIER):
        for key, value in zip(SECRET_USES[purpose].keys, values[purpose], strict=True):
            (login / key).write_bytes(value)
    bundle = CaBundle(stores.api.ca_path, "ca.crt")
    with (
        ReleaseApi(
            stores.api.url, SecretFiles(Purpose.API_PUBLISHER, login, "publisher"), bundle=bundle
        ) as publisher,
        ReleaseApi(
            stores.api.url, SecretFiles(Purpose.API_VERIFIER, login, "verifier"), bundle=bundle
        ) as verifier,
    ):
        made = Fleet(stores, folder, publisher, verifier, login)
        for version in versions:
            made.publish(version, sealing)
        made.index(*map(made.listed, versions), made.channel(versions[0]))
        yield made
