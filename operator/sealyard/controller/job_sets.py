"""Looks at JobSets now and then. Their kind may be missing, and may come while the operator runs.

A watch would end with an error where there is no such kind. What matters of a JobSet that runs is
seen at once anyway, in its pods; here its end is seen, and that it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable

from sealyard.controller.caches import Caches
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.listing import RETRY_SECONDS, Lister
from sealyard.controller.resources import JOB_SETS, RUNS, Key

LOOK_SECONDS = 3.0
LOOK_FOR_KIND_SECONDS = 10.0
GONE = 404
ABSENT = frozenset({403, GONE})
"""There is no such kind, or no right to it, which is the same to a run."""

logger = logging.getLogger(__name__)


class JobSetLooker:
    """Keeps the caches of JobSets as new as is needed.

    Args:
        lister: lists them.
        caches: told whether there is such a kind.
        concerns: told of the runs that may wait for it.
    """

    def __init__(
        self, lister: Lister, caches: Caches, concerns: Callable[[set[Key]], None]
    ) -> None:
        self._lister = lister
        self._caches = caches
        self._concerns = concerns

    async def fill(self) -> None:
        """Look until it went well: whoever does not know of a JobSet would take it for gone."""
        while True:
            try:
                await self.look()
            except ApiError as error:
                logger.warning("JobSets cannot be listed; tried again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def look(self) -> None:
        """List all JobSets of ours, wherever there is such a kind.

        Raises:
            ApiError: they cannot be listed, and it is not for want of the kind.
        """
        found = [
            namespace for namespace in self._lister.where(JOB_SETS) if await self._list(namespace)
        ]
        self._note(frozenset(found))

    async def _list(self, namespace: str | None) -> bool:
        """Whether there is such a kind to us."""
        try:
            await self._lister.list_all(JOB_SETS, namespace, metadata_only=False)
        except ApiError as error:
            if error.status not in ABSENT:
                raise
            if error.status == GONE:
                # With their kind all of them went.
                self._concerns(self._caches.keep_only(JOB_SETS, namespace, set(), sys.maxsize))
            return False
        return True

    async def look_forever(self) -> None:
        """Look again, soon where there are JobSets."""
        while True:
            soon = bool(self._caches.job_sets_in)
            await asyncio.sleep(LOOK_SECONDS if soon else LOOK_FOR_KIND_SECONDS)
            try:
                await self.look()
            except ApiError as error:
                logger.warning("JobSets cannot be listed: %s", error)

    def _note(self, found: frozenset[str | None]) -> None:
        before = self._caches.job_sets_in
        if found == before:
            return
        logger.info("JobSets can be had in: %s", _named(found))
        self._caches.job_sets_in = found
        known = self._caches.keys()
        self._concerns({key for key in known if key.kind == RUNS.kind})


def _named(namespaces: frozenset[str | None]) -> str:
    if None in namespaces:
        return "all namespaces"
    return ", ".join(sorted(name for name in namespaces if name)) or "none"
