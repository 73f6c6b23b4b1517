"""A target and what follows it, by the whole loop over an API server in memory."""

from __future__ import annotations

import pytest

from sealyard.controller.followers import COLLECT_SECONDS
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.resources import Key
from support.controller import RELEASE, TARGET
from support.raw_objects import TIME, raw_channel, raw_device
from support.yard import CHANNEL, DEVICE, Yard, a_yard, release


async def test_from_verified_to_listed() -> None:
    yard = await a_yard(release(), raw_channel(), raw_device(channels=["stable"]))
    assert yard.status(RELEASE)["phase"] == "Indexing"
    granted = await yard.do("grant")
    assert [one["version"] for one in granted["releases"]] == ["1.0.0"]
    assert yard.status(DEVICE)["phase"] == "Authorised"
    index = await yard.do("index")
    assert [one["version"] for one in index["channels"]] == ["1.0.0"]
    assert yard.status(RELEASE)["phase"] == "Released"
    assert yard.status(RELEASE)["summary"]["channels"] == "stable"
    assert yard.status(CHANNEL)["listed"]["version"] == "1.0.0"
    assert yard.status(CHANNEL)["devices"] == 1
    assert yard.waiting() == {}


async def test_a_second_device_makes_nobody_wait() -> None:
    yard = await a_yard(release(), raw_channel(), raw_device())
    await yard.do("grant")
    await yard.do("index")
    yard.add(raw_device("other", "device-2", number=2))
    await yard.settle()
    assert yard.status(DEVICE)["phase"] == "Authorised"
    assert yard.status(Key("Device", "ns", "other"))["phase"] == "Pending"
    # It is the same for an operator that has forgotten what the last Job was given.
    yard.start()
    await yard.settle()
    assert yard.status(DEVICE)["phase"] == "Authorised"
    assert yard.status(RELEASE)["phase"] == "Released"


async def test_an_operator_killed_between_a_job_and_its_input_gives_it() -> None:
    yard = Yard(release(), raw_device())
    yard.api.fail("create_config_map", 0)
    with pytest.raises(ApiError):
        await yard.settle()
    assert yard.api.config_maps == {}
    [job] = yard.waiting().values()
    yard.start()
    await yard.settle()
    assert list(yard.waiting().values()) == [job]
    assert list(yard.api.config_maps) == [f"{job['metadata']['name']}-input-0"]
    assert (await yard.do("grant"))["devices"]


async def test_input_that_cannot_be_made_again_is_no_reason_to_wait_for_ever() -> None:
    yard = Yard(release(), raw_device())
    yard.api.fail("create_config_map", 0)
    with pytest.raises(ApiError):
        await yard.settle()
    [job] = yard.waiting().values()
    yard.change(DEVICE, suspend=True)
    yard.start()
    await yard.settle()
    assert ("delete", job["metadata"]["name"]) in yard.api.writes
    [told] = (await yard.do("grant"))["devices"]
    assert told["suspended"] is True


async def test_revoked_and_fallen_back() -> None:
    newer = release("newer", "1.1.0")
    yard = await a_yard(release(), newer, raw_channel(), raw_device(channels=["stable"]))
    await yard.do("grant")
    await yard.do("index")
    key = Key("ModelRelease", "ns", "newer")
    yard.change(key, revoked=True)
    await yard.settle()
    urgent = await yard.do("index")
    assert [one["version"] for one in urgent["withdrawnReleases"]] == ["1.1.0"]
    assert yard.status(key)["phase"] == "Revoked"
    assert yard.status(CHANNEL)["wanted"] == "1.0.0"
    await yard.do("grant")
    await yard.do("index")
    assert yard.status(CHANNEL)["listed"]["version"] == "1.0.0"
    assert "previous" not in yard.status(CHANNEL)


