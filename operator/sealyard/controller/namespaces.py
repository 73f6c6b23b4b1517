"""Which namespaces are being deleted: asked where an object is held back, not watched."""

from __future__ import annotations

from collections.abc import Callable

from sealyard.controller.kubernetes_api import KubernetesApi

REMEMBERED_SECONDS = 5.0
"""A fleet that is deleted at once asks once in this time, not once for each of its objects."""


class Namespaces:
    """What was answered lately.

    Args:
        api: the API server.
        clock: monotonic, in seconds.
    """

    def __init__(self, api: KubernetesApi, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._answers: dict[str, tuple[float, bool]] = {}

    async def ends(self, namespace: str) -> bool:
        """Whether a namespace is being deleted, or was a moment ago.

        Raises:
            ApiError: the API server refused, or did not answer.
        """
        now = self._clock()
        self._answers = {name: kept for name, kept in self._answers.items() if kept[0] > now}
        if namespace not in self._answers:
            answer = await self._api.namespace_ends(namespace)
            self._answers[namespace] = (now + REMEMBERED_SECONDS, answer)
        return self._answers[namespace][1]
