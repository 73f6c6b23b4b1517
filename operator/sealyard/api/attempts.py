"""The ledger of attempts that a custom resource keeps in its status.

A Job may vanish (TTL, a hand, a node) before or after its end was seen. What must survive that,
how often a piece of work was tried and how it last ended, stands in the status of its owner.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from sealyard.api.model import NAME_PATTERN, Model, Timestamp

TaskName = Annotated[
    str, StringConstraints(pattern=NAME_PATTERN.replace("61", "77"), max_length=79)
]
"""`train`, `publish`, `verify`, `tidy`, `probe`, `grant`, `index`, `export-` and the name of a
variant, or `rewrap-` and its generation."""


class EndReason(StrEnum):
    """How an attempt ended, in one word."""

    DONE = "Done"
    NO_ANSWER = "NoAnswer"
    INVALID_INPUT = "InvalidInput"
    INTEGRITY_FAILED = "IntegrityFailed"
    INPUT_MISSING = "InputMissing"
    REMOTE_UNAVAILABLE = "RemoteUnavailable"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    INTERRUPTED = "Interrupted"
    DISRUPTED = "Disrupted"
    JOB_GONE = "JobGone"
    SUSPENDED = "Suspended"
    STUCK = "Stuck"
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    FAULT = "Fault"
    REOPENED = "Reopened"


class AttemptEnd(Model):
    """How an attempt ended."""

    attempt: Annotated[int, Field(ge=1)]
    exit_code: Annotated[int, Field(ge=0, le=255)] | None = Field(
        default=None,
        description="Absent where none was ever seen: the Job was deleted, or its node was lost.",
    )
    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    message: Annotated[str, StringConstraints(max_length=1024)] | None = None
    time: Timestamp


class Attempts(Model):
    """One piece of work (a role, or a role and a variant) and what became of its Jobs."""

    name: TaskName
    started: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The number of the newest Job that was created; the first is 1."
    )
    failures: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Ends that count against the backoff limit."
    )
    waits: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Ends in a row, for the same reason, that do not count; the delay grows with "
        "them.",
    )
    epoch: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The furthest epoch that an ended attempt had reached."
    )
    idle: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Attempts in a row that ended without a new epoch."
    )
    last_end: AttemptEnd | None = None
    not_before: Timestamp | None = Field(
        default=None, description="When the next attempt starts; absent where it may at once."
    )
    watched: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None,
        description="What the newest attempt was started with (generations, requestedAt): when it "
        "changes, a waiting attempt starts at once.",
    )
    done: bool | None = Field(
        default=None, description="True once an attempt ended with 0 and an answer."
    )
