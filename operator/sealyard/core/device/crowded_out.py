"""The Secret with the digest of its hardware is one more than a grant Job mounts."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.secrets import DIGEST_SECRETS_MAX
from sealyard.core.conditions import stalled
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def crowded_out(situation: Situation) -> Plan | None:
    """It is let in, and granted nothing."""
    secret = situation.device.spec.hardware_digest_secret_ref
    if secret is None or not (situation.is_told and situation.is_crowded_out):
        return None
    return situation.decide(
        "Pending",
        stalled(
            Reason.TOO_MANY_SECRETS,
            f"Secret {secret.name} (spec.hardwareDigestSecretRef) is not read: older Devices of "
            f"ReleaseTarget {situation.device.spec.target_ref.name} name {DIGEST_SECRETS_MAX} "
            "others. Add its digest to one of those, delete this Device, and apply it anew with "
            "that Secret",
        ),
    )
