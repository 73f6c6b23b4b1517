from __future__ import annotations

import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from sealyard.api.dataset import ClaimSource, DatasetPlace, PinnedSnapshot
from sealyard.api.release_channel import NamedRelease
from sealyard.controller.caches import Caches
from sealyard.controller.observe import Around, observe
from sealyard.controller.resources import (
    CHANNELS,
    CLAIMS,
    DEVICES,
    JOBS,
    PODS,
    PROFILES,
    RELEASES,
    ROUTES,
    RUNS,
    TARGETS,
    Key,
)
from sealyard.core.observed import (
    DeviceObserved,
    Listing,
    ModelReleaseObserved,
    ReleaseChannelObserved,
    ReleaseTargetObserved,
    TrainingRunObserved,
)
from support.builders import NOW
from support.controller import RELEASE, RUN, TARGET
from support.raw_objects import (
    TIME,
    raw_channel,
    raw_claim,
    raw_device,
    raw_job,
    raw_pod,
    raw_profile,
    raw_release,
    raw_run,
    raw_target,
)
from support.routes import a_route

STORAGE = DatasetPlace(persistent_volume_claim=ClaimSource(claim_name="annotations"))


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


def test_a_run_on_a_route_sees_the_route_and_the_claim_of_its_storage(caches: Caches) -> None:
    run = raw_run("routed", "run-2")
    run["spec"]["dataset"] = {"annotationRouteRef": {"name": "shop"}}
    caches.note(RUNS, run)
    caches.note(CLAIMS, raw_claim("annotations", "claim-3"))
    key = Key("TrainingRun", "ns", "routed")
    assert look(caches, key).route is None
    route = a_route().named("shop", uid="route-1").reported().document
    route["metadata"] |= {"namespace": "ns", "resourceVersion": "1"}
    caches.note(ROUTES, route)
    observed = look(caches, key)
    assert observed.route.status.filing.offset == 1200
    assert {claim.name for claim in observed.claims} == {"work", "annotations"}
    caches.remove(ROUTES, "ns", "shop", "route-1")
    pinned = PinnedSnapshot(
        route="shop", route_uid="route-1", offset=9, validation_percent=20, storage=STORAGE
    )
    later = raw_run("routed", "run-2", 2, status={"snapshot": pinned.to_wire()})
    caches.note(RUNS, later | {"spec": run["spec"]})
    again = look(caches, key)
    assert again.route is None
    assert {claim.name for claim in again.claims} == {"work", "annotations"}


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


def names(caches: Caches, key: Key) -> tuple[str | None, list[str]]:
    """Of the profile that an object names, and of the defaults."""
    profiles = look(caches, key).profiles
    named = profiles.named.metadata.name if profiles.named else None
    return named, [profile.metadata.name for profile in profiles.defaults]


@pytest.mark.parametrize(
    ("key", "resource", "raw"), [(RUN, RUNS, raw_run), (RELEASE, RELEASES, raw_release)]
)
def test_the_profiles(caches: Caches, key: Key, resource: Any, raw: Any) -> None:
    assert names(caches, key) == (None, [])
    caches.note(PROFILES, raw_profile("gpu", "profile-1"))
    caches.note(PROFILES, raw_profile("cpu", "profile-2", default=True))
    assert names(caches, key) == (None, ["cpu"])
    caches.note(PROFILES, raw_profile("gpu", "profile-1", 2, default=True))
    assert names(caches, key) == (None, ["cpu", "gpu"])
    caches.note(PROFILES, raw_profile("cpu", "profile-2", 2))
    assert names(caches, key) == (None, ["gpu"])

    naming = raw(version=2)
    naming["spec"]["profileRef"] = {"name": "cpu"}
    caches.note(resource, naming)
    assert names(caches, key) == ("cpu", []), "a default is none of its business"
    caches.remove(PROFILES, "", "cpu", "profile-2")
    assert names(caches, key) == (None, [])


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


CHANNEL = Key("ReleaseChannel", "ns", "stable")
DEVICE = Key("Device", "ns", "dev")
MANIFEST = "a" * 64
OUT = {"phase": "Released", "trust": "signed", "manifestSha256": MANIFEST}


@pytest.fixture
def fleet(caches: Caches) -> Caches:
    """A target that has signed and granted everything that follows it."""
    caches.note(RELEASES, raw_release(version=2) | {"status": OUT})
    caches.note(CHANNELS, raw_channel())
    caches.note(DEVICES, raw_device(channels=["stable"]))
    view = caches.followers.roster(TARGET).at(NOW)
    status = {
        "index": {"version": 1, "expires": TIME, "digest": view.full.digest},
        "grants": {"digest": view.grants.digest, "devices": 1},
    }
    ref = {"name": "x"}
    trust = dict.fromkeys(("rootConfigMapRef", "releaseKeySecretRef", "freshnessKeySecretRef"), ref)
    caches.note(TARGETS, raw_target(version=2, spec={"trust": trust}, status=status))
    return caches


