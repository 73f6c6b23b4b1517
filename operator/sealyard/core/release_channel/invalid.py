"""spec.version is neither a version nor a range."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def invalid(situation: Situation) -> Plan | None:
    """Changes nothing in the index: a slip of the pen takes no version from anybody."""
    if situation.naming.is_valid:
        return None
    wanted = situation.channel.spec.version
    return situation.decide(
        stalled(
            Reason.INVALID_SPEC,
            f"spec.version: {wanted} is neither a version nor a range: use 1.2.3, ^1.2, >=1.2 <2; "
            "until then the index stays as it is",
        )
    )
