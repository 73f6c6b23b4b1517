"""Give each authorised device the data keys of its releases: a slot of its own per variant.

The release API is asked which devices have a slot: only those get one that lack it, and those lose
theirs that are not to have it. So a grant that was killed goes on where it stopped, and one that is
done again writes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sealyard.api.answers import GrantResult
from sealyard.api.device_api import BATCH_MAX, DeviceEntry, granted_digest
from sealyard.api.grants import AuthorisedDevice, GrantedRelease, GrantInput
from sealyard.core.surplus import Surplus
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.hardware_digests import HardwareDigests
from sealyard.delivery.recipients import Recipient, Slots, legacy_slots_for, slots_for
from sealyard.delivery.refusals import NotPublishedError
from sealyard.delivery.register import register
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.threads import in_threads
from sealyard.delivery.troubles import gravest, located, shown
from sealyard.errors import IntegrityError, InvalidError, MissingError, SealyardError
from sealyard.sealing.aes_cbc_v1 import NAME as LEGACY_FORMAT
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import format_named
from sealyard.sealing.header import Header
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import Entry, Manifest
from sealyard.sealing.sealed_v2 import check_core

_WORKERS: Final = 2

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    granted: int = 0
    unchanged: int = 0
    dropped: int = 0
    troubles: dict[str, SealyardError] = field(default_factory=dict)

    def note(self, where: str, error: SealyardError) -> None:
        """Keep what is wrong with a device or a release, once."""
        if where not in self.troubles:
            self.troubles[where] = located(where, error)
            logger.warning("not granted: %s", self.troubles[where])


@dataclass(frozen=True, slots=True)
class _Granter:
    """Grants one release after the other, and counts in the tally.

    Attributes:
        held: the variants of which some device has a slot. Those that were seen to are taken out.
    """

    reader: ReleaseApi
    registry: DeviceRegistry
    keyring: Keyring
    digests: HardwareDigests
    surplus: Surplus
    held: set[ReleaseContext]
    tally: _Tally

    def grant_release(self, wanted: GrantedRelease, followers: Sequence[Recipient]) -> None:
        """Give slots of the variants in its format to each of those that may open a release."""
        entries = self._entries(wanted)
        legacy = [one for one in followers if one.is_legacy]
        others = [one for one in followers if not one.is_legacy]
        for entry in entries:
            self._grant(entry, legacy if _is_legacy(entry) else others)
        if legacy and entries and all(not _is_legacy(entry) for entry in entries):
            self.tally.note(
                f"{wanted.model} {wanted.version}",
                InvalidError(
                    f"has no variant in {LEGACY_FORMAT}, and {len(legacy)} of its devices, of "
                    "level legacy, open no other format"
                ),
            )

    def _entries(self, wanted: GrantedRelease) -> list[Entry]:
        release = Release(wanted.model, wanted.version)
        try:
            raw = self.reader.manifest(release)
            manifest = Manifest.parse(raw, sha256=wanted.manifest_sha256)
            return [
                manifest.entry(ReleaseContext(release.model, release.version, variant.name))
                for variant in manifest.predicate.variants
            ]
        except (IntegrityError, NotPublishedError) as error:
            self.tally.note(str(release), error)
            return []

    def _grant(self, entry: Entry, followers: Sequence[Recipient]) -> None:
        """Give a slot of a variant to those that have none, once others have lost theirs."""
        have = self._settled(entry.context, followers)
        missing = [one for one in followers if one.device_id not in have]
        self.tally.unchanged += len(followers) - len(missing)
        if not missing:
            return
        try:
            sha256, make = self._maker(entry)
        except (IntegrityError, MissingError) as error:
            self.tally.note(str(entry.context), error)
            return
        batches = [missing[at : at + BATCH_MAX] for at in range(0, len(missing), BATCH_MAX)]

        def put(index: int) -> tuple[int, dict[str, SealyardError]]:
            slots, refused = make(batches[index])
            if slots:
                self.registry.put_grants(entry.context, sha256, slots)
            return len(slots), refused

        for granted, refused in in_threads(put, len(batches), workers=_WORKERS):
            self.tally.granted += granted
            for device_id, trouble in refused.items():
                self.tally.note(f"device {device_id}", trouble)
        logger.info("%s: %d devices had no slot yet", entry.context, len(missing))

    def _maker(self, entry: Entry) -> tuple[str, Callable[[Sequence[Recipient]], Slots]]:
        """What slots are made for, by its digest, and what makes them."""
        small = self.reader.small(entry.context)
        if _is_legacy(entry):
            format_named(LEGACY_FORMAT).checked_layout(entry, small=small)
            return hashlib.sha256(small).hexdigest(), partial(legacy_slots_for, small, self.digests)
        header = Header.parse(small)
        check_core(header.core, entry)
        data_key = self.keyring.data_key(header)
        return header.core.digest().hex(), partial(slots_for, header.core, data_key)

    def drop_the_rest(self) -> None:
        """Take the slots of what nobody, or nobody of whom it can be granted now, is to have."""
        for context in sorted(self.held, key=str):
            self._drop(context, list(self.registry.granted(context)))

    def _settled(self, context: ReleaseContext, followers: Sequence[Recipient]) -> Collection[str]:
        """Those that have a slot, once those lost it that are not to. One digest says so where all
        is as it is to be.
        """
        if context not in self.held:
            return frozenset()
        self.held.remove(context)
        wanted = {one.device_id for one in followers}
        if self.registry.grant_digest(context).digest == granted_digest(wanted):
            return wanted
        have = list(self.registry.granted(context))
        self._drop(context, have)
        return set(have)

    def _drop(self, context: ReleaseContext, holders: Sequence[str]) -> None:
        surplus = self.surplus.among(holders, context.model, context.version)
        dropped = self.registry.drop_grants(context, surplus)
        if dropped:
            self.tally.dropped += dropped
            logger.info("%s: %d devices had a slot that they are not to have", context, dropped)


def _is_legacy(entry: Entry) -> bool:
    return entry.variant.sealing.format == LEGACY_FORMAT


def grant_devices(
    wanted: GrantInput,
    input_sha256: str,
    *,
    reader: ReleaseApi,
    registry: DeviceRegistry,
    keyring: Keyring,
    digests: HardwareDigests,
) -> GrantResult:
    """Register every device as it is to be, and see to it that it has its slots and no others.

    What is wrong with one device or release does not keep the others waiting: it stands in the
    result. What is wrong with a store or a login ends the grant at once, and a device that is to
    be shut out and may not be is no success, though all else is done.

    Args:
        wanted: the devices, and what each may open.
        input_sha256: goes into the result.
        reader: with a login of role Verifier.
        registry: with a login of role Publisher.
        keyring: opens what is to be granted.
        digests: of the hardware of legacy devices.

    Raises:
        InvalidError: a device that is suspended is none, or names a release that there is not.
        UnavailableError: the release API fails, or a device was suspended meanwhile.
        RefusedError: it refuses a login, or does not let one read or write, or has a suspended
            device for models that the login is not for.
    """
    tally = _Tally()
    recipients = _recipients(wanted.devices, tally)
    registered = register(
        registry,
        (_entry(device) for device in wanted.devices if device.device_id in recipients),
    )
    for device_id, error in registered.refused.items():
        tally.note(f"device {device_id}", error)
        del recipients[device_id]
    logger.info(
        "%d devices are registered, %d of them new or changed",
        len(recipients),
        registered.changed,
    )
    granter = _Granter(
        reader,
        registry,
        keyring,
        digests,
        Surplus(wanted, recipients.keys()),
        set(registry.granted_variants()),
        tally,
    )
    for release, followers in _followers(wanted, recipients):
        granter.grant_release(release, followers)
    granter.drop_the_rest()
    suspended = (f"device {device.device_id}" for device in wanted.devices if device.suspended)
    let_in = [tally.troubles[where] for where in suspended if where in tally.troubles]
    if let_in:
        raise gravest(
            let_in,
            f"{len(let_in)} not suspended, all else is done ({tally.granted} slots written, "
            f"{tally.unchanged} there already)",
        )
    return GrantResult(
        input_sha256=input_sha256,
        devices=len(wanted.devices),
        granted=tally.granted,
        unchanged=tally.unchanged,
        dropped=tally.dropped,
        failed=len(tally.troubles),
        failures=shown(list(tally.troubles.values())),
    )


def _recipients(devices: Sequence[AuthorisedDevice], tally: _Tally) -> dict[str, Recipient]:
    recipients = {}
    for device in devices:
        try:
            recipients[device.device_id] = Recipient.of(device)
        except InvalidError as error:
            tally.note(f"device {device.device_id}", error)
    return recipients


def _entry(device: AuthorisedDevice) -> DeviceEntry:
    """The device as the API registers it."""
    # Each field was validated as one of the input, by the same rule; twice costs 0.4 s for 10,000.
    return DeviceEntry.model_construct(
        device_id=device.device_id,
        encryption_key=device.encryption_key,
        signing_key=device.signing_key,
        models=device.models,
        not_after=device.not_after,
        suspended=device.suspended,
    )


def _followers(
    wanted: GrantInput, recipients: Mapping[str, Recipient]
) -> Iterator[tuple[GrantedRelease, list[Recipient]]]:
    """Each release with those that may open it."""
    by_release: defaultdict[int, list[Recipient]] = defaultdict(list)
    for device in wanted.devices:
        if device.device_id in recipients and not device.suspended:
            for position in device.releases:
                by_release[position].append(recipients[device.device_id])
    for position, followers in sorted(by_release.items()):
        if position >= len(wanted.releases):
            raise InvalidError(
                f"input: device {followers[0].device_id} names release {position}, there are "
                f"{len(wanted.releases)}"
            )
        yield wanted.releases[position], followers
