"""From what was seen of ComputeProfiles to what a run or release is given, or waits for."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.model_release import ModelRelease
from sealyard.api.training_run import ComputeSpec, TrainingRun
from sealyard.core.compute.choice import choose
from sealyard.core.compute.merge import Compute, merge
from sealyard.core.compute.overrides import refusals
from sealyard.core.conditions import State, stalled
from sealyard.core.observed import Profiles
from sealyard.core.settings import Settings


def for_training(run: TrainingRun, profiles: Profiles, settings: Settings) -> Compute | State:
    """What the next attempt of a run is given, or the state of the run that gets nothing."""
    profile = choose(run.spec.profile_ref, profiles, who="run")
    if isinstance(profile, State):
        return profile
    problems = refusals(profile, run.spec.compute) if profile else []
    if problems:
        return stalled(Reason.OVERRIDE_REFUSED, "; ".join(problems))
    return merge(profile, run.spec.compute, settings)


def for_export(release: ModelRelease, profiles: Profiles, settings: Settings) -> Compute | State:
    """What the next export of a release is given, or the state of the release that gets nothing."""
    profile = choose(release.spec.profile_ref, profiles, who="release")
    if isinstance(profile, State):
        return profile
    engines = [variant.name for variant in release.spec.variants if variant.needs_gpu]
    if engines and profile and not (profile.spec.gpus and profile.spec.gpus.max):
        return stalled(
            Reason.PROFILE_UNFIT,
            f"ComputeProfile {profile.metadata.name} gives no GPU, and {', '.join(engines)} of the "
            "format tensorrt can be built on one alone: name a profile that gives one in "
            "spec.profileRef, and the release goes on",
        )
    return merge(profile, ComputeSpec(), settings)
