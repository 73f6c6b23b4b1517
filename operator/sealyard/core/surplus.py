"""Which devices have a slot that they are not to have."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sealyard.api.grants import GrantInput


class Surplus:
    """Judges those that have a slot by the input of a grant Job.

    Only where all is known is anything taken: a release whose object was deleted with Retain stays
    listed, and so does a channel.

    Args:
        wanted: the input.
        registered: the devices of it that the release API knows as it says. All others are somebody
            else's, or stand in the result, and keep what they have.
    """

    def __init__(self, wanted: GrantInput, registered: Collection[str]) -> None:
        self._over = {(one.model, one.version) for one in wanted.withdrawn_releases}
        self._devices = {
            device.device_id: device for device in wanted.devices if device.device_id in registered
        }
        names = [(one.model, one.version) for one in wanted.releases]
        # A fleet has few of these lists.
        several = {tuple(device.releases) for device in self._devices.values()}
        self._releases = {
            positions: {names[at] for at in positions if at < len(names)} for positions in several
        }

    def among(self, holders: Iterable[str], model: str, version: str) -> list[str]:
        """Those that are to lose their slot of a release, in the order given.

        Args:
            holders: the ids of those that have one.
            model: of the release.
            version: of the release.
        """
        name = model, version
        if name in self._over:
            return [one for one in holders if one in self._devices]
        return [
            device_id
            for device_id in holders
            if (device := self._devices.get(device_id)) is not None
            and model in device.restricted_models
            and name not in self._releases[tuple(device.releases)]
        ]
