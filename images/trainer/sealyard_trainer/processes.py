"""Trains with several processes, one for each GPU, by the launcher behind the command `torchrun`.

This process stays what the pod runs. It has looked at the dataset and holds the lock; it ends the
others on SIGTERM, and gives the answer. The first of them records what they do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sealyard.api.shares import why_not_shared
from sealyard.errors import InvalidError
from sealyard.jobs.harness import EXIT_FAULT, failed, prepare_process
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.process import Interrupted, interrupt_on

AFTERMATH_SECONDS = 2.0
"""How long a process that fails unexpectedly waits before it ends. One that only lost another must
not be taken for the cause: who looks sees the other one first."""
POLL_SECONDS = 0.2
SHUTDOWN_SECONDS = 20
"""From SIGTERM to SIGKILL of the others; well within the pod's grace."""
MEETING_SECONDS = 6 * 3600
"""How long a node waits for the first one, which looks at the dataset before it begins."""
INTERRUPTED = "interrupted by SIGTERM; the next attempt goes on from here"

AssignmentT = TypeVar("AssignmentT")
ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


class Ended(Interrupted):
    """One of the processes ended, and so do the others and this one, with its exit code."""


def check_shares(arguments: Mapping[str, Any], count: int) -> None:
    """See that every process gets its share of a batch.

    Raises:
        InvalidError: it cannot be divided, or ultralytics cannot divide it.
    """
    rect = bool(arguments.get("rect"))
    problem = why_not_shared(batch=arguments["batch"], rect=rect, processes=count)
    if problem:
        raise InvalidError(problem)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the processes of several nodes meet."""

    nodes: int
    index: int
    """Of this node; the first is 0, and the others come to it."""
    host: str
    port: int
    name: str
    """The same for all that belong together."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The processes of this node.

    Args:
        count: how many there are.
        private: a folder that only they see.
        mounts: the volumes of the pod.
        meeting: where those of other nodes are met, if there are others.
    """

    count: int
    private: Path
    mounts: Mounts
    meeting: Meeting | None = None

    @property
    def everybody(self) -> int:
        """How many processes there are on all nodes."""
        return self.count * (self.meeting.nodes if self.meeting else 1)


def in_processes(
    crew: Crew,
    lead: Callable[[AssignmentT], ResultT],
    support: Callable[[AssignmentT], None],
    assignment: AssignmentT,
) -> ResultT:
    """What the first process of all gives, on the node that has it.

    Args:
        crew: the processes.
        lead: what the first one does.
        support: what each of the others does.
        assignment: given to all of them, in another process: it must pickle.

    Raises:
        Ended: one of them did not end well.
        Interrupted: SIGTERM.
    """
    result: ResultT = _launch(crew, lead, support, assignment)[0]
    return result


def beside_another_node(
    crew: Crew, support: Callable[[AssignmentT], None], assignment: AssignmentT
) -> None:
    """The same on any other node: all of its processes support those of the first.

    Raises:
        Ended, Interrupted: as `in_processes`.
    """
    _launch(crew, support, support, assignment)


def _launch(
    crew: Crew,
    lead: Callable[[AssignmentT], Any],
    support: Callable[[AssignmentT], None],
    assignment: AssignmentT,
) -> dict[int, Any]:
    """What each process of this node gives, by its number."""
    # PyTorch takes seconds and hundreds of megabytes, which most runs need only in one process.
    from torch.distributed.elastic.multiprocessing import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch  # noqa: PLC0415

    for chatty in ("torch.distributed", "torch.multiprocessing"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        **_rendezvous(crew.meeting),
        nproc_per_node=crew.count,
        max_restarts=0,
        monitor_interval=POLL_SECONDS,
        signals_to_handle="SIGTERM",
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    handler = signal.getsignal(signal.SIGTERM)
    try:
        results: dict[int, Any] = elastic_launch(config, _one_of_several)(
            lead, support, assignment, crew
        )
    except SignalException as error:
        raise Interrupted(INTERRUPTED) from error
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise ended(rank, crew.everybody, failure.exitcode, crew.private) from error
    finally:
        signal.signal(signal.SIGTERM, handler)
    return results


def _rendezvous(meeting: Meeting | None) -> dict[str, Any]:
    """How the launcher is told where its like are."""
    if meeting is None:
        return {
            "min_nodes": 1,
            "max_nodes": 1,
            "run_id": "sealyard",
            "rdzv_backend": "c10d",
            "rdzv_endpoint": "localhost:0",
            "local_addr": "localhost",
        }
    return {
        "min_nodes": meeting.nodes,
        "max_nodes": meeting.nodes,
        "run_id": meeting.name,
        "rdzv_backend": "static",
        "rdzv_endpoint": f"{meeting.host}:{meeting.port}",
        "rdzv_configs": {"rank": meeting.index, "timeout": MEETING_SECONDS},
    }


def _one_of_several(
    lead: Callable[[AssignmentT], ResultT],
    support: Callable[[AssignmentT], None],
    assignment: AssignmentT,
    crew: Crew,
) -> ResultT | None:
    """The whole life of one of the processes; its rank is in the environment by now."""
    prepare_process()
    interrupt_on({signal.SIGTERM: INTERRUPTED})
    rank, result = int(os.environ["RANK"]), None
    try:
        if rank == 0:
            result = lead(assignment)
        else:
            support(assignment)
    except Interrupted as interruption:
        code, message = interruption.exit_code, str(interruption)
    except Exception as error:  # noqa: BLE001 - it is told, as an error of ours or a fault
        code, answer = failed(error, crew.mounts)
        message = answer.message
    else:
        return result
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if code == EXIT_FAULT:
        time.sleep(AFTERMATH_SECONDS)
    with contextlib.suppress(OSError):  # the scratch volume may be what is full
        _last_words(crew.private, rank).write_text(message)
    raise SystemExit(code)


def ended(rank: int, count: int, code: int, private: Path) -> Ended:
    """As the exit code and the last words of a process say.

    Args:
        rank: its number.
        count: how many there are.
        code: negative for a signal, as `subprocess` has it.
        private: where its last words are, if it had any.
    """
    who = f"process {rank} of {count}"
    if code < 0:
        return Ended(f"{who} was ended by {signal.Signals(-code).name}", 128 - code)
    try:
        message = _last_words(private, rank).read_text()
    except FileNotFoundError:
        message = f"{who} ended without a word"
    if code == EXIT_FAULT:
        message = f"{who}: {message}"
    return Ended(message, code)


def _last_words(private: Path, rank: int) -> Path:
    return private / f"last-words-{rank}"
