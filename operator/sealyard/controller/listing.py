"""Lists everything that is watched: once before the first decision, then now and then.

kopf's watches bring every change, but after a gap in a watch (410 Gone) they list again and say
nothing of what vanished meanwhile. The sweep does: whatever a complete listing does not hold is
forgotten. It asks for metadata only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sealyard.controller.caches import Caches
from sealyard.controller.kubernetes_api import ApiError, Document, KubernetesApi
from sealyard.controller.resources import WATCHED, Key, Resource

RETRY_SECONDS = 2.0
FIRST_SWEEP_SECONDS = 30.0
SWEEP_SECONDS = 600.0

logger = logging.getLogger(__name__)


class Lister:
    """Fills and sweeps the caches.

    Args:
        api: the API server.
        caches: what is filled.
        namespaces: those that are watched; none means all.
        concerns: told which custom resources a change concerns.
    """

    def __init__(
        self,
        api: KubernetesApi,
        caches: Caches,
        namespaces: Sequence[str],
        concerns: Callable[[set[Key]], None],
    ) -> None:
        self._api = api
        self._caches = caches
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._concerns = concerns

    async def fill(self) -> None:
        """List every watched resource in full. Goes on trying until all of it is there."""
        for resource in WATCHED:
            for namespace in self.where(resource):
                while True:
                    try:
                        await self.list_all(resource, namespace, metadata_only=False)
                        break
                    except ApiError as error:
                        logger.warning(
                            "%s cannot be listed, again in %.0f s (are the CRDs and the role "
                            "installed?): %s",
                            resource.plural,
                            RETRY_SECONDS,
                            error,
                        )
                        await asyncio.sleep(RETRY_SECONDS)

    async def sweep_forever(self) -> None:
        """Forget what vanished unseen: soon after the watches began, then every ten minutes."""
        delay = FIRST_SWEEP_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = SWEEP_SECONDS
            try:
                await self.sweep()
            except Exception:
                logger.exception("a sweep failed; the next comes in %.0f s", delay)

    async def sweep(self) -> None:
        """Forget what vanished unseen. What cannot be listed is left for the next time."""
        for resource in WATCHED:
            for namespace in self.where(resource):
                try:
                    await self.list_all(resource, namespace, metadata_only=True)
                except ApiError as error:
                    logger.warning("the sweep of %s failed: %s", resource.plural, error)

    def where(self, resource: Resource) -> Sequence[str | None]:
        """The namespaces to list it in; None is all of them."""
        return self._namespaces if resource.namespaced else (None,)

    async def list_all(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool
    ) -> None:
        """Take in what there is of a resource, and forget what there is not.

        Raises:
            ApiError: it cannot be listed.
        """
        uids: set[str] = set()
        token = ""
        while True:
            chunk = await self._api.list_chunk(
                resource, namespace, token, metadata_only=metadata_only
            )
            for item in chunk.get("items") or ():
                uids.add(item["metadata"]["uid"])
                if not metadata_only:
                    self._take_in(resource, item)
            token = chunk["metadata"].get("continue") or ""
            if not token:
                break
        version = int(chunk["metadata"]["resourceVersion"])
        self._concerns(self._caches.keep_only(resource, namespace, uids, version))

    def _take_in(self, resource: Resource, item: Document) -> None:
        """One object that does not fit its kind (of another version, say) stops no other's work."""
        try:
            concerned = self._caches.note(resource, item)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            metadata = item["metadata"]
            logger.error(  # noqa: TRY400 - one line; what does not fit is said in it
                "the %s %s/%s does not fit its kind and is left alone: %r",
                resource.kind,
                metadata.get("namespace"),
                metadata.get("name"),
                error,
            )
        else:
            self._concerns(concerned)
