"""From verified to listed, and out of the index again: revoked, expired, withdrawn."""

from __future__ import annotations

import pytest

from sealyard.api.secrets import Role
from sealyard.core.model_release import reconcile
from sealyard.core.observed import Listing
from sealyard.core.plan import Plan
from sealyard.core.roster import ReleaseEntry
from support.builders import (
    NOW,
    SETTINGS,
    ReleaseBuilder,
    a_job,
    a_release_target,
    at,
    job_names,
    says,
    time_of,
)
from support.release_stages import (
    DONE,
    TARGET,
    exporting,
    failed,
    look,
    name,
    publishing,
    released,
    task,
    verifying,
)

TRUSTED = a_release_target().with_trust()
LISTED, WITHDRAWN = Listing(listed=True), Listing(withdrawn=True)
VERIFIED = verifying().with_status(
    tasks=[
        task("export-onnx-fp32", done=True, lastEnd=DONE),
        task("publish", done=True, lastEnd=DONE),
        task("verify", done=True, lastEnd=DONE),
    ]
)
OUT = released().with_status(trust="signed")


def revoked(release: ReleaseBuilder) -> ReleaseBuilder:
    return release.with_spec("revoked", True).with_spec("revocationReason", "wrong labels")


def test_it_waits_until_no_channel_would_bring_it_back() -> None:
    remembered = Listing(withdrawn=True, is_remembered=True)
    assert says(look(revoked(OUT), target=TRUSTED, listing=remembered))[2] == "Revoking"
    leaving = OUT.with_spec("deletionPolicy", "Withdraw").held().being_deleted()
    assert look(leaving, target=TRUSTED, listing=remembered).hold is None
    assert look(leaving, target=TRUSTED, listing=WITHDRAWN).hold is False


def test_a_not_after_that_is_no_time_has_passed() -> None:
    release = OUT.with_spec("notAfter", "2030-01-31T12:00:00z")
    assert says(look(release, target=TRUSTED))[:3] == ("Expired", "FFT", "Expired")
    assert ReleaseEntry.of(release.build()).ends(NOW)


def test_verified_is_not_released_until_it_is_listed() -> None:
    plan = look(VERIFIED, target=TRUSTED)
    assert says(plan) == (
        "Indexing",
        "FTF",
        "Indexing",
        (
            "waiting for a signed index of ReleaseTarget stores that lists coins 1.0.0; grants for "
            "devices come first"
        ),
    )
    assert plan.status["verifiedAt"] == DONE["time"]
    assert "releasedAt" not in plan.status
    waiting = VERIFIED.after(plan)
    assert look(waiting, target=TRUSTED).events == ()
    out = look(waiting, target=TRUSTED, listing=LISTED)
    assert says(out)[:3] == ("Released", "TFF", "Released")
    assert (out.status["trust"], out.status["releasedAt"]) == ("signed", time_of(NOW))


def test_without_trust_it_is_unsigned_and_waits_for_nothing() -> None:
    plan = look(VERIFIED, target=TARGET)
    assert says(plan)[0] == "Released"
    assert plan.status["trust"] == "unsigned"


def test_without_its_target_nobody_knows_whether_there_is_an_index() -> None:
    assert says(look(VERIFIED, target=None))[1:3] == ("FTF", "TargetMissing")


def test_what_was_unsigned_is_signed_once_its_target_has_trust() -> None:
    unsigned = released().with_status(trust="unsigned")
    assert "trust" not in look(unsigned, target=TRUSTED).status
    assert look(unsigned, target=TRUSTED, listing=LISTED).status["trust"] == "signed"


def test_the_channels_that_name_it_are_shown() -> None:
    named = Listing(listed=True, channels=("beta", "stable"))
    plan = look(OUT, target=TRUSTED, listing=named)
    assert plan.status["summary"] == {"channels": "beta, stable"}
    shown = OUT.after(plan)
    assert look(shown, target=TRUSTED, listing=LISTED).status["summary"] == {"channels": None}
    assert "summary" not in look(OUT, target=TRUSTED, listing=LISTED).status
    long = Listing(channels=tuple(f"channel-{n}" for n in range(99)))
    assert len(look(OUT, target=TRUSTED, listing=long).status["summary"]["channels"]) == 128


