"""Pull on a device: the index says which release, the platform which variant, the slot if at all.

The order is that of contracts.md section 4. Both parts stay sealed; what is handed out opens them
in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.delivery.index.client import Index
from sealyard.delivery.index.current import listed_by
from sealyard.delivery.index.listing import is_over, model_of
from sealyard.delivery.index.trust import SignedTrust
from sealyard.delivery.opening_pipeline import Progress
from sealyard.delivery.pull import Puller
from sealyard.delivery.release_api import Release
from sealyard.delivery.trust import TrustedManifest
from sealyard.device.hardware import SYSTEM_ROOT
from sealyard.device.held import HeldRelease, holds, release_folder
from sealyard.device.machine import DEFAULT_STATE, opening_keys, unlocked
from sealyard.device.platform import sealing_for, variant_for
from sealyard.device.state import MODELS_FOLDER, DeviceState
from sealyard.device.stores import DeviceStores, device_stores
from sealyard.device.updater.places import Places
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.context import ReleaseContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which release a device is to have.

    Attributes:
        model: its name.
        channel: the one that names the version now.
        version: an exact one instead.
        variant: another one than the platform's.
    """

    model: str
    channel: str | None = None
    version: str | None = None
    variant: str | None = None

    def __post_init__(self) -> None:
        if (self.channel is None) == (self.version is None):
            raise InvalidError("give exactly one of a channel and a version")
        # What names nothing that can exist is refused before a store is asked.
        ReleaseContext(self.model, self.version or "0.0.0", self.variant or self.channel or "any")


@contextmanager
def open_device(folder: Path, root: Path = SYSTEM_ROOT) -> Iterator[DeviceStores]:
    """The device of a state folder with its stores, until the block ends.

    Raises:
        MissingError, InvalidError, IntegrityError: as `DeviceState.load`, `unlocked`,
            `opening_keys` and `device_stores`.
    """
    state = DeviceState.load(folder)
    secrets = unlocked(state, root)
    with device_stores(state, secrets, opening_keys(state, secrets, root)) as stores:
        yield stores


def pull(
    model: str,
    *,
    channel: str | None = None,
    version: str | None = None,
    variant: str | None = None,
    state: Path = DEFAULT_STATE,
    progress: Progress = lambda _done, _all: None,
) -> HeldRelease:
    """Bring this device the release that a channel names, or an exact version of a model.

    Without a network the index that was verified last decides, until it expires, and what is held
    already, and opens, need not be fetched.

    Args:
        model: its name.
        channel: the one to follow; one of the device's own if it has just one, and no version is
            given.
        version: an exact one instead.
        variant: another one than the platform's.
        state: the device's state folder.
        progress: told how many bytes of how many are fetched.

    Returns:
        The release, sealed on disk; `memory()` and `reader()` open it.

    Raises:
        InvalidError: nothing, or both, is asked for; or no variant is fit for this machine.
        MissingError: the index lists no such release, or it was not granted to this device.
        IntegrityError: something cannot be trusted, is not what was released, or has expired.
        UnavailableError: a store cannot be reached, or the index is out of date.
        RefusedError: a store refuses this device.
    """
    with open_device(state) as stores:
        own = stores.state.record.channels
        if channel is None and version is None and len(own) == 1:
            (channel,) = own
        wanted = Wanted(model=model, channel=channel, version=version, variant=variant)
        index = stores.current_index()
        return bring(stores, wanted, trusted_manifest(stores, wanted, index), index, progress)


def current(model: str, *, state: Path = DEFAULT_STATE) -> HeldRelease:
    """The release that `sealyard device run` has switched to; what opens needs no network.

    It opens only while the index that was verified last lists it and has not expired.

    Args:
        model: its name.
        state: the device's state folder.

    Raises:
        MissingError: nothing is switched to, or the index lists it no longer.
        IntegrityError: something cannot be trusted.
        UnavailableError: the index is out of date; or what is held was changed, and cannot be
            fetched.
    """
    with open_device(state) as stores:
        remembered = Places(state, model).remember()
        chosen = remembered.current
        if chosen is None:
            raise MissingError(f"{model}: no release runs on this device yet")
        wanted = Wanted(model=model, version=chosen.version, variant=remembered.variant)
        index = stores.index.offline()
        trusted = trusted_manifest(stores, wanted, index)
        return bring(stores, wanted, trusted, index)


def trusted_manifest(stores: DeviceStores, wanted: Wanted, index: Index) -> TrustedManifest:
    """The manifest that the index lists for what is wanted.

    Raises:
        NotListedError: it lists none.
        TrustError, ExpiredReleaseError, UnavailableError: as `SignedTrust`.
    """
    trust = SignedTrust(stores.index, index)
    if wanted.channel is not None:
        release = trust.channel(wanted.model, wanted.channel)
    else:
        release = Release(wanted.model, wanted.version or "")
    return trust.manifest(release)


def listed_digests(index: Index, model: str) -> frozenset[str]:
    """The manifests of a model that the index lists and whose time is not over."""
    return frozenset(
        listed.sha256
        for path, listed in listed_by(index.targets).items()
        if model_of(path) == model
        and listed.version is None
        and not is_over(listed.not_after, index.now)
    )


def bring(
    stores: DeviceStores,
    wanted: Wanted,
    trusted: TrustedManifest,
    index: Index,
    progress: Progress = lambda _done, _all: None,
) -> HeldRelease:
    """Fetch both parts of the variant that is fit, unless they are held already and open.

    Args:
        stores: the device's.
        wanted: may name the variant.
        trusted: the manifest of the release.
        index: that lists it.
        progress: told how many bytes of how many are fetched.

    Raises:
        InvalidError, MissingError, IntegrityError, UnavailableError, RefusedError: as `pull`.
    """
    record = stores.state.record
    variant = variant_for(
        trusted.manifest, record.platform, wanted.variant, sealing=sealing_for(record.level)
    )
    predicate = trusted.manifest.predicate
    release = Release(predicate.model, predicate.version)
    context = ReleaseContext(release.model, release.version, variant.name)
    held = HeldRelease(
        folder=release_folder(stores.state.folder / MODELS_FOLDER, trusted),
        entry=trusted.manifest.entry(context),
        manifest_sha256=trusted.sha256,
        keys=stores.keys,
    )
    if not holds(held, trusted):
        with stores.cdn() as cdn:
            Puller(
                api=stores.api,
                cdn=cdn,
                trust=SignedTrust(stores.index, index),
                keys=held.keys,
                progress=progress,
            ).pull(release, variant.name, output=None, sealed=held.folder)
    return held
