"""Installs Sealyard on a cluster as a user does: the CRDs, then the chart by Helm's own library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python

from sealyard.errors import UnavailableError
from sealyard_local.stores import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
CRDS = REPOSITORY / "crds"
CHART = REPOSITORY / "charts" / "sealyard"
NAMESPACE = "sealyard-system"
RELEASE = "sealyard"
_READY_SECONDS = 300


def chart_values() -> dict[str, Any]:
    """What the embedded cluster needs: it has no Service network, so ports are this machine's."""
    port = free_port()
    return {
        "progress": {
            "port": port,
            "url": f"https://127.0.0.1:{port}",
            "tls": {"ips": ["127.0.0.1"]},
        },
        "health": {"port": free_port()},
    }


def install_chart(kubeconfig: Path, values: dict[str, Any]) -> None:
    """`helm install`, and wait until the operator is ready.

    Raises:
        UnavailableError: the chart does not install, or is not ready in time.
    """
    with helm_python.Config(kubeconfig_path=kubeconfig, namespace=NAMESPACE) as config:
        try:
            config.install(
                CHART,
                RELEASE,
                values,
                namespace=NAMESPACE,
                create_namespace=True,
                wait="watcher",
                timeout=_READY_SECONDS,
            )
        except helm_python.HelmError as error:
            raise UnavailableError(f"the chart cannot be installed: {error}") from error
