"""The grants cannot be made as things are: this says why. While they are made nothing is said."""

from __future__ import annotations

from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation
from sealyard.core.release_target.trouble import trouble


def granting(situation: Situation) -> Plan | None:
    """Devices wait, and so does what is new in the index; the rest goes on."""
    errands = situation.errands
    if errands.all_is_granted and not errands.grant.has_trouble:
        return None
    state = trouble(situation, errands.grant)
    return situation.decide(state) if state else None
