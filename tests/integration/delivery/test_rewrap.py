"""Small parts move to the active key on the real release API; the CDN hears nothing of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.secrets import Purpose
from sealyard.delivery.refusals import ReplacedError
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.rewrap import rewrap_releases
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import RefusedError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.header import EMPTY_SLOT
from sealyard_release_api.roles import Role
from support import hostile, release_api
from support.hostile import Hostile
from support.rewraps import VARIANT, Bucket, Rotation
from support.stores import Stores, until

pytestmark = pytest.mark.stores

MANY = 40


@pytest.fixture
def rotation(own_stores: Stores, tmp_path: Path) -> Rotation:
    return Rotation(own_stores, tmp_path)


def counts(
    releases: int, *, rewrapped: int, unchanged: int, skipped: int = 0, key: str = "cluster-2"
) -> dict[str, Any]:
    return {
        "key": key,
        "releases": releases,
        "rewrapped": rewrapped,
        "unchanged": unchanged,
        "skipped": skipped,
    }


def test_a_whole_rotation_with_the_cdn_switched_off(rotation: Rotation) -> None:
    sealed = rotation.publish(VARIANT, "onnx-fp16")
    legacy = rotation.publish("legacy", sealing="aes-256-cbc-v1")
    bucket, cdn = Bucket(rotation.stores), rotation.stores.cdn
    objects, before = bucket.listing(), rotation.smalls()
    assert len(objects) == 3
    cdn.stop()

    # Nothing is to be done yet, and nothing is written.
    done = rotation.run(rotation.first)
    assert done.result == counts(2, rewrapped=0, unchanged=2, skipped=1, key="cluster-1")
    assert rotation.smalls() == before
    assert rotation.requests(change="replace") == []

    # The new key is active: both open every release in between.
    done = rotation.run(rotation.both)
    assert done.result == counts(2, rewrapped=2, unchanged=0, skipped=1)
    assert done.message == (
        "releases: 2; small parts moved to key 'cluster-2': 2, there already: 0, "
        "of aes-256-cbc-v1: 1"
    )
    assert len(rotation.requests(change="replace", who=release_api.PUBLISHER)) == 2
    between = rotation.smalls()
    assert {k: v[:224] for k, v in between.items()} == {k: v[:224] for k, v in before.items()}
    cdn.start()
    assert bucket.listing() == objects
    for keyring in (rotation.first, rotation.both, rotation.second):
        assert sealed.verify(keyring).code == 0
        assert legacy.verify(keyring).code == 0
    cdn.stop()

    # The old one is retired: the next rewrap zeroes its slot, and it opens nothing.
    assert rotation.smalls() == between
    done = rotation.run(rotation.second)
    assert done.result == counts(2, rewrapped=2, unchanged=0, skipped=1)
    for variant in (VARIANT, "onnx-fp16"):
        small = rotation.small(sealed.job.model, variant)
        assert small[128:224] == EMPTY_SLOT
        assert small[224:] == between[sealed.job.model, variant][224:]
    assert rotation.run(rotation.second).result == counts(2, rewrapped=0, unchanged=2, skipped=1)
    assert len(rotation.requests(change="replace")) == 4
    cdn.start()
    assert bucket.listing() == objects
    assert sealed.verify(rotation.second).code == 0
    refused = sealed.verify(rotation.first)
    assert refused.code == 66
    assert "none of its v2 keys opens this small part" in refused.message
    # And a publication that is done again finds what it published.
    assert sealed.job.publish().result["manifestSha256"] == sealed.manifest_sha256


def test_a_killed_rewrap_goes_on_where_it_stopped(rotation: Rotation) -> None:
    rotation.put(MANY)
    running = rotation.start(rotation.both)
    until(lambda: len(rotation.requests(change="replace")) >= 5, "some small parts to be written")
    running.process.send_signal(signal.SIGKILL)
    assert running.wait().code == -signal.SIGKILL

    done = rotation.run(rotation.both).result

    assert done["rewrapped"] + done["unchanged"] == MANY
    assert 5 <= done["unchanged"] < MANY
    # Each was written once, by the one or by the other.
    written = [line["model"] for line in rotation.requests(change="replace")]
    assert len(written) == len(set(written)) == MANY
    assert rotation.run(rotation.both).result == counts(MANY, rewrapped=0, unchanged=MANY)
    assert len(rotation.requests(change="replace")) == MANY


def test_two_rewraps_at_once_do_each_part_once(rotation: Rotation) -> None:
    rotation.put(MANY)
    one, other = rotation.start(rotation.both), rotation.start(rotation.both)
    ended = [running.wait() for running in (one, other)]
    assert sum(each.result["rewrapped"] for each in ended) == MANY
    assert sum(each.result["unchanged"] for each in ended) == MANY
    written = [line["model"] for line in rotation.requests(change="replace")]
    assert len(written) == len(set(written)) == MANY


@pytest.mark.parametrize(
    ("fault", "code", "why"),
    [
        ("core", 65, "small part: its core is not the one in the manifest"),
        ("slot", 65, "the sealed bytes do not open: wrong key, or changed bytes"),
        ("zeros", 66, "keyring: none of its v2 keys opens this small part, which has no slot"),
        ("gone", 66, "there is none; was it published there?"),
    ],
)
def test_a_damaged_small_part_is_named_and_the_others_go_on(
    rotation: Rotation, fault: str, code: int, why: str
) -> None:
    _, damaged, _ = rotation.put(3)
    small = rotation.small(damaged)
    changed = {
        "core": small[:70] + bytes([small[70] ^ 1]) + small[71:],
        "slot": small[:150] + bytes([small[150] ^ 1]) + small[151:],
        "zeros": small[:128] + bytes(192),
        "gone": None,
    }[fault]
    rotation.store(damaged, changed)

    ended = rotation.run(rotation.both)

    assert ended.code == code
    assert ended.message.startswith(
        "1 not moved to key 'cluster-2' (2 moved, 0 there already, 0 skipped): "
    )
    assert f"{damaged} 1.0.0 {VARIANT}" in ended.message
    assert why in ended.message
    assert rotation.smalls().get((damaged, VARIANT)) == changed
    if changed is not None:
        rotation.store(damaged, small)
        assert rotation.run(rotation.both).result == counts(3, rewrapped=1, unchanged=2)


def test_of_many_failures_the_gravest_is_told_and_the_first_few_are_named(
    rotation: Rotation,
) -> None:
    models = rotation.put(8)
    for model in models[:2]:
        rotation.store(model, rotation.small(model)[:128] + bytes(192))
    for model in models[2:7]:
        rotation.store(model, rotation.small(model)[:224] + b"\1" * 96)
    third = rotation.both.add("cluster-3", "v2").activate("cluster-3")

    # A slot of nobody makes way for the active key; only what has no slot at all fails.
    ended = rotation.run(rotation.both)
    assert ended.code == 66
    assert "2 not moved to key 'cluster-2' (6 moved, " in ended.message

    # No room for a third key: that cannot be mended by waiting, and says how it can.
    ended = rotation.run(third)
    assert ended.code == 64
    assert ended.message.startswith("8 not moved to key 'cluster-3' (0 moved, ")
    assert "retire 'cluster-1' or 'cluster-2', and rewrap again" in ended.message
    assert ended.message.count("both slots are in use") == 3
    assert ended.message.endswith("; and 5 more")
    assert rotation.run(third.retire("cluster-1")).code == 66
    assert len(rotation.requests(change="replace")) == 12


@pytest.mark.parametrize("purpose", [Purpose.API_PUBLISHER, Purpose.API_VERIFIER])
@pytest.mark.parametrize("fault", ["wrong", "missing"])
def test_a_login_that_is_refused_or_missing_writes_nothing(
    rotation: Rotation, purpose: Purpose, fault: str
) -> None:
    rotation.put(2)
    before = rotation.smalls()
    password = rotation.courier.secrets / purpose.value / f"{purpose.value}-password"
    if fault == "wrong":
        password.write_text("not the password of anybody")
    else:
        password.unlink()
    ended = rotation.run(rotation.both)
    assert ended.code == {"wrong": 77, "missing": 66}[fault]
    assert f"Secret release-{purpose.value}" in ended.message
    assert rotation.smalls() == before
    assert rotation.requests(change="replace") == []


@pytest.mark.parametrize("restricted", [Role.VERIFIER, Role.PUBLISHER])
def test_a_release_that_one_login_may_not_touch_is_not_left_behind_in_silence(
    rotation: Rotation, restricted: Role
) -> None:
    rotation.put(3)
    names = {Role.VERIFIER: release_api.VERIFIER, Role.PUBLISHER: release_api.PUBLISHER}
    api = rotation.stores.api
    api.stop()
    api.write_users(
        [
            release_api.user(email, role, models=["many-000"] if role is restricted else ["*"])
            for role, email in names.items()
        ]
    )
    api.start()
    with (
        rotation.client(Purpose.API_VERIFIER) as reader,
        rotation.client(Purpose.API_PUBLISHER) as writer,
        pytest.raises(RefusedError, match=r"^Forbidden: .* many-001 1\.0\.0"),
    ):
        rewrap_releases(reader=reader, writer=writer, keyring=rotation.both)
    assert len(rotation.requests(change="replace")) == 1


class Meddled(ReleaseApi):
    """A reader after whose every look somebody else replaces the small part."""

    rotation: Rotation
    smalls: list[bytes]

    def small(self, context: ReleaseContext) -> bytes:
        found = super().small(context)
        if self.smalls:
            self.rotation.store(context.model, self.smalls.pop(0))
        return found


def meddled(rotation: Rotation, smalls: list[bytes]) -> Meddled:
    reader = Meddled(
        rotation.stores.api.url,
        SecretFiles.mounted(Purpose.API_VERIFIER, rotation.courier.secrets, "verifier"),
        bundle=CaBundle(rotation.stores.api.ca_path, "ConfigMap stores-ca"),
        login_gap_seconds=0.01,
    )
    reader.rotation, reader.smalls = rotation, smalls
    return reader


@pytest.mark.parametrize(("times", "moved"), [(1, True), (4, True), (5, False)])
def test_what_somebody_else_replaces_meanwhile_is_read_again(
    rotation: Rotation, times: int, moved: bool
) -> None:
    (model,) = rotation.put(1)
    small = rotation.small(model)
    core, slot, empty = small[:128], small[128:224], small[224:]
    # The same slot in the one place and in the other: both call for a rewrap.
    swaps = [core + empty + slot, small] * 3
    with (
        meddled(rotation, swaps[:times]) as reader,
        rotation.client(Purpose.API_PUBLISHER) as writer,
    ):
        if moved:
            done = rewrap_releases(reader=reader, writer=writer, keyring=rotation.both)
            assert done.to_wire() == counts(1, rewrapped=1, unchanged=0)
        else:
            with pytest.raises(ReplacedError, match="somebody else replaced it meanwhile"):
                rewrap_releases(reader=reader, writer=writer, keyring=rotation.both)
    assert len(rotation.requests(status=412, reason="PreconditionFailed")) == times
    assert len(rotation.requests(change="replace")) == int(moved)


def test_all_pages_are_listed(rotation: Rotation) -> None:
    models = rotation.put(7)
    with rotation.client(Purpose.API_VERIFIER) as client:
        for page in (1, 3, 7, 500):
            assert [entry.model for entry in client.releases(page=page)] == models
    assert len(rotation.requests("list-releases")) == 7 + 3 + 1 + 1


def test_a_list_without_an_end_is_left(rotation: Rotation) -> None:
    page = {
        "token": "a.b.c",
        "expiresAt": "2099-01-01T00:00:00Z",
        "releases": [],
        "next": "coins/1.0.0",
    }
    with Hostile(
        rotation.stores.ca.issue(ips=["127.0.0.1"]), hostile.answer(200, json.dumps(page).encode())
    ) as server:
        task = rotation.task()
        remote = task.verifier.model_copy(update={"url": server.url})
        ended = rotation.courier.run(task.model_copy(update={"verifier": remote}))
    assert ended.code == 69
    assert "never comes to the end of its releases" in ended.message
    assert len(server.requests) == 3