def test_what_the_index_says_of_a_release(fleet: Caches) -> None:
    assert look(fleet, RELEASE).listing == Listing(listed=True)
    listed = {"listed": {"version": "1.0.0", "manifestSha256": MANIFEST}}
    fleet.note(CHANNELS, raw_channel(version=2, status=listed))
    assert look(fleet, RELEASE).listing == Listing(
        listed=True, channels=("stable",), is_remembered=True
    )
    fleet.note(CHANNELS, raw_channel(version=3, status={"previous": listed["listed"]}))
    assert look(fleet, RELEASE).listing == Listing(listed=True, is_remembered=True)


def test_a_release_of_the_same_name_that_is_another_is_not_listed(fleet: Caches) -> None:
    other = OUT | {"manifestSha256": "b" * 64}
    fleet.note(RELEASES, raw_release(version=3) | {"status": other})
    assert not look(fleet, RELEASE).listing.listed


def test_a_channel(fleet: Caches) -> None:
    observed = look(fleet, CHANNEL)
    assert isinstance(observed, ReleaseChannelObserved)
    named = NamedRelease(version="1.0.0", manifest_sha256=MANIFEST)
    assert (observed.naming.now, observed.listed, observed.devices) == (named, named, 1)
    assert observed.owner is None
    assert observed.target
    assert observed.target.has_trust


def test_a_channel_that_was_taken_out_of_the_index(fleet: Caches) -> None:
    listed = {"listed": {"version": "1.0.0", "manifestSha256": MANIFEST}}
    channel = raw_channel(version=2, status=listed)
    channel["spec"]["version"] = ">=9"
    fleet.note(CHANNELS, channel)
    fleet.followers.renew(TARGET, [])
    closed = fleet.followers.roster(TARGET).at(NOW).full.digest
    assert look(fleet, CHANNEL).listed, "nobody knows what the index says"
    status = {"index": {"version": 2, "expires": TIME, "digest": closed}}
    fleet.note(TARGETS, raw_target(version=3, status=status))
    assert look(fleet, CHANNEL).listed is None


@pytest.mark.parametrize("phase", ["Publishing", "Verifying", "Failed"])
def test_a_release_that_is_made_anew_takes_nothing_from_its_channel(
    fleet: Caches, phase: str
) -> None:
    fleet.note(RELEASES, raw_release(version=3) | {"status": OUT | {"phase": phase}})
    named = {"version": "1.0.0", "manifestSha256": MANIFEST}
    fleet.note(CHANNELS, raw_channel(version=2, status={"listed": named}))
    fleet.followers.renew(TARGET, [])
    full = fleet.followers.roster(TARGET).at(NOW).full
    model, channel = (raw_channel()["spec"][field] for field in ("model", "channel"))
    found = full.channel(model, channel)
    assert found is not None
    assert (found.version, full.closes(model, channel)) == ("1.0.0", False)


def test_a_channel_that_remembers_what_was_withdrawn(fleet: Caches) -> None:
    named = {"version": "1.0.0", "manifestSha256": MANIFEST}
    fleet.note(CHANNELS, raw_channel(version=2, status={"listed": named}))
    revoked = raw_release(version=3)
    fleet.note(RELEASES, revoked | {"status": OUT, "spec": revoked["spec"] | {"revoked": True}})
    assert look(fleet, CHANNEL).withdrawn == frozenset()
    fleet.followers.renew(TARGET, [])
    digest = fleet.followers.roster(TARGET).at(NOW).held.digest
    status = {"index": {"version": 2, "expires": TIME, "digest": digest}}
    fleet.note(TARGETS, raw_target(version=3, status=status))
    assert look(fleet, CHANNEL).withdrawn == {"1.0.0"}


def test_a_device(fleet: Caches) -> None:
    observed = look(fleet, DEVICE)
    assert isinstance(observed, DeviceObserved)
    assert observed.share
    assert observed.share.releases == 1
    assert observed.owner is None


@pytest.mark.parametrize(
    ("key", "older"),
    [
        (CHANNEL, lambda: (CHANNELS, raw_channel("older", "channel-0"))),
        (DEVICE, lambda: (DEVICES, raw_device("older", "device-0"))),
    ],
    ids=["channel", "device"],
)
def test_the_older_owns_the_name(fleet: Caches, key: Key, older: Any) -> None:
    resource, raw = older()
    raw["metadata"]["creationTimestamp"] = "2026-11-23T09:00:00Z"
    fleet.note(resource, raw)
    assert look(fleet, key).owner == "older"
    assert look(fleet, key._replace(name="older")).owner is None


def test_without_a_target_nothing_is_known(fleet: Caches) -> None:
    fleet.remove(TARGETS, "ns", "target", "target-1")
    assert look(fleet, CHANNEL).target is None
    assert look(fleet, DEVICE).target is None
    assert look(fleet, RELEASE).listing == Listing()


def test_a_device_with_the_keys_of_another_follows_nothing(fleet: Caches) -> None:
    other = raw_device("mixed", "device-2", number=2)
    other["spec"]["deviceId"] = "0" * 32
    fleet.note(DEVICES, other)
    fleet.followers.renew(TARGET, [])
    assert len(fleet.followers.roster(TARGET).devices) == 1
    assert look(fleet, Key("Device", "ns", "mixed")).owner is None
