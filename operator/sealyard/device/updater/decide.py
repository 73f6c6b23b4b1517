"""What the updater does next, from what it remembers and what the index says. Pure.

A release is switched to, then proven by the health hook; if that fails, the one before comes back
and the failed one is never tried again. A release that the index lists no longer goes, whatever the
hook thinks of it, and also where what is to take its place fails. What the hook must hear of is
remembered until it has.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sealyard.api.device_api import Health
from sealyard.api.model import Model, Name, SemVer, Sha256

BAD_MAX = 64
"""The most releases that are remembered as bad; the oldest are forgotten first."""


class Event(StrEnum):
    """Why the hook is asked: `SEALYARD_EVENT`."""

    SWITCHED = "switched"
    ROLLED_BACK = "rolled-back"
    WITHDRAWN = "withdrawn"


class Choice(Model):
    """A release, by its manifest: a version may not be published twice, a digest cannot be."""

    version: SemVer
    manifest_sha256: Sha256


class Memory(Model):
    """What the updater remembers of one model.

    Attributes:
        current: what is switched to.
        previous: what was before, and was proven.
        proven: whether the hook has judged `current`. An updater that was killed in between asks
            again.
        variant: the one that was asked for; None for the platform's.
        bad: digests of manifests that the hook has refused, the latest last.
        owed: what the hook is yet to take note of, with exit code 0; a switch is owed while
            `current` is not proven.
    """

    current: Choice | None = None
    previous: Choice | None = None
    proven: bool = True
    variant: Name | None = None
    bad: Annotated[list[Sha256], Field(max_length=BAD_MAX)] = Field(default_factory=list)
    owed: Literal[Event.ROLLED_BACK, Event.WITHDRAWN] | None = None


class Keep(Model):
    """Nothing is to be done."""

    kind: Literal["keep"] = "keep"


class Prove(Model):
    """Ask the hook about what is switched to already."""

    kind: Literal["prove"] = "prove"


class Switch(Model):
    """Bring a release, switch to it, and ask the hook."""

    kind: Literal["switch"] = "switch"
    to: Choice


class Withdraw(Model):
    """Run nothing: what ran is listed no longer, and there is nothing in its place."""

    kind: Literal["withdraw"] = "withdraw"


Action: TypeAlias = Keep | Prove | Switch | Withdraw


def decide(memory: Memory, named: Choice | None, listed: frozenset[str]) -> Action:
    """The next action.

    Args:
        memory: what is remembered.
        named: the release that the channel names now; None if it names none.
        listed: the digests of the releases of this model that the index lists.
    """
    current = memory.current
    is_listed = current is not None and current.manifest_sha256 in listed
    if named is not None and named.manifest_sha256 not in memory.bad and named != current:
        return Switch(to=named)
    if current is None:
        return Keep()
    if not is_listed:
        fallback = _fallback(memory, listed)
        return Withdraw() if fallback is None else Switch(to=fallback)
    return Keep() if memory.proven else Prove()


def instead(memory: Memory, failed: Choice | None, listed: frozenset[str]) -> Action:
    """The action where the decided one failed.

    What is listed goes on. What is not does not wait for its successor: the one before comes back,
    or nothing runs.

    Args:
        memory: what is remembered.
        failed: what could not be switched to; None if it was not even known.
        listed: as in `decide`.
    """
    if memory.current is None or memory.current.manifest_sha256 in listed:
        return Keep()
    fallback = _fallback(memory, listed)
    return Withdraw() if fallback is None or fallback == failed else Switch(to=fallback)


def switched(memory: Memory, to: Choice, variant: str | None = None) -> Memory:
    """The memory once a release is switched to, which is not proven yet.

    What was not proven is no release to come back to; the one before it still is. What was owed
    until now is out of date.
    """
    previous = memory.current if memory.proven else memory.previous
    if previous == to:
        previous = None
    return memory.model_copy(
        update={
            "current": to,
            "previous": previous,
            "proven": False,
            "variant": variant,
            "owed": None,
        }
    )


def judged(memory: Memory, *, healthy: bool, listed: frozenset[str]) -> Memory:
    """The memory once the hook has judged what is switched to; another `current` is a rollback.

    Args:
        memory: with a release that is not proven.
        healthy: what the hook said.
        listed: as in `decide`: what is listed no longer does not come back.
    """
    if healthy or memory.current is None:
        return memory.model_copy(update={"proven": True})
    bad = [*memory.bad, memory.current.manifest_sha256][-BAD_MAX:]
    return memory.model_copy(
        update={
            "current": _fallback(memory, listed),
            "previous": None,
            "proven": True,
            "bad": bad,
            "owed": Event.ROLLED_BACK,
        }
    )


def withdrawn(memory: Memory) -> Memory:
    """The memory once nothing is switched to any more."""
    return memory.model_copy(
        update={"current": None, "previous": None, "proven": True, "owed": Event.WITHDRAWN}
    )


def told(memory: Memory, *, heard: bool) -> Memory:
    """The memory once the hook was told what is owed.

    Args:
        memory: with what is owed.
        heard: whether it took note; else it is told again.
    """
    return memory.model_copy(update={"owed": None}) if heard else memory


def health_of(memory: Memory, named: Choice | None, *, asked: bool) -> Health:
    """What is reported.

    Args:
        memory: after the action.
        named: as in `decide`.
        asked: whether there is a hook at all.
    """
    if memory.current is None:
        return Health.STOPPED
    if named is not None and named.manifest_sha256 in memory.bad:
        return Health.ROLLED_BACK
    return Health.HEALTHY if asked and memory.proven else Health.UNKNOWN


def _fallback(memory: Memory, listed: frozenset[str]) -> Choice | None:
    previous = memory.previous
    if previous is None or previous.manifest_sha256 not in listed:
        return None
    return None if previous.manifest_sha256 in memory.bad else previous
