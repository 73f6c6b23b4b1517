"""The signed index: a Job whenever what it is to hold changes, and before it is too old."""

from __future__ import annotations

import pytest

from sealyard.api.secrets import Role
from support.builders import (
    NOW,
    a_release_target,
    at,
    job_names,
    says,
    task_of,
    time_of,
)
from support.errands import (
    WEEK,
    a_trusting_target,
    grant_result,
    granted,
    index_result,
    job_of,
    look,
    name_of,
    signed,
)
from support.fleet_builders import (
    a_channel,
    a_device,
    a_listable_release,
    a_roster,
)

V1, V2 = a_listable_release("1.0.0"), a_listable_release("1.1.0", signed=False)
STABLE = a_channel().listing("1.0.0")
ROSTER, LATER = a_roster(V1, STABLE), a_roster(V1, V2, STABLE)
FIRST, SECOND = ROSTER.at(NOW), LATER.at(NOW)
TARGET = signed(a_trusting_target(), FIRST.full)
STARTED = TARGET.after(look(TARGET, LATER))
HALF = WEEK / 2


def test_without_trust_nothing_is_signed() -> None:
    plan = look(a_release_target(), LATER)
    assert (plan.create, says(plan)[2]) == ((), "Probed")
    assert "index" not in plan.status


def test_there_is_an_index_before_there_is_anything_in_it() -> None:
    empty = a_roster()
    plan = look(a_trusting_target(), empty)
    assert job_names(plan) == [name_of(Role.INDEX, empty.at(NOW).full)]
    assert says(plan)[1:] == (
        "FTF",
        "Indexing",
        "the first index is about to be signed and published",
    )


def test_nothing_has_changed_until_half_of_its_life_is_over() -> None:
    plan = look(TARGET, ROSTER)
    assert (plan.create, says(plan)[1:3]) == ((), ("TFF", "Probed"))
    assert plan.requeue_after is not None
    assert plan.requeue_after <= HALF
    assert look(TARGET, ROSTER, now=at(HALF - 1)).create == ()
    again = look(TARGET, ROSTER, now=at(HALF))
    assert job_names(again) == [name_of(Role.INDEX, FIRST.full, 2)]
    assert says(again)[1] == "TFF"


def test_a_job_whose_clock_is_behind_is_not_followed_by_another_at_once() -> None:
    started = TARGET.after(look(TARGET, ROSTER, now=at(HALF)))
    same = job_of(Role.INDEX, FIRST.full, 2).complete(index_result(FIRST.full), at=at(HALF))
    plan = look(started, ROSTER, same, now=at(HALF + 1))
    assert plan.create == ()
    later = started.after(plan)
    assert job_names(look(later, ROSTER, now=at(HALF + 60))) == [name_of(Role.INDEX, FIRST.full, 3)]


def test_what_is_new_is_listed() -> None:
    plan = look(TARGET, LATER)
    name = name_of(Role.INDEX, SECOND.full, 2)
    assert job_names(plan) == [name]
    assert "".join(plan.inputs[name]).encode() == SECOND.full.text
    done = job_of(Role.INDEX, SECOND.full, 2).complete(index_result(SECOND.full, version=7))
    after = look(STARTED, LATER, done)
    assert after.create == ()
    assert after.status["index"] == {
        "version": 7,
        "expires": time_of(at(WEEK)),
        "digest": SECOND.full.digest,
    }


DEVICE = a_device()
OLD = a_roster(V1, STABLE, DEVICE)
URGENT = a_roster(V1.with_spec("revoked", True), V2, STABLE, DEVICE)
FLEET = signed(granted(a_trusting_target(), OLD.at(NOW).grants), OLD.at(NOW).full)


