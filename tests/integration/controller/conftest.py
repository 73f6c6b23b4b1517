from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.operator import (
    Cluster,
    Kubectl,
    OperatorProcess,
    account_kubeconfig,
    grant_rights,
    install_crds,
)


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    install_crds(cluster)


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str) -> Kubectl:
    return Kubectl(cluster, namespace)


@pytest.fixture
def kubeconfig(crds: None, cluster: Cluster, namespace: str, tmp_path: Path) -> Path:
    """The rights of the chart in the test's namespace, and no others."""
    account = grant_rights(cluster, namespace)
    return account_kubeconfig(cluster, namespace, account, tmp_path)


@pytest.fixture
def operator(kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator as a process, with the rights of its chart."""
    with OperatorProcess(tmp_path, kubeconfig, namespace) as running:
        yield running
