"""The frame around every Job program: read the task, run it, answer, exit.

A program's `main` is one call of `run_program`. Its work is a function from a task and the mounts
to an `Answer`; it fails by raising. What the operator reads from that is fixed here once:

- `SealyardError` becomes its exit code and its message the answer, and so does a full volume;
- SIGTERM, or a newer pod at the same work, becomes 143 after every `finally` has run;
- anything else is a fault: exit code 70, the traceback in the log and not in the answer.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from sealyard.api.answers import Answer
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.tasks import TASK_VERSION, Task
from sealyard.errors import InvalidError, SealyardError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.process import Interrupted, interrupt_on, keep_private
from sealyard.jobs.storage import storage_fault

EXIT_FAULT = 70
SHOWN_PROBLEMS = 3

logger = logging.getLogger(__name__)

TaskT = TypeVar("TaskT", bound=Task)


@dataclass(frozen=True, slots=True)
class Handler(Generic[TaskT]):
    """What a program does with one kind of task."""

    kind: str
    task_type: type[TaskT]
    run: Callable[[TaskT, Mounts], Answer]


def run_program(
    name: str,
    handlers: Sequence[Handler[Any]],
    *,
    arguments: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run the task in the environment and give the exit code.

    Args:
        name: What the program is called, in its help and its log.
        handlers: One for each kind of task that it understands.
        arguments: The command line without the program's name; it may only move the mounts.
        environment: Where the task is; the process's own by default.
    """
    prepare_process()
    mounts = _parse_arguments(name, arguments)
    interrupt_on({signal.SIGTERM: "interrupted by SIGTERM; the next attempt goes on from here"})
    try:
        exit_code, answer = _attempt(
            handlers, os.environ if environment is None else environment, mounts
        )
    except Interrupted as interruption:
        exit_code, answer = interruption.exit_code, Answer(message=str(interruption))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if exit_code:
        print(f"{name}: {answer.message}", file=sys.stderr, flush=True)  # noqa: T201 - for people
    else:
        logger.info("done: %s", answer.message)
    _write_answer(mounts.termination_message, answer.encode())
    return exit_code


def _attempt(
    handlers: Sequence[Handler[Any]], environment: Mapping[str, str], mounts: Mounts
) -> tuple[int, Answer]:
    try:
        answer = _run(handlers, environment, mounts)
        answer.encode()
    except Exception as error:  # noqa: BLE001 - it is told, as an error of ours or a fault
        return failed(error, mounts)
    return 0, answer


def failed(error: Exception, mounts: Mounts) -> tuple[int, Answer]:
    """The exit code and the answer of a program whose work ended so; a fault is logged."""
    if isinstance(error, SealyardError):
        return error.exit_code, Answer(message=_one_line(str(error)))
    if (fault := storage_fault(error, mounts)) is not None:
        logger.info("the trace of it", exc_info=error)
        return fault.exit_code, Answer(message=_one_line(str(fault)))
    logger.error("unexpected fault", exc_info=error)
    name = type(error).__name__
    return EXIT_FAULT, Answer(message=f"unexpected {name}; the pod's log has the traceback")


def _one_line(message: str) -> str:
    return " ".join(message.split())[:1024]


def _run(
    handlers: Sequence[Handler[Any]], environment: Mapping[str, str], mounts: Mounts
) -> Answer:
    handler, task = _select(handlers, environment)
    logger.info(
        "%s for %s/%s, attempt %d",
        handler.kind,
        task.owner.namespace,
        task.owner.name,
        task.attempt,
    )
    return handler.run(task, mounts)


def _select(
    handlers: Sequence[Handler[Any]], environment: Mapping[str, str]
) -> tuple[Handler[Any], Task]:
    text = environment.get(TASK_VARIABLE)
    if text is None:
        raise InvalidError(f"{TASK_VARIABLE} is not set; the operator puts the task there")
    try:
        envelope = _Envelope.model_validate_json(text)
        if envelope.task_version > TASK_VERSION:
            raise InvalidError(
                f"the task has version {envelope.task_version} and this image understands up to "
                f"{TASK_VERSION}; use the image that belongs to the operator's version"
            )
        for handler in handlers:
            if handler.kind == envelope.kind:
                return handler, handler.task_type.model_validate_json(text)
    except ValidationError as error:
        raise InvalidError(f"{TASK_VARIABLE}: {describe_validation(error)}") from error
    kinds = ", ".join(handler.kind for handler in handlers)
    raise InvalidError(f"{TASK_VARIABLE}: kind is {envelope.kind!r}; this program does {kinds}")


class _Envelope(Task):
    """What is read first, to choose the type of the whole."""

    kind: str


def describe_validation(error: ValidationError) -> str:
    """The first problems of a document in one line, each with its field and without its value."""
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    more = len(problems) - SHOWN_PROBLEMS
    return "; ".join(problems[:SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _write_answer(path: Path, encoded: bytes) -> None:
    try:
        # In place: the file is a mount of its own, which nothing can be renamed onto.
        path.write_bytes(encoded)
    except OSError as error:
        # The exit code still counts, and an answer that is missing is asked for again.
        logger.warning("cannot write the answer to %s: %s", path, error.strerror)


def _parse_arguments(name: str, arguments: Sequence[str] | None) -> Mounts:
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"Runs the Sealyard task in the environment variable {TASK_VARIABLE}.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(Mounts):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(
            option, type=Path, default=field.default, metavar="PATH", help="default: %(default)s"
        )
    paths = vars(parser.parse_args(arguments))
    # A program may change its working directory.
    return Mounts(**{name: path.absolute() for name, path in paths.items()})


def prepare_process() -> None:
    """Log as every program of ours does, and leave nothing that others may read."""
    keep_private(0o027)
    faulthandler.enable()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03d"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "botocore", "boto3", "urllib3", "s3transfer", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