def test_a_revocation_waits_for_no_grant() -> None:
    view = URGENT.at(NOW)
    plan = look(FLEET, URGENT)
    assert job_names(plan) == [name_of(Role.INDEX, view.held, 2)]
    started = FLEET.after(plan)
    done = job_of(Role.INDEX, view.held, 2).complete(index_result(view.held))
    grants = look(started, URGENT, done)
    assert grants.status["index"]["digest"] == view.held.digest
    assert job_names(grants) == [name_of(Role.GRANT, view.grants, 2)]
    # Then comes what was granted: the version that the channel falls back to.
    rest = granted(started.after(grants), view.grants)
    assert job_names(look(rest, URGENT)) == [name_of(Role.INDEX, view.full, 3)]


def test_what_is_granted_follows_from_what_the_channels_have_noted() -> None:
    """Before, devices would lose what the index names by now: it counts as one version too many."""
    moved = a_roster(V1, V2, a_channel().listing("1.1.0", "1.0.0"), DEVICE)
    gone = (V1, DEVICE)  # the object of 1.1.0 is deleted, and the release retained
    target = signed(granted(a_trusting_target(), moved.at(NOW).grants), moved.at(NOW).full)
    behind = a_roster(*gone, STABLE, former=[moved.at(NOW).full])
    assert look(target, behind).create == ()
    noted = a_roster(*gone, a_channel().listing("1.1.0", "1.0.0"), former=[moved.at(NOW).full])
    assert noted.at(NOW).grants.digest == moved.at(NOW).grants.digest
    assert job_names(look(target, noted)) == [name_of(Role.INDEX, noted.at(NOW).full, 2)]
    # One that is being deleted notes nothing any more: nobody waits for it.
    dropped = a_roster(*gone, STABLE.being_deleted(), former=[moved.at(NOW).full])
    assert job_names(look(target, dropped)) == [name_of(Role.GRANT, dropped.at(NOW).grants, 2)]


def test_nor_does_a_revocation_wait_for_that() -> None:
    named = a_roster(V1, V2.with_status(trust="signed"), a_channel().listing("1.1.0"), DEVICE)
    target = signed(granted(a_trusting_target(), named.at(NOW).grants), named.at(NOW).full)
    revoked = V1.with_spec("revoked", True)
    behind = a_roster(revoked, V2, STABLE, DEVICE, former=[named.at(NOW).full])
    assert job_names(look(target, behind)) == [name_of(Role.INDEX, behind.at(NOW).held, 2)]


def test_nor_for_one_that_is_being_made() -> None:
    view = URGENT.at(NOW)
    running = job_of(Role.GRANT, view.grants, 2)
    granting = FLEET.after(look(FLEET, a_roster(V1, V2, STABLE, DEVICE)))
    plan = look(granting, URGENT, running.active())
    assert job_names(plan) == [name_of(Role.INDEX, view.held, 2)]
    assert {name: len(parts) for name, parts in plan.inputs.items()} == {
        name_of(Role.GRANT, view.grants, 2): 1,
        name_of(Role.INDEX, view.held, 2): 1,
    }
    # Beside them nothing else is started, whichever ends first.
    both = granting.after(plan)
    index = job_of(Role.INDEX, view.held, 2)
    assert look(both, URGENT, running.active(), index.active()).create == ()
    signed_first = look(both, URGENT, running.active(), index.complete(index_result(view.held)))
    assert (signed_first.create, signed_first.status["index"]["digest"]) == ((), view.held.digest)
    done = running.complete(grant_result(view.grants))
    assert look(both, URGENT, done, index.active()).create == ()


def test_nor_does_an_index_grow_old_while_grants_are_being_made() -> None:
    roster = a_roster(V1, V2, STABLE, DEVICE)
    view = roster.at(NOW)
    granting = FLEET.after(look(FLEET, roster))
    running = job_of(Role.GRANT, view.grants, 2).running()
    early = look(granting, roster, running, now=at(HALF - 1), supplied=[running])
    assert (early.create, early.requeue_after) == ((), 1)
    plan = look(granting, roster, running, now=at(HALF), supplied=[running])
    assert job_names(plan) == [name_of(Role.INDEX, view.held, 2)]


