"""The stores as a device reaches them: its own login, its sealed credential, its first root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from sealyard.api.secrets import Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.index.cache import Cache
from sealyard.delivery.index.client import Index, IndexClient
from sealyard.delivery.index.errors import StaleIndexError
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import Pair
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.tuf_files import TufFiles
from sealyard.device.account import DeviceAccount
from sealyard.device.enrolment import ROOT_FILE
from sealyard.device.state import (
    API_CA_FILE,
    CDN_CA_FILE,
    TRUST_FOLDER,
    DeviceSecrets,
    DeviceState,
)
from sealyard.errors import MissingError, UnavailableError
from sealyard.jobs.workspace import read_record
from sealyard.sealing.slots import OpeningKeys

_INDEX_FOLDER: Final = "index"


@dataclass(frozen=True, slots=True)
class DeviceStores:
    """Clients of both stores, and of the index.

    Attributes:
        state: the device.
        secrets: what it logs in with.
        keys: open releases.
        api: under the device's login.
        index: verifies and remembers.
    """

    state: DeviceState
    secrets: DeviceSecrets
    keys: OpeningKeys
    api: ReleaseApi
    index: IndexClient

    @contextmanager
    def cdn(self) -> Iterator[Cdn]:
        """The CDN under the credential that the device has sealed.

        Raises:
            MissingError: the device was not told of one.
        """
        place = self.state.record.cdn
        if place is None:
            raise MissingError(
                f"{self.state.folder}: names no CDN; `sealyard device init --cdn` sets it"
            )
        credential = _SealedCredential(
            self.state.cdn_pair(self.secrets), f"device {self.state.record.device_id}"
        )
        with Cdn(
            S3Place(place.endpoint, place.region, place.bucket),
            credential,
            bundle=_bundle(self.state, CDN_CA_FILE),
        ) as cdn:
            yield cdn

    def current_index(self) -> Index:
        """The newest index; the one that was verified last where the network fails.

        Raises:
            TrustError: what is served, or kept, cannot be believed.
            StaleIndexError: it is out of date, with or without a network.
            RefusedError: the device is not let in.
            UnavailableError: there is no network, and nothing was ever fetched.
        """
        try:
            return self.index.refresh()
        except StaleIndexError:
            raise
        except UnavailableError:
            return self.index.offline()


@contextmanager
def device_stores(
    state: DeviceState, secrets: DeviceSecrets, keys: OpeningKeys
) -> Iterator[DeviceStores]:
    """Clients, until the block ends. Nothing is sent before something is asked.

    Raises:
        MissingError: a CA bundle, or the first root, is not there.
        InvalidError: that root is none.
    """
    record = state.record
    with ExitStack() as opened:
        api = opened.enter_context(
            ReleaseApi(
                record.api_url,
                DeviceAccount(record.device_id, secrets.signing),
                bundle=_bundle(state, API_CA_FILE),
            )
        )
        trust = state.folder / TRUST_FOLDER
        client = IndexClient(
            TufFiles(api.session), _first_root(state), Cache(trust / _INDEX_FOLDER)
        )
        yield DeviceStores(state, secrets, keys, api, client)


@dataclass(frozen=True, slots=True)
class _SealedCredential:
    _pair: Pair = field(repr=False)
    source: str
    purpose: Purpose = Purpose.CDN_READ

    def pair(self) -> Pair:
        return self._pair


def _bundle(state: DeviceState, name: str) -> CaBundle | None:
    path = state.folder / name
    return CaBundle(path, f"CA bundle {path}") if path.exists() else None


def _first_root(state: DeviceState) -> bytes:
    path = state.folder / TRUST_FOLDER / ROOT_FILE
    try:
        return read_record(path)
    except OSError as error:
        raise MissingError(
            f"{path}: cannot be read ({error.strerror}); "
            "`sealyard device init --trust-root` installs the first root"
        ) from None
