"""Which ComputeProfile an object uses: the one that it names, else the default, else none."""

from __future__ import annotations

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.conditions import Reason
from sealyard.api.model import LocalObjectReference
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.observed import Profiles


def choose(
    reference: LocalObjectReference | None, profiles: Profiles, *, who: str
) -> ComputeProfile | State | None:
    """The profile, None where there is none to use, or the state of an object that has to wait.

    Args:
        reference: the object's spec.profileRef.
        profiles: the one of that name, and those marked as the default.
        who: what goes on once there is one: `run`, say.
    """
    if reference is not None:
        named = profiles.named
        if named is None or named.metadata.deletion_timestamp:
            return under_way(
                Reason.PROFILE_MISSING,
                f"ComputeProfile {reference.name} (spec.profileRef.name) does not exist: create "
                f"it, and the {who} goes on",
            )
        return named
    defaults = [one for one in profiles.defaults if not one.metadata.deletion_timestamp]
    if len(defaults) > 1:
        *names, last = sorted(one.metadata.name for one in defaults)
        return stalled(
            Reason.PROFILE_AMBIGUOUS,
            f"ComputeProfiles {', '.join(names)} and {last} have spec.default: true, and "
            f"spec.profileRef names none: leave it to one of them, or name one, and the {who} "
            "goes on",
        )
    return defaults[0] if defaults else None
