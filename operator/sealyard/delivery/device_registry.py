"""Devices and their slots at the release API, as a Publisher or Verifier sees them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar
from urllib.parse import urlencode

from sealyard.api.device_api import (
    BATCH_MAX,
    DEVICES_PATH,
    DROPPED_GRANTS_PATH,
    GRANT_PAGE_MAX,
    GRANTED_VARIANTS_PATH,
    GRANTS_DIGEST_PATH,
    GRANTS_PATH,
    VARIANT_PAGE_MAX,
    Changed,
    DeviceBatch,
    DeviceEntry,
    DevicePage,
    DroppedGrants,
    GrantBatch,
    GrantDigest,
    GrantedSlot,
    GrantedVariant,
    GrantedVariantPage,
    GrantPage,
    SeenDevice,
)
from sealyard.delivery.api_session import ANSWER_BYTES, ApiSession
from sealyard.errors import UnavailableError
from sealyard.sealing.context import ReleaseContext

_DEVICE_PAGE: Final = 100
_DEVICE_PAGE_BYTES: Final = 8 * 1024 * 1024
_GRANT_PAGE_BYTES: Final = GRANT_PAGE_MAX * 40
_VARIANT_PAGE_BYTES: Final = VARIANT_PAGE_MAX * 512

T = TypeVar("T")


class DeviceRegistry:
    """Which devices there are, and what each was granted. Safe to use from many threads.

    Args:
        session: the login under which all of it is asked.
    """

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    @staticmethod
    def batches(entries: Iterable[T]) -> Iterator[list[T]]:
        """As many entries at a time as one request may hold."""
        left = iter(entries)
        while batch := list(itertools.islice(left, BATCH_MAX)):
            yield batch

    def put_devices(self, devices: Iterable[DeviceEntry]) -> int:
        """Register these devices, or change them to what stands here; others stay as they are.

        Each batch holds as a whole or not at all.

        Returns:
            How many were not there yet as they stand here.

        Raises:
            InvalidError: an id is not of its keys, or a field is wrong.
            ForbiddenError: a device has, or had, a model that the login has not.
        """
        changed = 0
        for batch in self.batches(devices):
            answer = self._session.put(
                DEVICES_PATH, "the devices", DeviceBatch(devices=batch), Changed
            )
            changed += answer.changed
        return changed

    def devices(self) -> Iterator[SeenDevice]:
        """Every device with a model of the login's, in the order of their ids."""
        after = ""
        while True:
            query = {"limit": _DEVICE_PAGE, **({"after": after} if after else {})}
            reply = self._session.get(
                f"{DEVICES_PATH}?{urlencode(query)}", "the devices", _DEVICE_PAGE_BYTES
            )
            page = self._session.parse(DevicePage, reply)
            yield from page.devices
            if page.next is None:
                return
            after = self._next(after, page.next)

    def put_grants(self, context: ReleaseContext, sha256: str, slots: Iterable[GrantedSlot]) -> int:
        """Grant a variant to devices; each batch holds as a whole or not at all.

        Args:
            context: the variant.
            sha256: what the slots were made for: the core of sealed-v2, else the small part.
            slots: one a device.

        Returns:
            How many were not there yet as they stand here.

        Raises:
            InvalidError: a slot is not of its device, or of no such size.
            IntegrityError: the small part there is another one, or none.
            UnavailableError: a device is not there, is suspended, or not for this model.
        """
        changed = 0
        for batch in self.batches(slots):
            body = GrantBatch(
                model=context.model,
                version=context.version,
                variant=context.variant,
                sha256=sha256,
                slots=batch,
            )
            what = f"the slots of {context}"
            changed += self._session.put(GRANTS_PATH, what, body, Changed).changed
        return changed

    def drop_grants(self, context: ReleaseContext, devices: Iterable[str]) -> int:
        """Take a variant from devices; each batch holds as a whole or not at all.

        Returns:
            How many of them had a slot.

        Raises:
            ForbiddenError: the login is not for this model.
        """
        dropped = 0
        for batch in self.batches(devices):
            body = DroppedGrants(
                model=context.model,
                version=context.version,
                variant=context.variant,
                devices=batch,
            )
            what = f"the slots of {context}"
            dropped += self._session.put(DROPPED_GRANTS_PATH, what, body, Changed).changed
        return dropped

    def grant_digest(self, context: ReleaseContext) -> GrantDigest:
        """Which devices hold a slot of a variant, in short; `granted_digest` makes the like."""
        path = f"{GRANTS_DIGEST_PATH}?{urlencode(_names(context))}"
        reply = self._session.get(path, f"the grants of {context}", ANSWER_BYTES)
        return self._session.parse(GrantDigest, reply)

    def granted(self, context: ReleaseContext) -> Iterator[str]:
        """The ids of the devices that hold a slot of a variant, in order."""
        after = ""
        while True:
            query = {**_names(context), "limit": str(GRANT_PAGE_MAX)}
            query |= {"after": after} if after else {}
            reply = self._session.get(
                f"{GRANTS_PATH}?{urlencode(query)}",
                f"the grants of {context}",
                _GRANT_PAGE_BYTES,
            )
            page = self._session.parse(GrantPage, reply)
            yield from page.devices
            if page.next is None:
                return
            after = self._next(after, page.next)

    def granted_variants(self) -> Iterator[ReleaseContext]:
        """The variants of the login's models of which some device holds a slot, in order."""
        after = ""
        last: tuple[str, str, str] | None = None
        while True:
            query = {"limit": VARIANT_PAGE_MAX, **({"after": after} if after else {})}
            reply = self._session.get(
                f"{GRANTED_VARIANTS_PATH}?{urlencode(query)}",
                "the variants that are granted",
                _VARIANT_PAGE_BYTES,
            )
            page = self._session.parse(GrantedVariantPage, reply)
            yield from (_context(one) for one in page.variants)
            if page.next is None:
                return
            model, _, rest = page.next.partition("/")
            version, _, variant = rest.partition("/")
            behind = model, version, variant
            if last is not None and behind <= last:
                raise self._endless()
            after, last = page.next, behind

    def _next(self, after: str, following: str) -> str:
        if following <= after:
            raise self._endless()
        return following

    def _endless(self) -> UnavailableError:
        return UnavailableError(f"{self._session.name} never comes to the end of its list")


def _context(one: GrantedVariant) -> ReleaseContext:
    return ReleaseContext(one.model, one.version, one.variant)


def _names(context: ReleaseContext) -> dict[str, str]:
    return {"model": context.model, "version": context.version, "variant": context.variant}
