"""What the command line does in a cluster, with the user's own kubeconfig and rights."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any, TypeVar

from pydantic import ValidationError

from sealyard.api.kind import GROUP, VERSION, CustomResource
from sealyard.core.run_report import has_printed, what_it_waits_for
from sealyard.errors import InvalidError, MissingError, RefusedError, UnavailableError

POLL_SECONDS = 0.5
REQUEST_SECONDS = 30
AnyResource = TypeVar("AnyResource", bound=CustomResource)
LONGEST_LOG = 12 << 20
"""More than a kubelet keeps in one piece."""


class Cluster:
    """The cluster of the kubeconfig's current context.

    Raises:
        MissingError: there is no kubeconfig, or the library that reads it is not installed.
        InvalidError: the kubeconfig asks for a connection that is not verified.
    """

    def __init__(self) -> None:
        library = _library("kubernetes.config")
        self._client = _library("kubernetes.client")
        configuration = self._client.Configuration()
        try:
            library.load_kube_config(client_configuration=configuration)
            context = library.list_kube_config_contexts()[1]
        except (library.ConfigException, OSError) as error:
            raise MissingError(
                f"no kubeconfig: name one in KUBECONFIG ({' '.join(str(error).split())[:200]})"
            ) from None
        if not configuration.verify_ssl:
            raise InvalidError(
                "the kubeconfig says insecure-skip-tls-verify: true; name the server's CA in "
                "certificate-authority instead"
            )
        configuration.retries = 1
        self.namespace: str = context["context"].get("namespace") or "default"
        """What the context names."""
        api = self._client.ApiClient(configuration)
        self._core = self._client.CoreV1Api(api)
        self._apps = self._client.AppsV1Api(api)
        self._custom = self._client.CustomObjectsApi(api)

    def get(self, kind: type[AnyResource], namespace: str, name: str) -> AnyResource:
        """A custom resource as it is now.

        Raises:
            MissingError: there is none of this name.
            RefusedError: the user may not read it.
            UnavailableError: the API server cannot be reached.
            InvalidError: it is of another version.
        """
        what = f"{kind.KIND} {namespace}/{name}"
        with self._requesting(what):
            found = self._custom.get_namespaced_custom_object(
                GROUP, VERSION, namespace, kind.PLURAL, name, _request_timeout=REQUEST_SECONDS
            )
        return _parsed(kind, found, what)

    def get_cluster_wide(self, kind: type[AnyResource], name: str) -> AnyResource:
        """The same of a kind without namespaces."""
        what = f"{kind.KIND} {name}"
        with self._requesting(what):
            found = self._custom.get_cluster_custom_object(
                GROUP, VERSION, kind.PLURAL, name, _request_timeout=REQUEST_SECONDS
            )
        return _parsed(kind, found, what)

    def list(self, kind: type[AnyResource], namespace: str) -> list[AnyResource]:
        """All of a kind in a namespace; errors as of `get`."""
        what = f"{kind.KIND}s in {namespace}"
        with self._requesting(what):
            found = self._custom.list_namespaced_custom_object(
                GROUP, VERSION, namespace, kind.PLURAL, _request_timeout=REQUEST_SECONDS
            )
        return [_parsed(kind, one, what) for one in found["items"]]

    def deployed_image(self, namespace: str, name: str) -> str:
        """What a Deployment runs; errors as of `get`."""
        with self._requesting(f"Deployment {namespace}/{name}"):
            response = self._apps.read_namespaced_deployment(
                name, namespace, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
            spec = json.loads(response.data)["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    def log_of(self, manifest: dict[str, Any], *, seconds: float) -> bytes:
        """What a pod prints that is made for it, and deleted again whatever happens.

        Args:
            manifest: of the pod.
            seconds: how long it may take.

        Raises:
            RefusedError: the user may not create pods or read their logs.
            UnavailableError: it does not end well, or not in time.
            SealyardError: what `has_printed` raises.
        """
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        try:
            with self._requesting(f"a pod in {namespace}"):
                self._core.create_namespaced_pod(
                    namespace, manifest, _request_timeout=REQUEST_SECONDS
                )
            self._wait(namespace, name, time.monotonic() + seconds)
            with self._requesting(f"the log of pod {namespace}/{name}"):
                response = self._core.read_namespaced_pod_log(
                    name,
                    namespace,
                    limit_bytes=LONGEST_LOG,
                    _preload_content=False,
                    _request_timeout=REQUEST_SECONDS,
                )
                log: bytes = response.data
                return log
        finally:
            # Also where it was not heard whether it was created.
            self._delete(namespace, name)

    def _delete(self, namespace: str, name: str) -> None:
        with contextlib.suppress(MissingError), self._requesting(f"pod {namespace}/{name}"):
            self._core.delete_namespaced_pod(
                name, namespace, grace_period_seconds=0, _request_timeout=REQUEST_SECONDS
            )

    def _wait(self, namespace: str, name: str, deadline: float) -> None:
        while True:
            with self._requesting(f"pod {namespace}/{name}"):
                response = self._core.read_namespaced_pod(
                    name, namespace, _preload_content=False, _request_timeout=REQUEST_SECONDS
                )
                status = json.loads(response.data).get("status", {})
            if has_printed(status):
                return
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"the reading pod did not end in time; it waits for: "
                    f"{what_it_waits_for(status)}"
                )
            time.sleep(POLL_SECONDS)

    @contextlib.contextmanager
    def _requesting(self, what: str) -> Iterator[None]:
        """Turn the library's errors into ours, about `what`."""
        try:
            yield
        except self._client.ApiException as error:
            said = _message(error.body)
            if error.status == 404:
                raise MissingError(f"{what}: not found ({said})") from None
            if error.status in {401, 403}:
                raise RefusedError(f"{what}: refused ({said})") from None
            raise UnavailableError(f"{what}: status {error.status} ({said})") from None
        except (OSError, _library("urllib3").exceptions.HTTPError) as error:
            reason = type(getattr(error, "reason", None) or error).__name__
            raise UnavailableError(f"{what}: the API server cannot be reached ({reason})") from None


def _parsed(kind: type[AnyResource], document: dict[str, Any], what: str) -> AnyResource:
    try:
        return kind.from_wire(document)
    except ValidationError as error:
        raise InvalidError(f"{what}: of another version than this command") from error


def _message(body: Any) -> str:
    """What an API server says in a Status object."""
    try:
        return " ".join(str(json.loads(body)["message"]).split())[:400]
    except (ValueError, TypeError, KeyError):
        return "no message"


def _library(name: str) -> Any:
    # By its name: most who use the command line have no cluster, and need no client for one.
    try:
        return import_module(name)
    except ImportError:
        raise MissingError(
            "what is in a cluster needs the library kubernetes; install sealyard with its extra "
            "cluster"
        ) from None
