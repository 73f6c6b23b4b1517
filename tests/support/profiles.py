"""ComputeProfiles for tests of the pure core, and what an object sees of them."""

from __future__ import annotations

from typing import Any

from sealyard.api.compute_profile import ComputeProfile
from sealyard.core.observed import Profiles
from support.builders import Resource, document
from support.specs import DIGEST

PROFILE_SPEC: dict[str, Any] = {
    "images": {"trainer": f"registry.test/profiles/trainer@sha256:{DIGEST}"},
    "gpus": {"default": 1},
    "memory": {"default": "16Gi", "max": "32Gi"},
    "overridable": ["gpus", "memory"],
    "pod": {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "runtimeClassName": "nvidia",
        "labels": {"example.com/team": "vision"},
        "annotations": {"example.com/cost-centre": "42"},
    },
}


class ProfileBuilder(Resource):
    """A ComputeProfile."""

    def build(self) -> ComputeProfile:
        return ComputeProfile.from_wire(self.document)


def the_default(*profiles: ProfileBuilder) -> Profiles:
    """What an object sees that names no profile."""
    return Profiles(defaults=tuple(profile.build() for profile in profiles))


def named(profile: ProfileBuilder) -> Profiles:
    """What an object sees that names this profile."""
    return Profiles(named=profile.build())


def a_compute_profile(name: str = "gpu") -> ProfileBuilder:
    """A profile with GPUs, of which a run may change its GPUs and memory."""
    return ProfileBuilder(document(name, f"{name}-uid", PROFILE_SPEC))
