"""No error of a delivery holds a password, a key or a token, however far one looks.

`tests/unit/sealing/test_no_key_is_shown.py` is about the keys that seal. Here real servers refuse,
break off and lie, and the secrets are those of the logins too.
"""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLSocket

import pytest

from sealyard.api.release_api import LOGIN_PATH
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import SealyardError
from sealyard_local.pki import PrivateCA
from support import hostile, release_api
from support.error_reach import everything_an_error_says
from support.hostile import Behaviour, Hostile, Request
from support.programs import BUCKET, PREFIX
from support.secret_search import SecretSearch, has_web_token, keyring_secrets
from support.stores import Stores

pytestmark = pytest.mark.stores

PASSWORD = random.token_urlsafe(24)
TOKEN = f"eyJ{random.token_urlsafe(24)}.eyJ{random.token_urlsafe(24)}.{random.token_urlsafe(48)}"
KEY = f"{PREFIX}/objects/{'0' * 64}"
RELEASE = Release("coins", "1.0.0")
RETRY = Retry(attempts=1)
LOGIN = hostile.answer(200, f'{{"token": "{TOKEN}", "expiresAt": "2099-01-01T00:00:00Z"}}'.encode())


@dataclass(frozen=True)
class Place:
    """Where the servers are, and a folder with what opens them."""

    api_url: str
    cdn_endpoint: str
    ca: Path
    folder: Path
    seconds: float = 20

    def files(self, purpose: Purpose) -> SecretFiles:
        return SecretFiles(purpose, self.folder, f"Secret {purpose}")

    @property
    def bundle(self) -> CaBundle:
        return CaBundle(self.ca, "ConfigMap stores-ca")

    @contextmanager
    def api(self) -> Iterator[ReleaseApi]:
        files = self.files(Purpose.API_VERIFIER)
        with ReleaseApi(
            self.api_url,
            files,
            bundle=self.bundle,
            retry=RETRY,
            seconds=self.seconds,
            login_gap_seconds=0,
        ) as api:
            yield api

    @contextmanager
    def cdn(self, purpose: Purpose = Purpose.CDN_READ) -> Iterator[Cdn]:
        place = S3Place(self.cdn_endpoint, "us-east-1", BUCKET)
        with Cdn(
            place, self.files(purpose), bundle=self.bundle, retry=RETRY, seconds=self.seconds
        ) as cdn:
            yield cdn

    def read_manifest(self) -> None:
        with self.api() as api:
            api.manifest(RELEASE)

    def read_object(self) -> None:
        with self.cdn() as cdn:
            cdn.read_into(KEY, 0, memoryview(bytearray(10)), size=10)

    def write_object(self) -> None:
        with self.cdn(Purpose.CDN_WRITE) as cdn:
            cdn.put(KEY, bytearray(b"sealed"))


def fill(folder: Path, secret: str) -> None:
    for purpose in (Purpose.API_VERIFIER, Purpose.CDN_READ, Purpose.CDN_WRITE):
        name, key = SECRET_USES[purpose].keys
        (folder / name).write_text(release_api.VERIFIER)
        (folder / key).write_text(secret)


def refused(fail: Callable[[], object], *more: tuple[str, bytes | str]) -> SealyardError:
    """The error, after everything that hangs on it was searched."""
    with pytest.raises(SealyardError) as caught:
        fail()
    search(caught.value, *more)
    return caught.value


def search(error: SealyardError, *more: tuple[str, bytes | str]) -> None:
    said = everything_an_error_says(error)
    SecretSearch({"password": PASSWORD, "token": TOKEN, **dict(more)}).assert_none_in(said)
    assert b"Bearer" not in said
    assert not has_web_token(said)


def test_this_test_would_see_a_secret() -> None:
    error = SealyardError("a clean message")
    error.__context__ = ValueError(PASSWORD)
    with pytest.raises(AssertionError, match="the output holds password, "):
        search(error)


@pytest.fixture
def real(stores: Stores, tmp_path: Path) -> Place:
    """The real servers, and wrong secrets."""
    fill(tmp_path, PASSWORD)
    return Place(stores.api.url, stores.cdn.endpoint, stores.api.ca_path, tmp_path)


