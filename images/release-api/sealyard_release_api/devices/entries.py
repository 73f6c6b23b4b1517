"""The rules of registered devices, as pure functions: facts in, changes or a refusal out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from sealyard.api.device_api import DeviceEntry, DeviceId
from sealyard.api.release_api import Reason
from sealyard.sealing.slots import device_recipient
from sealyard_release_api.log import timestamp
from sealyard_release_api.roles import Principal, Role
from sealyard_release_api.wire import Refusal

_DEVICE_ID: TypeAdapter[str] = TypeAdapter(DeviceId)
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device.

    Attributes:
        entry: what it is, and what it may have.
        changes: how often that was changed.
    """

    entry: DeviceEntry
    changes: int

    @property
    def generation(self) -> str:
        """What a token of this device must carry; another one after every change."""
        facts = f"{self.changes} {self.entry.model_dump_json(by_alias=True)}"
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    @property
    def principal(self) -> Principal:
        """Who asks, once the device is proven."""
        return Principal(self.entry.device_id, Role.DEVICE, tuple(self.entry.models))

    def obstacle(self, now: float) -> str | None:
        """Why the device is not let in, if so."""
        if self.entry.suspended:
            return "the device is suspended"
        # Both are of one form, so they compare as text.
        if self.entry.not_after is not None and timestamp(now) >= self.entry.not_after:
            return f"the device's notAfter, {self.entry.not_after}, has passed"
        return None


class Rights(NamedTuple):
    """What a registered device may be granted."""

    suspended: bool
    models: Sequence[str]


def check_device_id(device_id: str) -> str:
    """The id in a path.

    Raises:
        Refusal: `InvalidName`.
    """
    try:
        return _DEVICE_ID.validate_python(device_id)
    except ValidationError:
        raise Refusal(
            Reason.INVALID_NAME, f"device: {device_id[:80]!r} must be 32 lower-case hex digits"
        ) from None


def judge_devices(
    entries: Sequence[DeviceEntry], registered: Mapping[str, Device], principal: Principal
) -> list[Device]:
    """What a batch changes.

    A device's keys never change, because its id is made of them.

    Args:
        entries: what is put.
        registered: those of them that are there, by id.
        principal: whoever puts them.

    Returns:
        The devices that are new or become others.

    Raises:
        Refusal: `InvalidDevice`, or `Forbidden` where a device has, or had, a model that a
            Publisher's account has not.
    """
    changed: dict[str, Device] = {}
    seen: set[str] = set()
    for entry in map(_checked, entries):
        if entry.device_id in seen:
            raise Refusal(
                Reason.INVALID_DEVICE, f"device {entry.device_id}: stands in the batch twice"
            )
        seen.add(entry.device_id)
        there = registered.get(entry.device_id)
        if principal.role is not Role.ADMIN:
            had = there.entry.models if there is not None else []
            _check_models(principal, entry.device_id, {*entry.models, *had})
        if there is None:
            changed[entry.device_id] = Device(entry, 1)
        elif there.entry != entry:
            changed[entry.device_id] = Device(entry, there.changes + 1)
    return list(changed.values())


def lost_models(
    changed: Iterable[Device], registered: Mapping[str, Device]
) -> list[tuple[str, str]]:
    """Which devices may no longer have which models, as pairs."""
    return [
        (device.entry.device_id, model)
        for device in changed
        if (there := registered.get(device.entry.device_id)) is not None
        for model in there.entry.models
        if model not in device.entry.models
    ]


def _checked(entry: DeviceEntry) -> DeviceEntry:
    """The entry in the one form in which it is kept: models sorted, each once."""
    keys = (base64.b64decode(key) for key in (entry.encryption_key, entry.signing_key))
    made = device_recipient(*keys).hex()
    if made != entry.device_id:
        raise Refusal(
            Reason.INVALID_DEVICE, f"device {entry.device_id}: its keys make the id {made}"
        )
    if entry.not_after is not None and not _is_time(entry.not_after):
        raise Refusal(
            Reason.INVALID_DEVICE,
            f"device {entry.device_id}: notAfter: must be a time as 2030-01-31T12:00:00Z",
        )
    models = sorted(set(entry.models))
    return entry if models == entry.models else entry.model_copy(update={"models": models})


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, _TIME_FORMAT).strftime(_TIME_FORMAT) == text  # noqa: DTZ007
    except ValueError:
        return False


def _check_models(principal: Principal, device_id: str, models: Iterable[str]) -> None:
    for model in sorted(models):
        if not principal.covers(model):
            raise Refusal(
                Reason.FORBIDDEN,
                f"device {device_id}: model {model!r} is not among those of the account",
            )
