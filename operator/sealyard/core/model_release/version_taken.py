"""Two releases of the same model and version to the same target: the oldest owns it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.model_release import ModelRelease
from sealyard.core.conditions import stalled
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def version_taken(situation: Situation) -> Plan | None:
    """Publishes nothing under a name that is somebody else's."""
    release = situation.release
    owner = min([release, *situation.namesakes], key=_age)
    if owner.metadata.uid == release.metadata.uid:
        return None
    spec = release.spec
    return situation.decide(
        "Pending",
        stalled(
            Reason.VERSION_TAKEN,
            f"version {spec.version} of {spec.model} for target {spec.target_ref.name} belongs to "
            f"the older ModelRelease {owner.metadata.name}: release under a new version",
        ),
    )


def _age(release: ModelRelease) -> tuple[str, str]:
    return release.metadata.creation_timestamp, release.metadata.uid
