"""Who may use a PersistentVolumeClaim that one node alone can mount: one Job after the other.

Of two pods on two nodes the second would hang without a word of why. What is only read, by all that
use it, is left to the scheduler: a dataset on such a claim can serve many pods of one node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sealyard.api.conditions import Reason
from sealyard.core.conditions import State, under_way
from sealyard.core.observed import ClaimUse, ObservedClaim

_ONE_POD = "ReadWriteOncePod"
_ANY_NODE = "ReadWriteMany"


def is_for_many(claim: ObservedClaim) -> bool:
    """Whether pods on several nodes may write to it at the same time."""
    return _ANY_NODE in claim.access_modes


def waits_for_claim(
    what: str,
    claims: Iterable[ObservedClaim],
    uses: Sequence[ClaimUse],
    *,
    workspace: str | None,
    wanted: Iterable[str] = (),
) -> State | None:
    """What is said while another object's Job has a claim that the next Job needs for itself.

    Args:
        what: that waits: `run` or `release`.
        claims: those that exist.
        uses: the live Jobs of other objects that mount one of them.
        workspace: the claim that the next Job writes to, if it is one.
        wanted: the other claims that it mounts.
    """
    needed = {workspace, *wanted}
    for claim in claims:
        if claim.name not in needed or is_for_many(claim):
            continue
        for use in uses:
            is_written = claim.name in {workspace, use.workspace}
            if claim.name in use.claims and (is_written or _ONE_POD in claim.access_modes):
                return under_way(
                    Reason.WAITING_FOR_WORKSPACE,
                    f"PersistentVolumeClaim {claim.name} is {', '.join(claim.access_modes)}, and "
                    f"{use.kind} {use.name} has it: the {what} goes on when that has ended",
                )
    return None
