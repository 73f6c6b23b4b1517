"""Which device gets which release."""

from __future__ import annotations

import pytest
import rfc8785

from sealyard.api.grants import GrantInput
from sealyard.api.secrets import DIGEST_SECRETS_MAX
from sealyard.core.roster import GrantDocument, Share
from support.builders import (
    NOW,
    ReleaseBuilder,
    at,
    time_of,
)
from support.fleet_builders import (
    ChannelBuilder,
    DeviceBuilder,
    a_channel,
    a_device,
    a_listable_release,
    a_roster,
    device_keys,
)

R = a_listable_release
V1, V2, V3 = R("1.0.0"), R("1.1.0"), R("1.2.0", signed=False)
NOTES = R("5.0.0").with_spec("model", "notes").named("notes", uid="notes-uid")
STABLE = a_channel("1.0.x || 1.1.x").listing("1.1.0", "1.0.0")
BETA = a_channel("^1", "beta").listing("1.1.0", "1.0.0")
ALL = (V1, V2, V3, NOTES, STABLE, BETA)


def read(document: GrantDocument) -> GrantInput:
    """What its program reads; written by hand, it is still the form that it claims to be."""
    found = GrantInput.model_validate_json(document.text)
    assert document.text == rfc8785.dumps(found.to_wire())
    return found


def granted(*followers: ReleaseBuilder | ChannelBuilder | DeviceBuilder) -> list[list[str]]:
    """The versions that each device is granted, in the order of their ids."""
    found = read(a_roster(*followers).at(NOW).grants)
    return [[found.releases[n].version for n in device.releases] for device in found.devices]


