from __future__ import annotations

import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from sealyard.controller.caches import Caches
from sealyard.controller.observe import Around, observe
from sealyard.controller.resources import CLAIMS, JOBS, PODS, RELEASES, RUNS, TARGETS, Key
from sealyard.core.observed import (
    ModelReleaseObserved,
    ReleaseTargetObserved,
    TrainingRunObserved,
)
from support.builders import NOW
from support.controller import (
    RELEASE,
    RUN,
    TARGET,
    raw_claim,
    raw_job,
    raw_pod,
    raw_release,
    raw_run,
    raw_target,
)


def look(caches: Caches, key: Key, foreign: tuple[str, ...] = ()) -> Any:
    record = caches.object(key)
    assert record is not None
    return observe(caches, record, record.parse(), NOW, Around(foreign))


@pytest.fixture
def caches() -> Caches:
    caches = Caches()
    caches.note(RUNS, raw_run())
    caches.note(CLAIMS, raw_claim("work"))
    caches.note(CLAIMS, raw_claim("unrelated", "claim-2"))
    caches.note(JOBS, raw_job())
    caches.note(PODS, raw_pod())
    caches.note(TARGETS, raw_target())
    caches.note(RELEASES, raw_release())
    return caches


def test_a_run(caches: Caches) -> None:
    observed = look(caches, RUN, ("taken",))
    assert isinstance(observed, TrainingRunObserved)
    assert observed.run.metadata.name == "run"
    assert [claim.name for claim in observed.claims] == ["work"], "the other does not exist"
    assert observed.foreign_jobs == ("taken",)
    assert [job.name for job in observed.jobs] == ["run-train-1"]
    assert observed.jobs[0].pod
    assert observed.jobs[0].pod.name == "run-train-1-x"


def test_a_release(caches: Caches) -> None:
    caches.note(RELEASES, raw_release("namesake", "release-2"))
    caches.note(RELEASES, raw_release("of-another-version", "release-3", number="2.0.0"))
    owner = ("ModelRelease", "release", "release-1")
    caches.note(JOBS, raw_job("export", "job-2", owner=owner, role="export", variant="onnx"))
    observed = look(caches, RELEASE)
    assert isinstance(observed, ModelReleaseObserved)
    assert observed.run
    assert observed.run.metadata.uid == "run-1"
    assert observed.target
    assert observed.target.metadata.uid == "target-1"
    assert [release.metadata.name for release in observed.namesakes] == ["namesake"]
    assert [job.name for job in observed.jobs] == ["export"]
    assert [claim.name for claim in observed.claims] == ["work"]


def test_a_namesake_that_does_not_fit_its_kind_owns_nothing(
    caches: Caches, caplog: pytest.LogCaptureFixture
) -> None:
    caches.note(RELEASES, raw_release("namesake", "release-2"))
    misfit = raw_release("misfit", str(uuid.uuid4()))
    misfit["spec"]["variants"] = "all of them"
    caches.note(RELEASES, misfit)
    for _ in range(3):
        observed = look(caches, RELEASE)
        assert [release.metadata.name for release in observed.namesakes] == ["namesake"]
    [told] = caplog.messages
    assert "ns/misfit does not fit its kind" in told
    with pytest.raises(ValidationError):
        look(caches, Key("ModelRelease", "ns", "misfit"))


def test_a_release_of_what_is_not_there() -> None:
    caches = Caches()
    caches.note(RELEASES, raw_release())
    observed = look(caches, RELEASE)
    assert (observed.run, observed.target, observed.claims, observed.namesakes) == (
        None,
        None,
        (),
        (),
    )


def test_a_target(caches: Caches) -> None:
    observed = look(caches, TARGET)
    assert isinstance(observed, ReleaseTargetObserved)
    assert observed.target.metadata.name == "target"
    assert (observed.jobs, observed.foreign_jobs) == ((), ())


def test_a_target_with_a_rewrap(caches: Caches) -> None:
    owner = ("ReleaseTarget", "target", "target-1")
    concerns = caches.note(
        JOBS, raw_job("rewrap", "job-2", owner=owner, role="rewrap", variant="3")
    )
    assert concerns == {TARGET}
    assert caches.note(PODS, raw_pod("rewrap-x", "pod-2", job_uid="job-2")) == {TARGET}
    observed = look(caches, TARGET, ("taken",))
    assert [(job.name, job.variant) for job in observed.jobs] == [("rewrap", "3")]
    assert observed.jobs[0].pod.name == "rewrap-x"
    assert observed.foreign_jobs == ("taken",)
