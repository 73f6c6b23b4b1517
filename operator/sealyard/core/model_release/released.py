"""The delivery was proven to open: the release is out, once and for ever."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.times import format_time


def released(situation: Situation) -> Plan | None:
    """Writes when it was verified, and what vouches for it."""
    ledger = situation.works.verify.ledger
    if not ledger.done:
        return None
    verified_at = ledger.last_end.time if ledger.last_end else format_time(situation.now)
    spec = situation.release.spec
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
            "trust": "unsigned",
        },
    )
