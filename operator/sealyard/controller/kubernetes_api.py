"""The few requests that the operator makes, as plain JSON over the asyncio Kubernetes client.

The client's typed models are left aside: building and taking apart a Job's model costs more than
the request itself, and what is read is trimmed to a record at once (`records.py`).
"""

from __future__ import annotations

import json
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from sealyard.controller.resources import (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    TOKEN_REVIEWS,
    Resource,
)
from sealyard.errors import UnavailableError

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
CHUNK_SIZE = 500
FIELD_MANAGER = "sealyard"
PROGRESS_FIELD_MANAGER = "sealyard-progress"
APPLY = "application/apply-patch+yaml"

Document = dict[str, Any]


class ApiError(UnavailableError):
    """The API server refused a request, or did not answer it (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubernetesApi(Protocol):
    """What the rest of the controller may ask of the API server. All of it raises ApiError."""

    async def list_chunk(
        self, resource: Resource, namespace: str | None, token: str, *, metadata_only: bool
    ) -> Document:
        """At most `CHUNK_SIZE` objects; `token` is the `continue` of the chunk before."""
        ...

    async def create_job(self, resource: Resource, manifest: Document) -> Document:
        """Create a Job or JobSet. 409 says that the name is taken."""
        ...

    async def read(self, resource: Resource, namespace: str, name: str) -> Document:
        """An object as it is now."""
        ...

    async def apply(self, resource: Resource, manifest: Document) -> Document:
        """A server-side apply, which takes over what others have written of it.

        409 says that the object of this name has another uid than the manifest.
        """
        ...

    async def delete_job(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        after_its_pods: bool = False,
    ) -> Document:
        """Delete a Job or JobSet and its pods, if it is still the one with this uid (else 409).

        Answers with a Status if it is gone, with the Job if something still holds it.
        """
        ...

    async def create_config_map(self, manifest: Document) -> None:
        """Create a ConfigMap. 409 says that the name is taken."""
        ...

    async def patch_status(
        self, resource: Resource, namespace: str, name: str, patch: Document
    ) -> Document:
        """A JSON merge patch on the status subresource."""
        ...

    async def patch_metadata(
        self, resource: Resource, namespace: str, name: str, metadata: Document
    ) -> Document:
        """A JSON merge patch on the metadata, and on nothing else."""
        ...

    async def namespace_ends(self, namespace: str) -> bool:
        """Whether a namespace is being deleted."""
        ...

    async def apply_progress(
        self, resource: Resource, namespace: str, name: str, body: Document
    ) -> Document:
        """A server-side apply on the status subresource, as a field manager of its own."""
        ...

    async def create_event(self, namespace: str, event: Document) -> None:
        """Post an event."""
        ...

    async def review_token(self, token: str, audience: str) -> Document:
        """The status of a TokenReview."""
        ...


class KubernetesClient:
    """`KubernetesApi` over the network."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def list_chunk(
        self, resource: Resource, namespace: str | None, token: str, *, metadata_only: bool
    ) -> Document:
        """At most `CHUNK_SIZE` objects; `token` is the `continue` of the chunk before."""
        query = {"limit": str(CHUNK_SIZE)}
        if resource.label_selector:
            query["labelSelector"] = resource.label_selector
        if token:
            query["continue"] = token
        accept = "application/json"
        if metadata_only:
            accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        return await self._request("GET", resource.path(namespace), query, accept=accept)

    async def create_job(self, resource: Resource, manifest: Document) -> Document:
        """Create a Job or JobSet. 409 says that the name is taken."""
        namespace = manifest["metadata"]["namespace"]
        return await self._request(
            "POST", resource.path(namespace), {"fieldManager": FIELD_MANAGER}, manifest
        )

    async def read(self, resource: Resource, namespace: str, name: str) -> Document:
        """An object as it is now."""
        return await self._request("GET", resource.path(namespace, name))

    async def apply(self, resource: Resource, manifest: Document) -> Document:
        """A server-side apply, which takes over what others have written of it."""
        metadata = manifest["metadata"]
        return await self._request(
            "PATCH",
            resource.path(metadata["namespace"], metadata["name"]),
            {"fieldManager": FIELD_MANAGER, "force": "true"},
            manifest,
            content_type=APPLY,
        )

    async def delete_job(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        after_its_pods: bool = False,
    ) -> Document:
        """Delete a Job or JobSet and its pods, if it is still the one with this uid (else 409)."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if after_its_pods else "Background",
            "preconditions": {"uid": uid},
        }
        return await self._request("DELETE", resource.path(namespace, name), body=options)

    async def create_config_map(self, manifest: Document) -> None:
        """Create a ConfigMap. 409 says that the name is taken."""
        await self._request(
            "POST",
            CONFIG_MAPS.path(manifest["metadata"]["namespace"]),
            {"fieldManager": FIELD_MANAGER},
            manifest,
        )

    async def patch_status(
        self, resource: Resource, namespace: str, name: str, patch: Document
    ) -> Document:
        """A JSON merge patch on the status subresource."""
        return await self._request(
            "PATCH",
            resource.path(namespace, name, "status"),
            {"fieldManager": FIELD_MANAGER},
            patch,
            content_type="application/merge-patch+json",
        )

    async def patch_metadata(
        self, resource: Resource, namespace: str, name: str, metadata: Document
    ) -> Document:
        """A JSON merge patch on the metadata, and on nothing else."""
        return await self._request(
            "PATCH",
            resource.path(namespace, name),
            {"fieldManager": FIELD_MANAGER},
            {"metadata": metadata},
            content_type="application/merge-patch+json",
        )

    async def namespace_ends(self, namespace: str) -> bool:
        """Whether a namespace is being deleted."""
        found = await self._request("GET", NAMESPACES.path(name=namespace))
        return "deletionTimestamp" in found["metadata"]

    async def apply_progress(
        self, resource: Resource, namespace: str, name: str, body: Document
    ) -> Document:
        """A server-side apply on the status subresource, as a field manager of its own."""
        return await self._request(
            "PATCH",
            resource.path(namespace, name, "status"),
            {"fieldManager": PROGRESS_FIELD_MANAGER, "force": "true"},
            body,
            content_type=APPLY,
        )

    async def create_event(self, namespace: str, event: Document) -> None:
        """Post an event."""
        await self._request("POST", EVENTS.path(namespace), body=event)

    async def review_token(self, token: str, audience: str) -> Document:
        """The status of a TokenReview."""
        review = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = await self._request("POST", TOKEN_REVIEWS.path(), body=review)
        status: Document = answer.get("status") or {}
        return status

    async def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Document | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Document:
        headers = {"Accept": accept, "Content-Type": content_type}
        headers.update(self._client.default_headers)
        try:
            await self._client.update_params_for_auth(
                headers, [], ["BearerToken"], path, method, body
            )
            url = self._client.configuration.host + path
            response = await self._client.rest_client.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                headers=headers,
                body=body,
                _request_timeout=REQUEST_TIMEOUT,
            )
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(
                0, f"{method} {path}: the API server does not answer: {error!r}"
            ) from error
        if response.status >= 400:
            raise ApiError(response.status, f"{method} {path}: {_reason(response.status, content)}")
        return _document(f"{method} {path}", content)


def _document(request: str, content: bytes) -> Document:
    """What was answered. What lies in between, a proxy say, may answer in the server's place."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ApiError(0, f"{request}: the answer is not one of an API server: {content[:200]!r}")
    return document


def _reason(status: int, content: bytes) -> str:
    """`404 NotFound: jobs.batch "x" not found`, as far as the answer says so."""
    try:
        document = json.loads(content)
        return f"{status} {document['reason']}: {document['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{status}: {content[:200]!r}"
