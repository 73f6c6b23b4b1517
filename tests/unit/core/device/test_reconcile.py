"""How a device stands."""

from __future__ import annotations

import base64

import pytest

from sealyard.api.conditions import Reason
from sealyard.core.device import reconcile
from sealyard.core.device.deleted import LOOK_AGAIN_SECONDS
from sealyard.core.observed import DeviceObserved
from sealyard.core.plan import Plan
from sealyard.core.roster import DeviceEntry, Share, TargetEntry
from sealyard.errors import InvalidError
from sealyard.sealing.header import Core
from sealyard.sealing.slots import device_recipient, wrap_for_device
from support.builders import (
    NOW,
    SETTINGS,
    at,
    says,
    time_of,
)
from support.fleet_builders import (
    DeviceBuilder,
    a_device,
    device_keys,
)

TARGET = TargetEntry(has_trust=True, index_digest=None, grants_digest=None)
DEVICE = a_device()
OTHER = device_keys(2)


def told(device: DeviceBuilder, releases: int = 2) -> Share:
    """What a grant Job said of it."""
    return Share(device.entry().spec_sha256, releases)


def look(
    device: DeviceBuilder,
    share: Share | None = None,
    target: TargetEntry | None = TARGET,
    owner: str | None = None,
    *,
    settled: bool = True,
    namespace_ends: bool = False,
) -> Plan:
    built, entry = device.build(), DeviceEntry.of(device.build())
    observed = DeviceObserved(built, entry, target, owner, share, settled, namespace_ends)
    return reconcile(observed, SETTINGS, NOW)


AUTHORISED = DEVICE.after(look(DEVICE, told(DEVICE)))
SUSPENDED = AUTHORISED.with_spec("suspend", True)
ENDED = AUTHORISED.with_spec("notAfter", time_of(NOW))
LEGACY = DEVICE.with_spec("level", "legacy").with_spec(
    "hardwareDigestSecretRef", {"name": "digests"}
)
CROWDED_OUT = Share(LEGACY.entry().spec_sha256, 0, is_crowded_out=True)
GRANTING = "waiting for the next grant Job of ReleaseTarget stores"

