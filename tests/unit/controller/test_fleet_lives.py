"""Whole lives of a fleet: whatever is changed and whoever is killed, the order holds."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sealyard.controller.resources import Key
from support.controller import TARGET
from support.raw_objects import raw_channel, raw_device
from support.yard import CHANNEL, Yard, a_yard, release

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
RANGES = ("^1", "1.0.0", "~1.1", ">=1.1 <3", "^9", "nonsense")
FOLLOWS: tuple[list[str], ...] = ([], ["stable"], ["elsewhere"])

LIVES = itertools.count(1)

Change = Callable[[Yard], None]


def published(version: str) -> Change:
    key = Key("ModelRelease", "ns", version)

    def change(yard: Yard) -> None:
        if key not in yard.api.objects:
            # What is created again is another object.
            yard.add(release(version, version, uid=f"uid-{version}-{next(LIVES)}"))

    return change


def revoked(version: str) -> Change:
    key = Key("ModelRelease", "ns", version)
    return lambda yard: yard.change(key, revoked=True) if key in yard.api.objects else None


def forgotten(version: str) -> Change:
    """Its object is deleted, with Retain."""
    key = Key("ModelRelease", "ns", version)
    return lambda yard: yard.remove(key) if key in yard.api.objects else None


def wants(wanted: str) -> Change:
    return lambda yard: yard.change(CHANNEL, version=wanted)


def enrolled(number: int, channels: list[str], *, suspend: bool) -> Change:
    key = Key("Device", "ns", f"device-{number}")

    def change(yard: Yard) -> None:
        if key in yard.api.objects:
            yard.change(key, channels=channels, suspend=suspend)
        else:
            raw = raw_device(key.name, f"uid-{number}", number=number, channels=channels)
            raw["spec"]["suspend"] = suspend
            yard.add(raw)

    return change


def killed(yard: Yard) -> None:
    yard.start()


CHANGES = st.one_of(
    st.sampled_from(VERSIONS).map(published),
    st.sampled_from(VERSIONS).map(revoked),
    st.sampled_from(VERSIONS).map(forgotten),
    st.sampled_from(RANGES).map(wants),
    st.builds(enrolled, st.integers(1, 3), st.sampled_from(FOLLOWS), suspend=st.booleans()),
    st.just(killed),
)


class Witness:
    """What devices see: the index as Jobs have changed it, and what was granted."""

    def __init__(self) -> None:
        self.releases: set[str] = set()
        self.withdrawn: set[str] = set()
        self.channel: str | None = None
        self.granted: dict[str, set[str]] = {}
        self.follows: dict[str, list[str]] = {}

    def saw(self, role: str, document: dict[str, Any], yard: Yard) -> None:
        """A Job has succeeded."""
        if role == "grant":
            named = [one["version"] for one in document["releases"]]
            for device in document["devices"]:
                versions = {named[position] for position in device["releases"]}
                # Others that it has are dropped only where it is said that these are all.
                kept = set() if device["restrictedModels"] else self.granted.get(device["deviceId"])
                self.granted[device["deviceId"]] = versions | (kept or set())
            return
        listed = {one["version"] for one in document["releases"]}
        withdrawn = {one["version"] for one in document["withdrawnReleases"]}
        self.releases = (self.releases | listed) - withdrawn
        self.withdrawn = (self.withdrawn | withdrawn) - listed
        for one in document["channels"]:
            self.channel = one["version"]
            self._is_granted(one["version"], yard)
            assert one["version"] not in self.withdrawn, "it came back"
        if document["withdrawnChannels"] or self.channel in self.withdrawn:
            self.channel = None  # devices get no version that is not listed

    def _is_granted(self, version: str, yard: Yard) -> None:
        """A channel names nothing that those who were ready by then cannot open."""
        for key, raw in yard.api.objects.items():
            spec = raw["spec"]
            if (
                key.kind == "Device"
                and is_ready(yard, key)
                and spec["channels"] == ["stable"]
                and not spec["suspend"]
            ):
                assert version in self.granted[spec["deviceId"]], (key, version)


def is_ready(yard: Yard, key: Key) -> bool:
    conditions = yard.status(key).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def live(changes: list[tuple[Change, bool]], *, grants_first: bool) -> None:
    first = raw_device("device-1", "uid-1", channels=["stable"], suspend=False)
    yard = await a_yard(raw_channel(), release("1.0.0", "1.0.0"), first)
    witness = Witness()

    async def work(jobs: int) -> None:
        for _ in range(jobs):
            waiting = yard.waiting()
            if not waiting:
                return
            if len(waiting) > 1:
                beside = yard.input_of(waiting["index"])
                assert beside["withdrawnReleases"], "only a withdrawal waits for no grant"
            role = "grant" if "grant" in waiting and grants_first else max(waiting)
            witness.saw(role, yard.input_of(waiting[role]), yard)
            await yard.do(role)

    await work(5)
    for change, is_followed_by_a_job in changes:
        change(yard)
        await yard.settle()
        await work(1 if is_followed_by_a_job else 0)
    await work(20)
    yard.now += timedelta(minutes=10)  # Jobs of operators that were killed are tried again later
    await yard.settle()
    await work(20)
    assert yard.waiting() == {}, "it comes to rest"

    view = yard.caches.followers.roster(TARGET).at(yard.now)
    assert yard.status(TARGET)["index"]["digest"] == view.full.digest
    for key in yard.api.objects:
        status, spec = yard.status(key), yard.api.objects[key]["spec"]
        if key.kind == "ModelRelease":
            assert status["phase"] == ("Revoked" if spec.get("revoked") else "Released"), key
            assert (spec["version"] in witness.releases) != spec.get("revoked", False)
        if key.kind == "Device":
            assert status["phase"] == ("Suspended" if spec["suspend"] else "Authorised"), key
    listed = yard.status(CHANNEL).get("listed")
    assert (listed["version"] if listed else None) == witness.channel
    if yard.api.objects[CHANNEL]["spec"]["version"] != "nonsense":
        assert yard.status(CHANNEL).get("wanted") == witness.channel


@settings(max_examples=10)
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=8), st.booleans())
def test_any_life_comes_to_rest_in_order(
    changes: list[tuple[Change, bool]],
    grants_first: bool,
) -> None:
    asyncio.run(live(changes, grants_first=grants_first))
