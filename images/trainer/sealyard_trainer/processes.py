"""Trains with several processes, one for each GPU, by the launcher behind the command `torchrun`.

This process stays what the pod runs. It has looked at the dataset and holds the lock; it ends the
others on SIGTERM, and gives the answer. The first of them records what they do.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sealyard.errors import InvalidError, SealyardError
from sealyard.jobs.harness import EXIT_FAULT, prepare_process
from sealyard.jobs.process import Interrupted, interrupt_on

AFTERMATH_SECONDS = 2.0
"""How long a process that fails unexpectedly waits before it ends. One that only lost another must
not be taken for the cause: who looks sees the other one first."""
POLL_SECONDS = 0.2
SHUTDOWN_SECONDS = 20
"""From SIGTERM to SIGKILL of the others; well within the pod's grace."""
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
    if count == 1:
        return
    batch = arguments["batch"]
    if batch % count:
        raise InvalidError(
            f"spec.hyperparameters.batch is {batch} and {count} processes train; "
            f"a multiple of {count} is wanted"
        )
    if arguments.get("rect"):
        raise InvalidError(
            f"spec.hyperparameters.extra.rect is true and {count} processes train; leave it out"
        )


def in_processes(
    count: int,
    lead: Callable[[AssignmentT], ResultT],
    support: Callable[[AssignmentT], None],
    assignment: AssignmentT,
    private: Path,
) -> ResultT:
    """What the first process gives.

    Args:
        count: how many processes there are.
        lead: what the first one does.
        support: what each of the others does.
        assignment: given to all of them, in another process: it must pickle.
        private: a folder that only they see.

    Raises:
        Ended: one of them did not end well.
        Interrupted: SIGTERM.
    """
    # PyTorch takes seconds and hundreds of megabytes, which most runs need only in one process.
    from torch.distributed.elastic.multiprocessing import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch  # noqa: PLC0415

    for chatty in ("torch.distributed", "torch.multiprocessing"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="sealyard",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
        monitor_interval=POLL_SECONDS,
        signals_to_handle="SIGTERM",
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    handler = signal.getsignal(signal.SIGTERM)
    try:
        results = elastic_launch(config, _one_of_several)(lead, support, assignment, private)
    except SignalException as error:
        raise Interrupted(INTERRUPTED) from error
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise ended(rank, count, failure.exitcode, private) from error
    finally:
        signal.signal(signal.SIGTERM, handler)
    result: ResultT = results[0]
    return result


def _one_of_several(
    lead: Callable[[AssignmentT], ResultT],
    support: Callable[[AssignmentT], None],
    assignment: AssignmentT,
    private: Path,
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
    except SealyardError as error:
        code, message = error.exit_code, str(error)
    except Interrupted as interruption:
        code, message = interruption.exit_code, str(interruption)
    except Exception as error:
        logger.exception("unexpected fault in process %d", rank)
        code, message = EXIT_FAULT, f"unexpected {type(error).__name__}"
    else:
        return result
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if code == EXIT_FAULT:
        time.sleep(AFTERMATH_SECONDS)
    _last_words(private, rank).write_text(message)
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
        message = f"{message} in {who}; the pod's log has the traceback"
    return Ended(message, code)


def _last_words(private: Path, rank: int) -> Path:
    return private / f"last-words-{rank}"
