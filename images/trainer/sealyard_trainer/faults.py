"""What is wrong with a dataset: each fault with file and line, the first few in one message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from sealyard.errors import InvalidError

SHOWN_IN_MESSAGE = 3
SHOWN_IN_LOG = 50

logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True, slots=True)
class Fault:
    """One thing that has to be mended before anything can be learnt from the dataset."""

    file: str
    line: int
    """Counted from 1; 0 where it is about the file as a whole."""
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}"


def fail(file: str, line: int, text: str) -> NoReturn:
    """Raise for the one fault that makes looking further pointless.

    Raises:
        InvalidError: always.
    """
    raise InvalidError(f"dataset: {Fault(file, line, text)}")


def refuse(faults: Sequence[Fault]) -> None:
    """Raise if there are faults: the first ones are in the message, more of them in the log.

    Raises:
        InvalidError: there is at least one.
    """
    if not faults:
        return
    for fault in faults[:SHOWN_IN_LOG]:
        logger.error("dataset: %s", fault)
    shown = "; ".join(str(fault)[:240] for fault in faults[:SHOWN_IN_MESSAGE])
    more = len(faults) - SHOWN_IN_MESSAGE
    rest = f"; and {more} more, {len(faults)} faults in all (the log has them)" if more > 0 else ""
    raise InvalidError(f"dataset: {shown}{rest}")
