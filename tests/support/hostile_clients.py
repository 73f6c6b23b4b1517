"""What each of our clients does with a server, so that a table can name it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealyard.api.secrets import Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.upload import PART_BYTES, Upload
from support import hostile

SECRET = "hunter2-correct-horse"  # what no message may hold
TOKEN = f"{SECRET}.b.c"
LOGIN = hostile.answer(200, f'{{"token": "{TOKEN}", "expiresAt": "2099-01-01T00:00:00Z"}}'.encode())
RETRY = Retry(attempts=2, first_pause_seconds=0.01)
RELEASE = Release("coins", "1.0.0")
PATIENT, SHORT = 60.0, 0.5  # seconds; only a server that never ends is waited for in vain


def log_in(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with api_client(url, secrets, bundle, seconds) as client:
        client.manifest(RELEASE)


def fetch(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with cdn_client(url, secrets, bundle, Purpose.CDN_READ, seconds) as client:
        client.read_into("sealyard/objects/a", 0, memoryview(bytearray(1000)), size=1000)


def store(url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT) -> None:
    with cdn_client(url, secrets, bundle, Purpose.CDN_WRITE, seconds) as client:
        client.put("sealyard/objects/a", bytearray(100))


def store_in_parts(
    url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT
) -> None:
    with (
        cdn_client(url, secrets, bundle, Purpose.CDN_WRITE, seconds) as client,
        Upload(client, "sealyard/objects/a", PART_BYTES + 1) as upload,
    ):
        upload.write(0, bytes(PART_BYTES + 1))
        upload.finish()


def api_client(
    url: str, secrets: Path, bundle: CaBundle | None, seconds: float = PATIENT
) -> ReleaseApi:
    return ReleaseApi(
        url,
        SecretFiles(Purpose.API_VERIFIER, secrets, "Secret login"),
        bundle=bundle,
        retry=RETRY,
        seconds=seconds,
        login_gap_seconds=0,
    )


def cdn_client(
    url: str, secrets: Path, bundle: CaBundle | None, purpose: Purpose, seconds: float
) -> Cdn:
    place = S3Place(url, "us-east-1", "models")
    files = SecretFiles(purpose, secrets, "Secret cdn")
    return Cdn(place, files, bundle=bundle, retry=RETRY, seconds=seconds)


Act = Callable[..., None]
