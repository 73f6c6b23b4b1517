"""A target and what follows it, by the whole loop over an API server in memory."""

from __future__ import annotations

import pytest

from sealyard.controller.followers import COLLECT_SECONDS
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.resources import Key
from support.controller import RELEASE, TARGET, TIME, raw_channel, raw_device
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
    assert yard.status(CHANNEL)["previous"]["version"] == "1.1.0"


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


async def test_the_target_looks_again_when_changes_have_settled() -> None:
    yard = await a_yard(release(), raw_device())
    yard.change(DEVICE, suspend=True)
    assert await yard.loop.reconcile(TARGET) == pytest.approx(COLLECT_SECONDS)