async def test_a_revoked_release_whose_object_is_gone_does_not_come_back() -> None:
    yard = await a_yard(release("one", "1.1.0"), raw_channel(), raw_device(channels=["stable"]))
    await yard.do("grant")
    await yard.do("index")
    key = Key("ModelRelease", "ns", "one")
    yard.change(key, revoked=True)
    await yard.settle()
    await yard.do("index")
    assert yard.status(key)["phase"] == "Revoked"
    assert "listed" not in yard.status(CHANNEL)
    yard.start()
    yard.remove(key)
    await yard.settle()
    grants = await yard.do("grant")
    assert grants["releases"] == []
    for role in yard.waiting():
        assert (await yard.do(role))["channels"] == []
    assert "wanted" not in yard.status(CHANNEL)


async def a_held_release() -> Yard:
    yard = await a_yard(release())
    await yard.do("index")
    yard.change(RELEASE, deletionPolicy="Withdraw")
    await yard.settle()
    metadata = yard.api.objects[RELEASE]["metadata"]
    assert metadata["finalizers"] == ["sealyard.io/withdraw"]
    metadata["deletionTimestamp"] = TIME
    return yard


async def test_withdrawn_before_it_is_deleted() -> None:
    yard = await a_held_release()
    yard.change(RELEASE)
    await yard.settle()
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] != []
    document = await yard.do("index")
    assert [one["version"] for one in document["withdrawnReleases"]] == ["1.0.0"]
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] == []
    assert yard.api.events[-1]["reason"] == "Withdrawn"


async def test_its_namespace_goes_and_so_does_it() -> None:
    yard = await a_held_release()
    yard.api.ending_namespaces.add("ns")
    yard.change(RELEASE)
    await yard.loop.reconcile(RELEASE)
    assert yard.api.objects[RELEASE]["metadata"]["finalizers"] == []
    assert yard.api.events[-1]["reason"] == "NotWithdrawn"


async def a_device_let_in_again() -> Yard:
    """Suspended once, and a Job runs that is told that it is so no more."""
    device = raw_device()
    device["spec"]["suspend"] = True
    yard = await a_yard(device)
    await yard.do("grant")
    await yard.do("index")
    assert yard.status(DEVICE)["phase"] == "Suspended"
    yard.change(DEVICE, suspend=False)
    await yard.settle()
    return yard


async def deleted(yard: Yard) -> None:
    yard.api.objects[DEVICE]["metadata"]["deletionTimestamp"] = TIME
    yard.change(DEVICE)
    await yard.settle()


def is_held(yard: Yard) -> bool:
    return bool(yard.api.objects[DEVICE]["metadata"]["finalizers"])


async def test_a_device_deleted_under_the_job_that_lets_it_in_is_shut_out() -> None:
    yard = await a_device_let_in_again()
    await deleted(yard)
    assert is_held(yard), "the Job that runs lets it in"
    [let_in] = (await yard.do("grant"))["devices"]
    assert not let_in["suspended"]
    assert is_held(yard)
    [shut_out] = (await yard.do("grant"))["devices"]
    assert shut_out["suspended"]
    assert not is_held(yard)


async def test_a_device_deleted_after_the_job_that_let_it_in_failed_is_shut_out() -> None:
    yard = await a_device_let_in_again()
    await yard.fail("grant", 64)
    await deleted(yard)
    assert is_held(yard), "nobody knows what the Job has done"
    [shut_out] = (await yard.do("grant"))["devices"]
    assert shut_out["suspended"]
    assert not is_held(yard)


async def test_one_suspended_again_under_such_a_job_is_not_called_suspended() -> None:
    yard = await a_device_let_in_again()
    yard.change(DEVICE, suspend=True)
    await yard.settle()
    assert yard.status(DEVICE)["conditions"][0]["reason"] == "Suspending"
    await yard.do("grant")
    await yard.do("grant")
    assert yard.status(DEVICE)["conditions"][0]["reason"] == "Suspended"


async def test_the_target_looks_again_when_changes_have_settled() -> None:
    yard = await a_yard(release(), raw_device())
    yard.change(DEVICE, suspend=True)
    assert await yard.loop.reconcile(TARGET) == pytest.approx(COLLECT_SECONDS)
