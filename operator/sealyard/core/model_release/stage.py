"""One stage of a release: start what may start, show what runs, wait for what must wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sealyard.api.attempts import Attempts, EndReason
from sealyard.api.conditions import Reason
from sealyard.core import attempts, live
from sealyard.core.attempts import Work
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import JobKey, Plan
from sealyard.core.queue import MOVED, waits_elsewhere


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work of the stage, and how the Job of an attempt is built."""

    work: Work[Any]
    build: Callable[[int], dict[str, Any]]


def carry_on(
    situation: Situation,
    pieces: Sequence[Piece],
    *,
    reason: Reason,
    doing: str,
    status: dict[str, Any],
    at_once: int = 1,
    held: State | None = None,
) -> Plan:
    """The Plan of a stage that is not done.

    Args:
        situation: the release.
        pieces: the stage's work, done or not.
        reason: the reason shown while Jobs run.
        doing: the message shown while Jobs run; the names of the Jobs are added.
        status: fields that the stage pins.
        at_once: how many Jobs may run side by side.
        held: what keeps a Job from starting, for now.
    """
    running = [piece.work.job for piece in pieces if piece.work.job]
    idle = [piece for piece in pieces if not piece.work.job and not piece.work.ledger.done]
    waits = {
        piece.work.ledger.name: attempts.seconds_to_wait(
            piece.work, now=situation.now, watched=situation.watched
        )
        for piece in idle
    }
    due = [piece for piece in idle if waits[piece.work.ledger.name] <= 0]
    starting = due[: max(at_once - len(running), 0)] if held is None else []
    jobs = tuple(piece.build(piece.work.next_attempt) for piece in starting)
    names = [job["metadata"]["name"] for job in jobs]
    taken = [name for name in names if name in situation.foreign_jobs]
    if taken:
        return situation.decide(situation.phase, _name_taken(taken[0]))

    waiting = [piece.work for piece in idle if waits[piece.work.ledger.name] > 0]
    names = [*(job.name for job in running), *names]
    troubles = (live.trouble(job, now=situation.now) for job in running)
    state = next((state for state in troubles if state), None)
    if state is None and waiting:
        state = _waiting(waiting[0])
    if state is None and not running:
        state = held
    if state is None:
        state = under_way(reason, f"{doing} in Job {', '.join(names)}")
    again = [live.look_again(job, situation.now) for job in running]
    again += [seconds for seconds in waits.values() if seconds > 0]
    moving = _waiting_elsewhere(situation, pieces)
    return situation.decide(
        "Exporting" if situation.phase == "Pending" else situation.phase,
        state,
        ledgers=(
            *(attempts.start(piece.work.ledger, watched=situation.watched) for piece in starting),
            *moving.values(),
        ),
        status=status,
        create=jobs,
        delete=tuple(moving),
        requeue_after=min((seconds for seconds in again if seconds is not None), default=None),
        quiet=_nothing_new(pieces, waiting),
    )


def _waiting_elsewhere(situation: Situation, pieces: Sequence[Piece]) -> dict[JobKey, Attempts]:
    """The Jobs that wait in another queue than the spec names, with the ledgers without them."""
    wanted = situation.release.spec.queue_name
    return {
        JobKey(job.namespace, job.name, job.uid): attempts.interrupt(
            piece.work.ledger, EndReason.SUSPENDED, MOVED, now=situation.now, epoch=None
        )
        for piece in pieces
        if (job := piece.work.job) and waits_elsewhere(job, wanted)
    }


def _waiting(work: Work[Any]) -> State:
    reason, message = attempts.reason_to_wait(work)
    return under_way(reason, f"{work.ledger.name}: {message}; again at {work.ledger.not_before}")


def _name_taken(name: str) -> State:
    return stalled(
        Reason.NAME_TAKEN,
        f"Job {name} belongs to somebody else: delete it, and the release goes on",
    )


def _nothing_new(pieces: Sequence[Piece], waiting: Sequence[Work[Any]]) -> bool:
    """The second wait in a row for the same thing, or another try after one, is no news."""
    if waiting:
        return all(work.ledger.waits > 1 for work in waiting)
    return any(piece.work.ledger.waits > 0 for piece in pieces)
