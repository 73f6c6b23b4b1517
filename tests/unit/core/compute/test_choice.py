from __future__ import annotations

import pytest

from sealyard.api.model import LocalObjectReference
from sealyard.core.compute.choice import choose
from sealyard.core.conditions import State
from sealyard.core.observed import Profiles
from support.builders import NO_PROFILES
from support.profiles import a_compute_profile, named, the_default

GPU = a_compute_profile("gpu")
LARGE = a_compute_profile("large")
REFERENCE = LocalObjectReference(name="gpu")


@pytest.mark.parametrize(
    ("reference", "profiles", "chosen"),
    [
        (None, NO_PROFILES, None),
        (None, the_default(GPU), "gpu"),
        (None, the_default(GPU, LARGE.being_deleted()), "gpu"),
        (None, the_default(GPU.being_deleted()), None),
        (REFERENCE, named(GPU), "gpu"),
    ],
)
def test_the_profile(
    reference: LocalObjectReference | None, profiles: Profiles, chosen: str | None
) -> None:
    profile = choose(reference, profiles, who="run")
    assert not isinstance(profile, State)
    assert (profile.metadata.name if profile else None) == chosen


@pytest.mark.parametrize("profiles", [NO_PROFILES, named(GPU.being_deleted())])
def test_one_that_is_named_and_missing_is_waited_for(profiles: Profiles) -> None:
    state = choose(REFERENCE, profiles, who="release")
    assert isinstance(state, State)
    assert (state.kind, state.reason, state.message) == (
        "under way",
        "ProfileMissing",
        (
            "ComputeProfile gpu (spec.profileRef.name) does not exist: create it, and the release "
            "goes on"
        ),
    )


def test_of_several_defaults_none_is_guessed() -> None:
    state = choose(None, the_default(LARGE, a_compute_profile("cpu"), GPU), who="run")
    assert isinstance(state, State)
    assert (state.kind, state.reason, state.message) == (
        "stalled",
        "ProfileAmbiguous",
        (
            "ComputeProfiles cpu, gpu and large have spec.default: true, and spec.profileRef names "
            "none: leave it to one of them, or name one, and the run goes on"
        ),
    )
