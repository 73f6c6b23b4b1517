"""What is reported to the operator: by whom, of what, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from sealyard.api.filing import FILING_PATH, FilingReport
from sealyard.api.model import Model
from sealyard.api.progress import PROGRESS_PATH, ProgressReport
from sealyard.controller.caches import Caches
from sealyard.controller.progress_auth import check_router, check_trainer
from sealyard.controller.progress_status import filing_body, progress_body
from sealyard.controller.resources import ROUTES, RUNS, Key, Resource

R = TypeVar("R", bound=Model)


@dataclass(frozen=True, slots=True)
class ReportKind(Generic[R]):
    """One kind of report."""

    path: str
    """Where it is posted."""
    type: type[R]
    resource: Resource
    """Of the object that it is about."""
    check: Callable[[Caches, R, str], Key]
    """The key of that object, if the pod of this uid may speak for it; else `NotThePodError`, or
    `FinishedError`."""
    body: Callable[[R, datetime], dict[str, Any]]
    """What is applied to the object's status."""
    decides: bool
    """A decision depends on it, so that the object is looked at again."""


PROGRESS: Final = ReportKind(
    PROGRESS_PATH, ProgressReport, RUNS, check_trainer, progress_body, decides=False
)
FILING: Final = ReportKind(
    FILING_PATH, FilingReport, ROUTES, check_router, filing_body, decides=True
)
ALL: Final[tuple[ReportKind[Any], ...]] = (PROGRESS, FILING)
