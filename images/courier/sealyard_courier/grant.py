"""The grant Job: tell the release API which devices there are, and give each its slots."""

from __future__ import annotations

from sealyard.api.answers import Answer
from sealyard.api.grants import GrantInput
from sealyard.api.secrets import Purpose
from sealyard.api.tasks import GrantTask
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.grant import grant_devices
from sealyard.delivery.hardware_digests import HardwareDigests
from sealyard.delivery.secrets import SecretFiles
from sealyard.jobs.input import read_input
from sealyard.jobs.mounts import Mounts
from sealyard_courier.clients import release_api


def run_grant(task: GrantTask, mounts: Mounts) -> Answer:
    """Grant what is not granted yet, or go on with a grant that was interrupted."""
    wanted = read_input(mounts.input, task.input_sha256, GrantInput)
    keyring = SecretFiles.mounted(Purpose.KEYRING, mounts.secrets, task.keyring_secret_name)
    digests = HardwareDigests.mounted(
        mounts.secrets,
        (one.hardware_digest_secret for one in wanted.devices if one.hardware_digest_secret),
    )
    with (
        release_api(task.verifier, Purpose.API_VERIFIER, mounts) as reader,
        release_api(task.publisher, Purpose.API_PUBLISHER, mounts) as writer,
    ):
        result = grant_devices(
            wanted,
            task.input_sha256,
            reader=reader,
            registry=DeviceRegistry(writer.session),
            keyring=keyring.keyring(),
            digests=digests,
        )
    message = (
        f"devices: {result.devices}; slots written: {result.granted}, there already: "
        f"{result.unchanged}, deleted: {result.dropped}"
    )
    if result.failed:
        message = f"{message}; {result.failed} not granted: {result.said}"
    return Answer(message=message, result=result.to_wire())