ACTIONS = [Place.read_manifest, Place.read_object, Place.write_object]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_a_refused_secret_is_not_shown(real: Place, action: Callable[[Place], None]) -> None:
    assert refused(lambda: action(real)).exit_code == 77


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("fault", ["nobody listens", "another CA", "no CA"])
def test_a_server_that_is_not_reached_gets_no_secret_shown(
    real: Place, action: Callable[[Place], None], fault: str
) -> None:
    api, cdn, ca = real.api_url, real.cdn_endpoint, real.folder / "ca.crt"
    ca.write_bytes(real.ca.read_bytes())
    if fault == "nobody listens":
        api = cdn = "https://127.0.0.1:1"
    else:
        ca.write_bytes(PrivateCA.create().ca_pem if fault == "another CA" else b"none")
    place = Place(api, cdn, ca, real.folder)
    assert refused(lambda: action(place)).exit_code in {66, 69}


@pytest.mark.parametrize(
    "secret",
    [PASSWORD.encode() + b"\xff", f"{PASSWORD}\nmore".encode()],
    ids=["no UTF-8", "two lines"],
)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_a_secret_that_is_none_is_not_shown(
    real: Place, action: Callable[[Place], None], secret: bytes
) -> None:
    for purpose in (Purpose.API_VERIFIER, Purpose.CDN_READ, Purpose.CDN_WRITE):
        (real.folder / SECRET_USES[purpose].keys[1]).write_bytes(secret)
    assert refused(lambda: action(real)).exit_code == 64


def test_a_password_that_is_too_long_is_not_shown(real: Place) -> None:
    fill(real.folder, PASSWORD * 100)
    assert refused(real.read_manifest).exit_code == 64


@pytest.mark.parametrize("cut", [2, 30, 100])
def test_a_keyring_that_is_none_is_not_shown(real: Place, stores: Stores, cut: int) -> None:
    (real.folder / "keyring.json").write_bytes(stores.keyring.to_json()[:-cut])
    files = real.files(Purpose.KEYRING)
    refused(files.keyring, *keyring_secrets(stores.keyring).items())


def echo(status: int) -> Behaviour:
    """Everything that was sent, as the answer, as an error's message and as headers."""

    def behave(request: Request, server: Hostile, tls: SSLSocket) -> None:
        sent = f"{request.head} {request.body!r}".replace("\r\n", " ").replace('"', "'")
        body = json.dumps({"error": {"reason": sent, "code": sent, "message": sent}}).encode()
        hostile.answer(status, body, {"ETag": sent, "Content-Range": sent})(request, server, tls)

    return behave


BEHAVIOURS: dict[str, Behaviour] = {
    "breaks off": hostile.TRUNCATED,
    "hangs up": hostile.raw(b""),
    "is no HTTP": hostile.NO_HTTP,
    "is too long": hostile.TEN_MEGABYTES,
    "is silent": hostile.never,
    "redirects": hostile.answer(302, b"", {"Location": f"https://127.0.0.1/{TOKEN}"}),
    **{f"echoes with {status}": echo(status) for status in (200, 400, 401, 403, 404, 412, 500)},
}


def after_login(behaviour: Behaviour) -> Behaviour:
    def behave(request: Request, server: Hostile, tls: SSLSocket) -> None:
        (LOGIN if request.path == LOGIN_PATH else behaviour)(request, server, tls)

    return behave


@pytest.fixture(scope="session")
def authority() -> PrivateCA:
    return PrivateCA.create()


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_hostile_server_gets_no_secret_shown(
    name: str, authority: PrivateCA, tmp_path: Path
) -> None:
    fill(tmp_path, PASSWORD)
    (tmp_path / "ca.crt").write_bytes(authority.ca_pem)
    behaviour = BEHAVIOURS[name]
    for what in (behaviour, after_login(behaviour)):
        with Hostile(authority.issue(ips=["127.0.0.1"]), what) as server:
            place = Place(server.url, server.url, tmp_path / "ca.crt", tmp_path, seconds=1)
            failed = 0
            for action in ACTIONS:
                try:
                    action(place)
                except SealyardError as error:
                    search(error)
                    failed += 1
            # Of the answer to a PUT, nothing but the status counts; a manifest may be any bytes.
            assert failed >= 1
            sent = "".join(f"{one.head}{one.body!r}" for one in server.requests)
            assert PASSWORD in sent
            assert (TOKEN in sent) == (what is not behaviour)
