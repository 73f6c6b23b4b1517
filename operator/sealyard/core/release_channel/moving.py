"""The index does not say yet what spec.version means."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def moving(situation: Situation) -> Plan | None:
    """Waits for the grants of the version, and then for the index that names it."""
    wanted = situation.naming.now
    if wanted is None or wanted == situation.listed:
        return None
    name = situation.channel.spec.target_ref.name
    return situation.decide(
        under_way(
            Reason.INDEXING,
            f"waiting for a signed index of ReleaseTarget {name} that names {wanted.version}; "
            "grants for devices come first",
        )
    )
