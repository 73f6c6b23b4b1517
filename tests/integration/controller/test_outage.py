"""An API server that goes away and comes back: the operator stays, and misses nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from support.operator import Kubectl, OperatorProcess, wait_for
from support.proxy import Proxy
from support.training import CLAIMS, Run, run_manifest

pytestmark = pytest.mark.cluster

REFUSED = 12
"""Connections: six watches try again, each after longer and longer pauses."""


@pytest.fixture
def proxy(kubeconfig: Path) -> Iterator[Proxy]:
    """Between the operator and the API server, for whoever uses this kubeconfig."""
    document = yaml.safe_load(kubeconfig.read_text())
    server = urlsplit(document["clusters"][0]["cluster"]["server"])
    assert server.hostname
    assert server.port
    with Proxy(server.hostname, server.port) as proxy:
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        kubeconfig.write_text(yaml.safe_dump(document))
        yield proxy


@pytest.fixture
def process(
    proxy: Proxy, kubeconfig: Path, namespace: str, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """The operator behind the proxy, not started yet."""
    with ExitStack() as stack:
        operator = OperatorProcess(tmp_path, kubeconfig, namespace)
        stack.push(operator)
        yield operator


def test_what_happens_while_it_is_away_is_carried_out(
    process: OperatorProcess, proxy: Proxy, kubectl: Kubectl
) -> None:
    process.start()
    kubectl.apply(*CLAIMS, run_manifest("before"), run_manifest("lost"))
    before, lost = Run(kubectl, "before"), Run(kubectl, "lost")
    pod = before.wait_for_pod()
    before.play_start(pod)
    before.wait_for_phase("Running")
    lost.wait_for_pod()
    [job] = lost.jobs()

    proxy.cut()
    kubectl.apply(run_manifest("meanwhile"))
    before.play_end(pod)
    kubectl("delete", "job", job["metadata"]["name"])
    wait_for(lambda: proxy.refused >= REFUSED, what="its attempts")
    assert process.asked("/healthz") == 200, "a restart would mend nothing"
    assert "jobRef" not in Run(kubectl, "meanwhile").status
    proxy.open()

    Run(kubectl, "meanwhile").wait_for_pod()
    assert before.wait_for_phase("Succeeded")["attempts"] == 1
    assert len(before.jobs()) == 1
    lost.wait_for_pod(attempt=2)
    assert process.end(signal.SIGTERM) == 0


def test_an_operator_that_starts_while_it_is_away_waits_for_it(
    process: OperatorProcess, proxy: Proxy, kubectl: Kubectl
) -> None:
    kubectl.apply(*CLAIMS, run_manifest("coins"))
    proxy.cut()

    def look() -> tuple[int, int]:
        try:
            wait_for(lambda: proxy.refused >= 2, what="its attempts")
            return process.asked("/healthz"), process.asked("/readyz")
        finally:
            proxy.open()

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look)
        process.start()
        alive, ready = looking.result()
    assert alive == 200, "a restart would mend nothing"
    assert ready != 200
    Run(kubectl, "coins").wait_for_pod()
