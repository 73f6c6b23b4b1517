"""One installation of everything for all end-to-end tests: they come one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sealyard_local.cluster import Cluster
from sealyard_local.demo.overlay import write_overlay
from support.whole import Whole, whole_sealyard

NAMESPACE = "e2e-coins"


@pytest.fixture(scope="session")
def whole(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Sealyard in a namespace of its own, with the quickstart applied to it."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    with whole_sealyard(cluster, NAMESPACE) as installed:
        overlay = write_overlay(
            tmp_path_factory.mktemp("overlay"),
            api_url=installed.stores.api_url,
            cdn_endpoint=installed.stores.cdn_endpoint,
            namespace=NAMESPACE,
        )
        installed.kubectl("apply", "-k", str(overlay))
        yield installed
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