def test_revoking_waits_until_no_index_lists_it() -> None:
    plan = look(revoked(OUT), target=TRUSTED, listing=LISTED)
    assert says(plan) == (
        "Released",
        "FTF",
        "Revoking",
        "waiting for a signed index of ReleaseTarget stores without coins 1.0.0",
    )
    after = revoked(OUT).after(plan)
    gone = look(after, target=TRUSTED, listing=WITHDRAWN)
    assert says(gone) == (
        "Revoked",
        "TFF",
        "Revoked",
        "coins 1.0.0 is revoked: wrong labels; no channel names it, and no index lists it",
    )
    # Final, and its plaintext is deleted.
    final = look(after.after(gone), target=TRUSTED, listing=WITHDRAWN)
    assert job_names(final) == [name(Role.TIDY)]
    assert "phase" not in final.status


@pytest.mark.parametrize(
    "release",
    [exporting(), publishing(), failed(exporting(), task("export-onnx-fp32"))],
    ids=["exporting", "publishing", "failed"],
)
def test_what_was_never_published_is_revoked_at_once(release: ReleaseBuilder) -> None:
    plan = look(revoked(release), target=TRUSTED)
    assert says(plan)[:3] == ("Revoked", "TFF", "Revoked")


def test_without_trust_there_is_no_index_to_wait_for() -> None:
    assert says(look(revoked(OUT), target=TARGET))[0] == "Revoked"
    assert says(look(revoked(OUT), target=None))[0] == "Revoked"


def test_what_still_runs_for_a_revoked_release_is_stopped() -> None:
    live = a_job(Role.PUBLISH).running()
    plan = look(revoked(publishing()), live, target=TRUSTED)
    assert [key.uid for key in plan.delete] == [live.uid]
    assert plan.create == ()


def ending(release: ReleaseBuilder, seconds: float) -> ReleaseBuilder:
    return release.with_spec("notAfter", time_of(at(seconds)))


@pytest.mark.parametrize("release", [OUT, VERIFIED, publishing()], ids=["out", "verified", "on"])
def test_a_release_expires(release: ReleaseBuilder) -> None:
    plan = look(ending(release, 0), target=TRUSTED, listing=LISTED)
    assert says(plan) == (
        "Expired",
        "FFT",
        "Expired",
        f"spec.notAfter ({time_of(NOW)}) has passed: release coins under a new version",
    )
    over = ending(release, 0).after(plan)
    later = look(ending(over, 9999), target=TRUSTED, listing=LISTED)
    assert "phase" not in later.status, "final, whatever spec.notAfter says later"
    assert job_names(later) == [name(Role.TIDY)]
    assert says(look(revoked(over), target=TRUSTED))[2] == "Expired"


def test_the_moment_is_not_missed() -> None:
    assert look(ending(OUT, 100), target=TRUSTED, listing=LISTED).requeue_after == 100
    assert look(ending(VERIFIED, 100), target=TRUSTED).requeue_after == 100
    assert look(OUT, target=TRUSTED, listing=LISTED).requeue_after is None
    over = failed(exporting(), task("export-onnx-fp32")).with_status(workspace=None)
    assert look(ending(over, 100), target=TRUSTED).requeue_after is None


WITHDRAW = OUT.with_spec("deletionPolicy", "Withdraw")
LEAVING = WITHDRAW.held().being_deleted()


