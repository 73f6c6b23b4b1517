"""A ReleaseTarget on a cluster, with its Secrets, and what becomes of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from sealyard.api.kind import API_VERSION, REQUESTED_AT_ANNOTATION
from sealyard.api.secrets import SECRET_USES, Purpose
from support.operator import Kubectl, wait_for
from support.programs import BUCKET, PREFIX
from support.stores import Stores

TARGET = "stores"
SECONDS = 180.0
"""A pod or two, and a backoff between them, on a machine that has other things to do."""


class Target:
    """The target `stores`; each purpose has a Secret of its name.

    Args:
        kubectl: on its namespace.
        stores: what it points to.
    """

    def __init__(self, kubectl: Kubectl, stores: Stores) -> None:
        self.kubectl = kubectl
        self._stores = stores
        ca = {"ca.crt": stores.ca.ca_pem.decode()}
        kubectl.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": ca}
        )

    def mount(self, purpose: Purpose, *values: bytes) -> None:
        """Make the Secret of a purpose; with the values that work, if none are given."""
        given = values or self._stores.secret_values()[purpose]
        data = {
            key: base64.b64encode(value).decode()
            for key, value in zip(SECRET_USES[purpose].keys, given, strict=True)
        }
        self.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": purpose.value},
                "data": data,
            }
        )

    def mount_all(self) -> None:
        """Make the Secrets of all logins and credentials, and no keyring."""
        for purpose in self._stores.secret_values():
            if purpose is not Purpose.KEYRING:
                self.mount(purpose)

    def apply(self, **spec: Any) -> None:
        """Apply the target with these fields of its spec, by their wire names."""
        bundle = {"name": "ca"}
        self.kubectl.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "ReleaseTarget",
                "metadata": {"name": TARGET},
                "spec": {
                    "api": {
                        "url": self._stores.api.url,
                        "publisherSecretRef": {"name": Purpose.API_PUBLISHER.value},
                        "verifierSecretRef": {"name": Purpose.API_VERIFIER.value},
                        "caBundleRef": bundle,
                    },
                    "cdn": {
                        "endpoint": self._stores.cdn.endpoint,
                        "bucket": BUCKET,
                        "prefix": PREFIX,
                        "writeSecretRef": {"name": Purpose.CDN_WRITE.value},
                        "readSecretRef": {"name": Purpose.CDN_READ.value},
                        "caBundleRef": bundle,
                    },
                    "keyringSecretRef": {"name": Purpose.KEYRING.value},
                    **spec,
                },
            }
        )

    def request_probe(self, time: str) -> None:
        """Ask for a probe now."""
        annotation = f"{REQUESTED_AT_ANNOTATION}={time}"
        self.kubectl("annotate", "--overwrite", "releasetarget", TARGET, annotation)

    @property
    def object(self) -> dict[str, Any]:
        """The target as it stands."""
        return self.kubectl.get("releasetarget", TARGET)

    def wait_for(
        self, reason: str, also: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """The status, once it says this of the newest spec, and something else is true of it."""

        def look() -> dict[str, Any] | None:
            found = self.object
            status: dict[str, Any] = found.get("status", {})
            seen = status.get("observedGeneration") == found["metadata"]["generation"]
            return (
                status if seen and condition(status)["reason"] == reason and also(status) else None
            )

        try:
            return wait_for(look, SECONDS, what=reason)
        except AssertionError as error:
            error.add_note(f"its status: {self.object.get('status')}")
            raise

    def jobs(self, role: str) -> list[dict[str, Any]]:
        """Its Jobs of a role."""
        selector = f"--selector=sealyard.io/role={role}"
        found: list[dict[str, Any]] = self.kubectl.get("jobs", "", selector)["items"]
        return found


def condition(status: dict[str, Any], kind: str = "Ready") -> dict[str, Any]:
    """A condition of a status."""
    found: dict[str, Any] = next(c for c in status["conditions"] if c["type"] == kind)
    return found
