"""Two channels of the same model and name, to the same target: the oldest owns the name."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def taken(situation: Situation) -> Plan | None:
    """Lists nothing under a name that is somebody else's."""
    if situation.owner is None:
        return None
    spec = situation.channel.spec
    return situation.decide(
        stalled(
            Reason.CHANNEL_TAKEN,
            f"channel {spec.channel} of {spec.model} for target {spec.target_ref.name} belongs to "
            f"the older ReleaseChannel {situation.owner}: delete one of them",
        ),
        owns=False,
    )
