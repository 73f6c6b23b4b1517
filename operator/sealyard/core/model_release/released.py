"""The delivery was proven to open: the release is out as soon as the signed index lists it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready, under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.times import format_time


def released(situation: Situation) -> Plan | None:
    """Writes when it was verified, and what vouches for it. A target without trust has no index."""
    ledger, target = situation.works.verify.ledger, situation.target
    if not ledger.done or target is None:
        return None
    verified_at = ledger.last_end.time if ledger.last_end else format_time(situation.now)
    spec = situation.release.spec
    has_trust = target.spec.trust is not None
    if has_trust and not situation.listing.listed:
        return situation.decide(
            "Indexing",
            under_way(
                Reason.INDEXING,
                f"waiting for a signed index of ReleaseTarget {target.metadata.name} that lists "
                f"{spec.model} {spec.version}; grants for devices come first",
            ),
            status={"verifiedAt": verified_at},
        )
    return situation.decide(
        "Released",
        ready(
            Reason.RELEASED,
            f"{spec.model} {spec.version} lies in both stores and was opened by the verifier; "
            f"manifest {situation.works.manifest_sha256}",
        ),
        status={
            "verifiedAt": verified_at,
            "releasedAt": format_time(situation.now),
            "trust": "signed" if has_trust else "unsigned",
        },
    )