CASES: dict[str, tuple[Plan, tuple[str, str, str, str]]] = {
    "new": (look(DEVICE), ("Pending", "FTF", "Granting", GRANTING)),
    "authorised": (
        look(DEVICE, told(DEVICE)),
        (
            "Authorised",
            "TFF",
            "Authorised",
            "the device is let in, and may open 2 releases of its models",
        ),
    ),
    "one release": (
        look(DEVICE, told(DEVICE, 1)),
        (
            "Authorised",
            "TFF",
            "Authorised",
            "the device is let in, and may open 1 release of its models",
        ),
    ),
    "its digest is in a Secret too many": (
        look(LEGACY, CROWDED_OUT),
        (
            "Pending",
            "FFT",
            "TooManySecrets",
            (
                "Secret digests (spec.hardwareDigestSecretRef) is not read: older Devices of "
                "ReleaseTarget stores name 32 others. Add its digest to one of those, delete this "
                "Device, and apply it anew with that Secret"
            ),
        ),
    ),
    "its digest is read": (
        look(LEGACY, told(LEGACY)),
        (
            "Authorised",
            "TFF",
            "Authorised",
            "the device is let in, and may open 2 releases of its models",
        ),
    ),
    "changed": (
        look(AUTHORISED.with_spec("models", ["notes"]), told(DEVICE)),
        ("Authorised", "FTF", "Granting", GRANTING),
    ),
    "on another channel": (
        look(AUTHORISED.with_spec("channels", ["beta"]), told(DEVICE)),
        ("Authorised", "FTF", "Granting", GRANTING),
    ),
    "to be suspended": (
        look(SUSPENDED, told(DEVICE)),
        (
            "Authorised",
            "FTF",
            "Suspending",
            "waiting for the next grant Job of ReleaseTarget stores, which ends its login",
        ),
    ),
    "suspended": (
        look(SUSPENDED, told(SUSPENDED, 0)),
        (
            "Suspended",
            "TFF",
            "Suspended",
            (
                "the device is let in no more, and what was granted to it is deleted; what it "
                "holds already opens until the index that it knows expires"
            ),
        ),
    ),
    "expired": (
        look(ENDED, told(DEVICE)),
        (
            "Expired",
            "FFT",
            "Expired",
            (
                f"spec.notAfter ({time_of(NOW)}) has passed: give it a later time to authorise the "
                "device again"
            ),
        ),
    ),
    "no target": (
        look(DEVICE, target=None),
        (
            "Pending",
            "FTF",
            "TargetMissing",
            (
                "ReleaseTarget stores (spec.targetRef.name) does not exist in namespace coins: "
                "create it, and the device goes on"
            ),
        ),
    ),
    "taken": (
        look(DEVICE, told(DEVICE), owner="older"),
        (
            "Pending",
            "FFT",
            "DeviceTaken",
            (
                f"device {device_keys(1)['deviceId']} for target stores belongs to the older "
                "Device older: delete one of them"
            ),
        ),
    ),
    "the keys of another": (
        look(DEVICE.with_spec("signingKey", OTHER["signingKey"]), told(DEVICE)),
        (
            "Pending",
            "FFT",
            "InvalidKey",
            (
                f"spec.deviceId is {device_keys(1)['deviceId']}, and that of the two keys would be "
                "7b34a7ac9232eaed72655603799e9831: delete this Device and apply what `sealyard "
                "device init` printed"
            ),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said(case: str) -> None:
    plan, said = CASES[case]
    assert says(plan) == said
    assert plan.create == ()


def test_what_was_told_once_holds_until_it_changes() -> None:
    """Whatever the grants of others do meanwhile, and whoever has forgotten the last input."""
    assert says(look(AUTHORISED))[:3] == ("Authorised", "TFF", "Authorised")
    assert look(AUTHORISED).events == ()
    suspended = SUSPENDED.after(look(SUSPENDED, told(SUSPENDED, 0)))
    assert says(look(suspended))[0] == "Suspended"
    back = suspended.with_spec("suspend", False)
    assert says(look(back))[:3] == ("Suspended", "FTF", "Granting")
    assert says(look(back, told(back)))[0] == "Authorised"


@pytest.mark.parametrize(
    "not_after", ["2030-01-31T12:00:00z", "2030-01-31T12:00:00+25:00", "0000-01-01T00:00:00Z", ""]
)
def test_a_time_that_is_none_has_passed(not_after: str) -> None:
    device = DEVICE.with_spec("notAfter", not_after)
    assert says(look(device, told(device)))[:3] == ("Expired", "FFT", "Expired")
    assert not device.entry().may_open(NOW)


def test_a_later_time_authorises_again() -> None:
    ended = ENDED.after(look(ENDED, told(DEVICE)))
    later = ended.with_spec("notAfter", time_of(at(60)))
    plan = look(later, told(DEVICE))
    assert says(plan)[:3] == ("Pending", "FTF", "Granting")
    assert plan.requeue_after == 60


def test_the_end_is_not_missed() -> None:
    device = DEVICE.with_spec("notAfter", time_of(at(100)))
    assert look(device, told(device)).requeue_after == 100
    assert look(DEVICE, told(DEVICE)).requeue_after is None


LEAVING = AUTHORISED.held().being_deleted()


def test_a_deletion_waits_for_us_from_the_first_look_on() -> None:
    assert look(DEVICE).hold is True
    assert look(DEVICE.held()).hold is None


def test_a_deletion_that_does_not_wait_for_us_is_left_alone() -> None:
    assert look(DEVICE.being_deleted()) == Plan()


def test_a_device_that_is_being_deleted_is_shut_out_first() -> None:
    waiting = look(LEAVING, told(AUTHORISED))
    assert waiting.hold is None
    assert waiting.requeue_after == LOOK_AGAIN_SECONDS
    assert says(waiting)[:3] == ("Authorised", "FTF", "Suspending")
    gone = look(LEAVING, told(LEAVING, 0))
    assert gone.hold is False
    assert [(event.type, event.reason) for event in gone.events] == [("Normal", Reason.WITHDRAWN)]


def test_a_device_that_another_job_may_have_let_in_is_not_shut_out() -> None:
    waiting = look(LEAVING, told(LEAVING, 0), settled=False)
    assert (waiting.hold, waiting.requeue_after) == (None, LOOK_AGAIN_SECONDS)
    assert says(waiting)[2] == "Suspending"
    # What its own status says may be older than a Job that the operator has forgotten.
    forgotten = LEAVING.after(look(LEAVING, told(LEAVING, 0)))
    assert look(forgotten).hold is None
    again = look(SUSPENDED, told(SUSPENDED, 0), settled=False)
    assert (says(again)[:3], again.requeue_after) == (("Authorised", "FTF", "Suspending"), 30)
    # The grants of others make nobody doubt what was said of the same spec.
    suspended = SUSPENDED.after(look(SUSPENDED, told(SUSPENDED, 0)))
    assert says(look(suspended, settled=False))[:3] == ("Suspended", "TFF", "Suspended")
    assert says(look(suspended.of_generation(2), settled=False))[2] == "Suspending"


@pytest.mark.parametrize(
    ("target", "namespace_ends", "said"),
    [
        (None, False, "ReleaseTarget stores is not there"),
        (TARGET, True, "namespace coins is being"),
    ],
)
def test_a_deletion_gives_way_where_nobody_can_be_told(
    *, target: TargetEntry | None, namespace_ends: bool, said: str
) -> None:
    plan = look(LEAVING, told(AUTHORISED), target, namespace_ends=namespace_ends)
    assert plan.hold is False
    [event] = plan.events
    assert (event.type, event.reason) == ("Warning", Reason.NOT_WITHDRAWN)
    assert said in event.message


@pytest.mark.parametrize("case", ["taken", "the keys of another"])
def test_what_nobody_was_told_of_goes_at_once(case: str) -> None:
    device = LEAVING.with_spec("signingKey", OTHER["signingKey"]) if "keys" in case else LEAVING
    owner = "older" if case == "taken" else None
    assert look(device, told(AUTHORISED), owner=owner) == Plan(hold=False)


SMALL_ORDER = (0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**255, 2**256 - 1 - 18)


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_nobody_is_told_of_a_key_that_nothing_can_be_wrapped_for(point: int) -> None:
    core = Core.create(
        file_id=bytes(32), plaintext_bytes=1, context_digest=bytes(32), data_key=bytes(32)
    )
    key = point.to_bytes(32, "little")
    signing = base64.b64decode(device_keys(1)["signingKey"])
    with pytest.raises(InvalidError, match="must be a 32-byte X25519 public key"):
        wrap_for_device(core, bytes(32), key, signing)
    device = DEVICE.with_spec("encryptionKey", base64.b64encode(key).decode())
    device = device.with_spec("deviceId", device_recipient(key, signing).hex())
    assert DeviceEntry.of(device.build()) is None
    phase, conditions, reason, message = says(look(device))
    assert (phase, conditions, reason) == ("Pending", "FFT", "InvalidKey")
    assert message.startswith("spec.encryptionKey is a point of small order")


def test_the_id_is_the_one_that_its_slots_carry() -> None:
    spec = DEVICE.build().spec
    keys = (b"e" + (1).to_bytes(31, "big"), b"s" + (1).to_bytes(31, "big"))
    assert device_recipient(*keys).hex() == spec.device_id
