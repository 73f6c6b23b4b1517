"""The grants: a Job whenever what they are made for changes, and before what they are for."""

from __future__ import annotations

import pytest

from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.secrets import Role
from support.builders import (
    NOW,
    SETTINGS,
    a_release_target,
    at,
    job_names,
    ledger,
    says,
)
from support.errands import (
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
ROSTER = a_roster(V1, a_channel().listing("1.0.0"), a_device())
LATER = a_roster(V1, V2, a_channel().listing("1.0.0"), a_device())
FIRST, SECOND = ROSTER.at(NOW), LATER.at(NOW)
TARGET = signed(granted(a_trusting_target(), FIRST.grants), FIRST.full)
STARTED = TARGET.after(look(TARGET, LATER))


def job(attempt: int = 2) -> str:
    return name_of(Role.GRANT, SECOND.grants, attempt)


def test_without_devices_nothing_is_granted() -> None:
    plan = look(a_release_target(), a_roster(V1, a_channel()))
    assert (plan.create, says(plan)[2]) == ((), "Probed")
    assert "grants" not in plan.status


def test_a_target_without_trust_has_devices_too() -> None:
    plan = look(a_release_target(), ROSTER)
    assert job_names(plan) == [name_of(Role.GRANT, FIRST.grants)]


def test_nothing_has_changed() -> None:
    plan = look(TARGET, ROSTER)
    assert (plan.create, plan.inputs, says(plan)[1:3]) == ((), {}, ("TFF", "Probed"))


def test_what_is_new_is_granted_before_it_is_listed() -> None:
    plan = look(TARGET.after(look(TARGET, ROSTER)), LATER)
    assert job_names(plan) == [job()]
    assert "".join(plan.inputs[job()]).encode() == SECOND.grants.text
    assert says(plan)[1:3] == ("TFF", "Probed"), "the target is no worse for it"
    assert plan.events == ()
    kept = ledger(plan.status, "grant")
    assert (kept["started"], kept["watched"]) == (2, f"{SECOND.grants.digest[:16]} 1")


def test_while_a_job_runs_nothing_else_is_started() -> None:
    live = job_of(Role.GRANT, SECOND.grants, 2)
    for running in (live.active(), live.running()):
        plan = look(STARTED, LATER, running, supplied=[running])
        assert (plan.create, plan.delete, plan.inputs) == ((), (), {})


def test_when_it_is_done_its_digest_stays_and_the_index_is_next() -> None:
    done = job_of(Role.GRANT, SECOND.grants, 2).complete(grant_result(SECOND.grants))
    plan = look(STARTED, LATER, done)
    assert plan.status["grants"] == {"digest": SECOND.grants.digest, "devices": 1}
    assert job_names(plan) == [name_of(Role.INDEX, SECOND.full, 2)]


def test_what_was_not_granted_is_told_once_and_keeps_nobody_waiting() -> None:
    result = {**grant_result(SECOND.grants), "failed": 5, "failures": ["device a: no key"]}
    done = job_of(Role.GRANT, SECOND.grants, 2).complete(result)
    plan = look(STARTED, LATER, done)
    assert plan.status["grants"]["digest"] == SECOND.grants.digest
    assert [(event.type, event.reason, event.message) for event in plan.events] == [
        ("Warning", "NotGranted", "5 failed, all else is done: device a: no key; and 4 more")
    ]
    assert look(STARTED.after(plan), LATER, done).events == ()


def test_an_end_for_other_input_is_followed_by_the_next() -> None:
    done = job_of(Role.GRANT, SECOND.grants, 2).complete(grant_result(SECOND.grants))
    more = a_roster(V1, V2, a_device(), a_device(2))
    plan = look(STARTED, more, done)
    assert plan.status["grants"]["digest"] == SECOND.grants.digest
    assert job_names(plan) == [name_of(Role.GRANT, more.at(NOW).grants, 3)]
    assert [key.uid for key in plan.delete] == [done.uid], "and its input with it"


def test_an_answer_about_other_input_than_the_job_s_is_none() -> None:
    done = job_of(Role.GRANT, SECOND.grants, 2).complete(grant_result(FIRST.grants))
    plan = look(STARTED, LATER, done)
    assert plan.status["grants"]["digest"] == FIRST.grants.digest
    assert ledger(plan.status, "grant")["lastEnd"]["reason"] == "NoAnswer"


def test_an_operator_that_was_killed_gives_its_job_the_input() -> None:
    waiting = job_of(Role.GRANT, SECOND.grants, 2).active()
    plan = look(TARGET, LATER, waiting)
    assert (plan.create, plan.delete) == ((), ())
    assert list(plan.inputs) == [waiting.name]
    assert "".join(plan.inputs[waiting.name]).encode() == SECOND.grants.text
    # It has its input, or that is known no more: then it is replaced.
    assert look(TARGET, LATER, waiting, supplied=[waiting]).inputs == {}
    other = look(TARGET, ROSTER, waiting)
    assert [key.uid for key in other.delete] == [waiting.uid]
    assert other.inputs == {}
    running = job_of(Role.GRANT, SECOND.grants, 2).running()
    assert look(TARGET, ROSTER, running).delete == ()
    ended = job_of(Role.GRANT, SECOND.grants, 2).complete(grant_result(SECOND.grants))
    assert look(TARGET, LATER, ended).status["grants"]["digest"] == SECOND.grants.digest


@pytest.mark.parametrize(
    ("code", "reason"),
    [(66, "InputMissing"), (69, "RemoteUnavailable"), (77, "CredentialsRefused")],
    ids=["66", "69", "77"],
)
def test_what_others_mend_is_tried_again(code: int, reason: str) -> None:
    end = job_of(Role.GRANT, SECOND.grants, 2).failed(code, "why it failed")
    plan = look(STARTED, LATER, end)
    assert plan.create == ()
    assert says(plan)[1:] == (
        "FTF",
        reason,
        (
            "grant: why it failed; again at 2026-11-24T12:00:10Z, or at once when the annotation "
            "sealyard.io/requestedAt gets a new time"
        ),
    )
    assert plan.requeue_after == 10
    waiting = STARTED.after(plan)
    # Other input is no reason to ask again a store that does not answer; somebody's word is.
    more = a_roster(V1, V2, a_device(), a_device(2))
    assert look(waiting, more, now=at(9)).create == ()
    assert len(look(waiting, more, now=at(10)).create) == 1
    assert job_names(look(waiting.requested_at(at(1)), LATER, now=at(1))) == [job(3)]
    assert job_names(look(waiting.of_generation(2), LATER, now=at(1))) == [job(3)]


def test_what_is_refused_as_wrong_is_tried_again_when_it_is_another() -> None:
    end = job_of(Role.GRANT, SECOND.grants, 2).failed(64, "no such variant")
    plan = look(STARTED, LATER, end)
    assert says(plan)[1:3] == ("FFT", "InvalidInput")
    stalled = STARTED.after(plan)
    assert look(stalled, LATER, now=at(299)).create == ()
    assert job_names(look(stalled, LATER, now=at(300))) == [job(3)]
    assert len(look(stalled, a_roster(V1, V2, a_device(2)), now=at(1)).create) == 1


@pytest.mark.parametrize("code", [64, 69, 137, 1])
def test_what_a_failed_job_may_have_done_is_undone(code: int) -> None:
    """Suspended, let in by a Job that failed then, and suspended again: the input is as before."""
    suspended = a_roster(V1, a_device().with_spec("suspend", True))
    opened = a_roster(V1, a_device())
    told = granted(a_release_target(), suspended.at(NOW).grants)
    started = told.after(look(told, opened))
    end = job_of(Role.GRANT, opened.at(NOW).grants, 2).failed(code)
    plan = look(started, suspended, end)
    target = started.after(plan)
    if not plan.create:
        assert plan.requeue_after
        plan = look(target, suspended, now=at(plan.requeue_after))
    assert job_names(plan) == [name_of(Role.GRANT, suspended.at(NOW).grants, 3)]


def test_the_first_job_failed_and_its_device_is_gone() -> None:
    alone = a_roster(a_device())
    target = a_release_target().after(look(a_release_target(), alone))
    end = job_of(Role.GRANT, alone.at(NOW).grants).failed(64)
    empty = a_roster()
    assert job_names(look(target, empty, end)) == [name_of(Role.GRANT, empty.at(NOW).grants, 2)]


def test_faults_are_bounded_and_nobody_is_given_up() -> None:
    target, now, created = TARGET, NOW, 0
    for attempt in range(2, 9):
        plan = look(target, LATER, now=now)
        created += len(plan.create)
        target = target.after(plan)
        if not plan.create:
            break
        end = job_of(Role.GRANT, SECOND.grants, attempt).failed(1, at=now)
        target = target.after(look(target, LATER, end, now=now))
        now = at(400 * (attempt - 1))
        if says(look(target, LATER, now=now))[1] == "FFT":
            break
    assert created == 1 + SETTINGS.release_backoff_limit
    assert len(look(target, LATER, now=now).create) == 1


def test_somebody_asks_for_the_same_grants_again() -> None:
    plan = look(TARGET.requested_at(NOW), ROSTER)
    assert job_names(plan) == [name_of(Role.GRANT, FIRST.grants, 2)]
    after = TARGET.requested_at(NOW).after(plan)
    done = job_of(Role.GRANT, FIRST.grants, 2).complete(grant_result(FIRST.grants))
    assert job_names(look(after, ROSTER, done)) == [name_of(Role.INDEX, FIRST.full, 2)]


def test_a_request_is_heard_once_however_long_it_is() -> None:
    asking = TARGET._with("metadata.annotations", {REQUESTED_AT_ANNOTATION: "9" * 400})
    after = asking.after(look(asking, ROSTER))
    done = job_of(Role.GRANT, FIRST.grants, 2).complete(grant_result(FIRST.grants))
    index = look(after, ROSTER, done)
    assert job_names(index) == [name_of(Role.INDEX, FIRST.full, 2)]
    after = after.after(index)
    indexed = job_of(Role.INDEX, FIRST.full, 2).complete(index_result(FIRST.full))
    assert look(after, ROSTER, done, indexed, now=at(600)).create == ()
    assert len(ledger(index.status, "grant")["watched"]) <= 256


def test_the_last_device_is_gone() -> None:
    rest = a_roster(V1, a_channel().listing("1.0.0"))
    plan = look(TARGET, rest)
    assert job_names(plan) == [name_of(Role.GRANT, rest.at(NOW).grants, 2)]


def test_a_name_that_is_taken() -> None:
    plan = look(TARGET, LATER, foreign_jobs=(job(),))
    assert (plan.create, plan.inputs) == ((), {})
    assert says(plan)[1:] == (
        "FFT",
        "NameTaken",
        f"Job {job()} belongs to somebody else: delete it, and it goes on",
    )


def test_a_pod_that_cannot_start_is_told() -> None:
    stuck = job_of(Role.GRANT, SECOND.grants, 2).waiting("ImagePullBackOff", "no such image")
    assert says(look(STARTED, LATER, stuck, supplied=[stuck]))[1:3] == ("FTF", "PodNotStarted")


def test_a_spec_that_no_job_could_work_with_starts_none() -> None:
    plan = look(TARGET.with_spec("cdn.bucket", "a..b"), LATER)
    assert (plan.create, plan.inputs, says(plan)[2]) == ((), {}, "InvalidSpec")