def test_an_index_does_not_grow_old_while_grants_cannot_be_made() -> None:
    view = a_roster(V1, V2, STABLE, DEVICE).at(NOW)
    waiting = FLEET.with_status(
        tasks=[
            *FLEET.document["status"]["tasks"][1:],
            {
                "name": "grant",
                "started": 2,
                "waits": 9,
                "watched": f"{view.grants.digest[:16]} 1",
                "lastEnd": {"attempt": 2, "reason": "RemoteUnavailable", "time": time_of(NOW)},
                "notBefore": time_of(at(WEEK)),
            },
        ]
    )
    roster = a_roster(V1, V2, STABLE, DEVICE)
    assert look(waiting, roster, now=at(HALF - 1)).create == ()
    plan = look(waiting, roster, now=at(HALF))
    assert job_names(plan) == [name_of(Role.INDEX, view.held, 2)]
    assert says(plan)[2] == "RemoteUnavailable"


def test_a_version_expires_while_nobody_does_anything() -> None:
    short = a_listable_release("1.0.5").with_spec("notAfter", time_of(at(100)))
    roster = a_roster(V1, short, a_channel().listing("1.0.5", "1.0.0"))
    target = signed(a_trusting_target(), roster.at(NOW).full)
    plan = look(target, roster)
    assert (plan.create, plan.requeue_after) == ((), 100)
    assert len(look(target, roster, now=at(100)).create) == 1


@pytest.mark.parametrize(
    ("code", "letters", "reason"),
    [
        (65, "FFT", "IntegrityFailed"),
        (66, "FTF", "InputMissing"),
        (77, "FTF", "CredentialsRefused"),
    ],
)
def test_what_went_wrong_is_told_with_the_time_that_is_left(
    code: int, letters: str, reason: str
) -> None:
    end = job_of(Role.INDEX, SECOND.full, 2).failed(code, "why it failed")
    plan = look(STARTED, LATER, end)
    assert says(plan)[1:3] == (letters, reason)
    assert says(plan)[3].startswith("index: why it failed; again at 2026-11-24T12:0")
    assert says(plan)[3].endswith("the last index expires at 2026-12-01T12:00:00Z")


def test_what_a_failed_job_may_have_listed_is_taken_back() -> None:
    other = a_roster(V1, V2.with_status(trust="signed"), STABLE)
    back = a_roster(V1, V2.with_status(trust="signed"), a_channel("1.0.0").listing("1.0.0"))
    target = signed(a_trusting_target(), back.at(NOW).full)
    started = target.after(look(target, other))
    end = job_of(Role.INDEX, other.at(NOW).full, 2).failed(69)
    waiting = started.after(look(started, back, end))
    assert look(waiting, back, now=at(9)).create == ()
    again = look(waiting, back, now=at(10))
    assert job_names(again) == [name_of(Role.INDEX, back.at(NOW).full, 3)]


def test_a_deadline_is_followed_by_another_try() -> None:
    end = job_of(Role.INDEX, SECOND.full, 2).failed_without_pod("DeadlineExceeded")
    stalled = STARTED.after(look(STARTED, LATER, end))
    assert look(stalled, LATER, now=at(200)).create == ()
    assert job_names(look(stalled, LATER, now=at(300))) == [name_of(Role.INDEX, SECOND.full, 3)]


def test_new_keys_or_a_new_root_are_used_at_once() -> None:
    other = TARGET.with_trust(releaseKeySecretRef={"name": "another"}).of_generation(2)
    assert job_names(look(other, ROSTER)) == [name_of(Role.INDEX, FIRST.full, 2)]
    assert job_names(look(TARGET.requested_at(NOW), ROSTER)) == [name_of(Role.INDEX, FIRST.full, 2)]


def test_a_job_is_told_which_index_was_there() -> None:
    first = look(a_trusting_target(), ROSTER).create[0]
    assert "knownVersion" not in task_of(first)
    assert task_of(look(TARGET, LATER).create[0])["knownVersion"] == 1


def test_trust_is_taken_away() -> None:
    target = TARGET.with_spec("trust", None)
    plan = look(target, LATER)
    assert plan.create == ()
    assert target.after(plan).build().status.index is None