DEVICES: dict[str, tuple[DeviceBuilder, list[str]]] = {
    "no channel: every release of its models": (a_device(), ["1.0.0", "1.1.0", "1.2.0"]),
    "a channel: what it names and named": (a_device(1, "stable"), ["1.0.0", "1.1.0"]),
    "a channel that moves": (a_device(1, "beta"), ["1.1.0", "1.2.0"]),
    "two channels": (a_device(1, "beta", "stable"), ["1.0.0", "1.1.0", "1.2.0"]),
    "a channel that is not there": (a_device(1, "nightly"), []),
    "one that is there as well": (a_device(1, "nightly", "stable"), ["1.0.0", "1.1.0"]),
    "two models": (
        a_device().with_spec("models", ["notes", "coins"]), ["1.0.0", "1.1.0", "1.2.0", "5.0.0"]
    ),
    "another model": (a_device().with_spec("models", ["notes"]), ["5.0.0"]),
    "a model that is not there": (a_device().with_spec("models", ["stamps"]), []),
    "suspended": (a_device().with_spec("suspend", True), []),
    "expired": (a_device().with_spec("notAfter", time_of(NOW)), []),
    "until a time that is none": (a_device().with_spec("notAfter", "2030-01-31T12:00:00z"), []),
    "not expired": (
        a_device(1, "stable").with_spec("notAfter", time_of(at(1))), ["1.0.0", "1.1.0"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEVICES)
def test_what_a_device_is_granted(case: str) -> None:
    device, versions = DEVICES[case]
    assert granted(*ALL, device) == [versions]


def test_what_nobody_should_have_is_granted_to_nobody() -> None:
    over = [
        V1.with_spec("revoked", True),
        V2.with_spec("notAfter", time_of(NOW)),
        V3.with_status(phase="Verifying"),
    ]
    assert granted(*over, a_device(), a_device(2, "stable"), STABLE) == [[], []]


def test_a_retained_release_is_granted_to_those_who_follow_the_channel() -> None:
    gone = a_channel().listing("1.1.0")
    assert granted(gone, a_device(1, "stable"), a_device(2)) == [["1.1.0"], ["1.1.0"]]


def test_only_what_somebody_gets_stands_in_it() -> None:
    document = read(a_roster(*ALL, a_device(1, "stable")).at(NOW).grants)
    assert [release.version for release in document.releases] == ["1.0.0", "1.1.0"]


def test_all_that_the_release_api_is_told_of_a_device() -> None:
    device = a_device().with_spec("notAfter", "2027-01-01T01:00:00+01:00")
    [told] = read(a_roster(device.with_spec("suspend", True)).at(NOW).grants).devices
    assert told.to_wire() == {
        **device_keys(1),
        "level": "tpm2",
        "models": ["coins"],
        "notAfter": "2027-01-01T00:00:00Z",
        "suspended": True,
        "releases": [],
        "restrictedModels": [],
    }


def test_devices_are_in_the_order_of_their_ids_whatever_comes_first() -> None:
    devices = [a_device(number) for number in range(1, 8)]
    forwards = a_roster(*devices).at(NOW).grants
    backwards = a_roster(*reversed(devices)).at(NOW).grants
    ids = [device.device_id for device in read(forwards).devices]
    assert ids == sorted(ids)
    assert forwards.digest == backwards.digest


def test_of_two_devices_of_one_id_the_older_speaks() -> None:
    younger = a_device().named("rival", uid="rival").created_at(NOW).with_spec("suspend", True)
    [told] = read(a_roster(younger, a_device()).at(NOW).grants).devices
    assert not told.suspended


def a_legacy_device(number: int, secret: str) -> DeviceBuilder:
    device = a_device(number).with_spec("level", "legacy").created_at(at(-1000 + number))
    return device.with_spec("hardwareDigestSecretRef", {"name": secret})


def test_a_legacy_device_says_which_secret_has_its_digest() -> None:
    document = a_roster(V1, a_legacy_device(1, "b"), a_legacy_device(2, "a"), a_device(3)).at(NOW)
    found = {one.device_id: one for one in read(document.grants).devices}
    names = [found[device_keys(n)["deviceId"]].hardware_digest_secret for n in (1, 2, 3)]
    assert names == ["b", "a", None]
    assert document.grants.digest_secrets == ("a", "b")


def test_the_secrets_of_the_oldest_devices_are_mounted() -> None:
    devices = [a_legacy_device(n, f"digests-{99 - n}") for n in range(1, DIGEST_SECRETS_MAX + 1)]
    suspended = a_legacy_device(40, "digests-of-nobody").with_spec("suspend", True)
    last, shared = a_legacy_device(41, "digests-00"), a_legacy_device(42, "digests-98")
    grants = a_roster(V1, *devices, suspended, last, shared).at(NOW).grants
    assert grants.digest_secrets == tuple(f"digests-{99 - n}" for n in range(32, 0, -1))
    shares = [grants.share(device.entry().device_id) for device in (devices[0], last, shared)]
    assert [(one.releases, one.is_crowded_out) for one in shares if one] == [
        (1, False),
        (0, True),
        (1, False),
    ]
    assert read(grants)
    with_room = a_roster(V1, *devices[1:], last).at(NOW).grants.share(last.entry().device_id)
    assert with_room == Share(last.entry().spec_sha256, 1)


RESTRICTED: dict[str, tuple[DeviceBuilder, list[str]]] = {
    "no channel: who knows what is listed": (a_device(), []),
    "a channel": (a_device(1, "stable"), ["coins"]),
    "two channels": (a_device(1, "beta", "stable"), ["coins"]),
    "one whose object is gone, and may be listed": (a_device(1, "nightly", "stable"), []),
    "one of no range, which stays as it is": (a_device(1, "odd"), []),
    "one that names nothing, or nothing yet": (a_device(1, "empty"), []),
    "a model without the channel": (
        a_device(1, "stable").with_spec("models", ["coins", "notes"]), ["coins"]
    ),
    "suspended": (a_device(1, "stable").with_spec("suspend", True), []),
    "expired: it may be given a later time": (
        a_device(1, "stable").with_spec("notAfter", time_of(NOW)), []
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RESTRICTED)
def test_of_which_models_a_device_is_to_have_no_other_slots(case: str) -> None:
    device, models = RESTRICTED[case]
    others = a_channel("one", "odd"), a_channel("9.x", "empty")
    [found] = read(a_roster(*ALL, *others, device).at(NOW).grants).devices
    assert found.restricted_models == models


def test_what_is_over_is_named_where_somebody_may_have_it() -> None:
    over = V1.with_spec("revoked", True), V2.with_spec("notAfter", time_of(NOW)), V3
    for devices, said in (((), []), ((a_device(),), ["1.0.0", "1.1.0"])):
        found = read(a_roster(*over, *devices).at(NOW).grants)
        assert [one.version for one in found.withdrawn_releases] == said


def test_a_device_knows_its_share() -> None:
    device = a_device(1, "stable")
    document = a_roster(*ALL, device, a_device(2)).at(NOW).grants
    share = document.share(device.entry().device_id)
    assert share
    assert (share.releases, share.spec_sha256) == (2, device.entry().spec_sha256)
    assert document.share("0" * 32) is None
    assert device.with_spec("suspend", True).entry().spec_sha256 != share.spec_sha256


@pytest.mark.parametrize(
    ("field", "value"), [("level", "keystore"), ("models", ["notes"]), ("suspend", True)]
)
def test_what_is_told_of_it_decides_and_nothing_else(field: str, value: object) -> None:
    entry = a_device().entry()
    assert a_device().with_spec(field, value).entry() != entry
    same = a_device().with_spec("fingerprintCommitment", "0" * 64).with_status(phase="Authorised")
    assert same.of_generation(7).entry() == entry


def test_a_move_that_is_done_grants_nothing_anew() -> None:
    moving = a_roster(V1, V2, V3, BETA, a_device(1, "beta")).at(NOW).grants
    moved = BETA.listing("1.2.0", "1.1.0")
    assert a_roster(V1, V2, V3, moved, a_device(1, "beta")).at(NOW).grants.digest == moving.digest
