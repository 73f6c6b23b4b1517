"""Who may talk to the cluster's ports, all of which are open to every program of the machine."""

from __future__ import annotations

import json
import ssl
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sealyard_local.cluster import Cluster

pytestmark = pytest.mark.cluster


def get(cluster: Cluster, url: str, token: str = "") -> int:
    """The status of a request that trusts the cluster's CA and nothing else."""
    context = ssl.create_default_context(cafile=str(cluster.directory / "pki" / "ca.crt"))
    request = urllib.request.Request(url)  # noqa: S310 - the cluster's own https address
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def kubelet(cluster: Cluster) -> str:
    path = "jsonpath={.status.daemonEndpoints.kubeletEndpoint.Port}"
    return f"https://127.0.0.1:{cluster.kubectl('get', 'node', 'local', '-o', path)}"


def test_the_kubelet_wants_to_know_who_asks(cluster: Cluster, namespace: str) -> None:
    port = kubelet(cluster)
    assert get(cluster, f"{port}/pods") == 401
    assert get(cluster, f"{port}/run/{namespace}/task/main?cmd=id") == 401
    assert get(cluster, f"{port}/pods", token="not-a-token") == 401
    token = cluster.kubectl("create", "token", "default", "-n", namespace).strip()
    assert get(cluster, f"{port}/pods", token=token) == 403


def test_the_api_server_wants_to_know_who_asks(cluster: Cluster, namespace: str) -> None:
    assert get(cluster, f"{cluster.server}/api/v1/secrets") == 401
    token = cluster.kubectl("create", "token", "default", "-n", namespace).strip()
    assert get(cluster, f"{cluster.server}/api/v1/namespaces/{namespace}/secrets", token) == 403


def test_the_node_reads_only_what_its_pods_mount(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, "--from-literal=k=v")
    node = ("--as=system:node:local", "--as-group=system:nodes")
    allowed = ("auth", "can-i", "get", "secret/s", "-n", namespace, *node)
    assert cluster.kubectl(*allowed, check=False).startswith("no")


def test_etcd_takes_only_the_api_server(cluster: Cluster) -> None:
    text = (cluster.directory / "cluster.json").read_text()
    line = Path(f"/proc/{json.loads(text)['pids']['etcd']}/cmdline").read_text().split("\0")
    listen = next(word for word in line if word.startswith("--listen-client-urls="))
    url = listen.partition("=")[2]
    context = ssl.create_default_context(cafile=str(cluster.directory / "pki" / "etcd-ca.crt"))
    context.load_cert_chain(
        cluster.directory / "pki" / "kubelet.crt", cluster.directory / "pki" / "kubelet.key"
    )
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        urllib.request.urlopen(f"{url}/version", context=context, timeout=10)  # noqa: S310 - etcd's


def test_keys_are_the_owner_s_alone(cluster: Cluster) -> None:
    assert stat.S_IMODE(cluster.directory.stat().st_mode) == 0o700
    for path in [cluster.kubeconfig, *(cluster.directory / "pki").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