@pytest.mark.parametrize(
    ("release", "hold"),
    [
        (WITHDRAW, True),
        (WITHDRAW.held(), None),
        (OUT, None),
        (OUT.held(), False),
        (WITHDRAW.being_deleted(), None),
        (exporting().with_spec("deletionPolicy", "Withdraw"), True),
        (revoked(WITHDRAW), True),
        (revoked(OUT), True),
        (revoked(OUT).held(), None),
        (revoked(OUT).with_status(phase="Revoked").held(), False),
        (revoked(exporting()), None),
    ],
    ids=[
        *("new", "held", "retain", "no longer", "too late", "at any stage", "revoked"),
        *("revoked and listed", "leaving", "out of the index", "never published"),
    ],
)
def test_what_is_to_be_withdrawn_is_held(release: ReleaseBuilder, hold: bool | None) -> None:
    assert look(release, target=TRUSTED).hold is hold


def test_a_deletion_waits_until_no_index_lists_it() -> None:
    plan = look(LEAVING, target=TRUSTED, listing=LISTED)
    assert plan.hold is None
    assert says(plan)[1:] == (
        "FTF",
        "Withdrawing",
        "waiting for a signed index of ReleaseTarget stores without coins 1.0.0",
    )
    assert plan.requeue_after == 30
    gone = look(LEAVING, target=TRUSTED, listing=WITHDRAWN)
    assert (gone.hold, gone.status) == (False, {})
    assert [(event.type, event.reason) for event in gone.events] == [("Normal", "Withdrawn")]


def test_what_is_revoked_stays_until_no_index_lists_it_whatever_its_policy() -> None:
    leaving = revoked(OUT).held().being_deleted()
    assert says(look(leaving, target=TRUSTED, listing=LISTED))[1:3] == ("FTF", "Withdrawing")
    remembered = Listing(withdrawn=True, is_remembered=True)
    assert look(leaving, target=TRUSTED, listing=remembered).hold is None
    assert look(leaving, target=TRUSTED, listing=WITHDRAWN).hold is False
    assert look(leaving, target=a_release_target()) == Plan(hold=False)
    gone = look(leaving, target=None)
    assert "take its finalizer sealyard.io/withdraw away" in says(gone)[3]


def test_it_gives_way_in_a_namespace_that_is_being_deleted_and_says_so() -> None:
    for target in (TRUSTED, TRUSTED.being_deleted(), None):
        plan = look(LEAVING, target=target, namespace_ends=True)
        assert (plan.hold, plan.status) == (False, {})
        assert [(event.type, event.reason) for event in plan.events] == [
            ("Warning", "NotWithdrawn")
        ]


@pytest.mark.parametrize("target", [None, TRUSTED.being_deleted()], ids=["gone", "going"])
def test_elsewhere_it_asks_for_its_target(target: object) -> None:
    plan = look(LEAVING, target=target)
    assert plan.hold is None
    assert says(plan)[1:3] == ("FTF", "TargetMissing")
    assert "set spec.deletionPolicy to Retain" in says(plan)[3]


@pytest.mark.parametrize(
    ("release", "target"),
    [
        (LEAVING.with_spec("deletionPolicy", "Retain"), TRUSTED),
        (LEAVING, TARGET),
        (exporting().with_spec("deletionPolicy", "Withdraw").held().being_deleted(), TRUSTED),
    ],
    ids=["retain after all", "no index", "never published"],
)
def test_what_is_listed_nowhere_goes_at_once(release: ReleaseBuilder, target: object) -> None:
    assert look(release, target=target) == Plan(hold=False)


def test_a_deletion_that_does_not_wait_for_us_is_left_alone() -> None:
    assert look(OUT.being_deleted(), target=TRUSTED) == Plan()


def test_the_folder_of_the_workspace_does_not_depend_on_what_may_change() -> None:
    spec = revoked(ending(WITHDRAW, 1)).build().spec
    assert spec.build_input_hash() == OUT.build().spec.build_input_hash() == "3bb499007a"


def test_a_revoked_version_is_never_used_again() -> None:
    old = revoked(OUT).with_status(phase="Revoked").created_at(at(-9999))
    new = exporting().named("again", uid="again")
    observed = new.observed(target=TRUSTED, namesakes=(old,))
    assert says(reconcile(observed, SETTINGS, NOW))[2] == "VersionTaken"
