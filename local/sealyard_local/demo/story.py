"""What the demo does, step by step, and what it says about it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from rich.console import Console
from skimage import data

from sealyard.errors import IntegrityError, UnavailableError
from sealyard_local import install, stores
from sealyard_local.cluster import Cluster, venv_images
from sealyard_local.demo import overlay, picture
from sealyard_local.demo.watch import until_released
from sealyard_local.stores import Stores

CLUSTER_FOLDER = "cluster"
MODEL, VERSION = "coins", "1.0.0"
_RELEASED_SECONDS = 1200
_ROLLOUT_TIMEOUT = "--timeout=180s"


def tell(state: Path, console: Console) -> None:
    """Runs the main job from YAML to an opened model; the cluster is left running.

    Args:
        state: A folder of the demo's own; everything that it makes lies below.
        console: Where the user looks.

    Raises:
        SealyardError: a step failed; the message says which and why.
    """
    started = time.monotonic()
    state.mkdir(mode=0o700)
    made = Stores.new()
    with _step(console, "A real Kubernetes, as local processes"):
        cluster = Cluster.start(state / CLUSTER_FOLDER, venv_images(), detach=True)
        _write_kubectl(state, cluster)
    with _step(
        console, "Two stores over TLS: the release API and SeaweedFS, with four credentials"
    ):
        _apply(cluster, made.manifests())
    with _step(console, "The operator, by its Helm chart"):
        cluster.kubectl("apply", "--server-side", "-f", str(install.CRDS))
        install.install_chart(cluster.kubeconfig, install.chart_values())
        for name in ("release-api", "cdn"):
            cluster.kubectl(
                "rollout", "status", f"deployment/{name}", "-n", stores.NAMESPACE, _ROLLOUT_TIMEOUT
            )
    with _step(console, "kubectl apply -k examples/quickstart, and its Secrets"):
        folder = overlay.write_overlay(
            state / "overlay", api_url=made.api_url, cdn_endpoint=made.cdn_endpoint
        )
        cluster.kubectl("apply", "-k", str(folder))
        _apply(cluster, made.tenant_manifests(overlay.NAMESPACE))
    console.print("\nThe run and the release, as they live:")
    until_released(lambda: _objects(cluster), console, _RELEASED_SECONDS)
    console.print()
    console.print(_get(cluster), soft_wrap=True)
    pulled = _pull(state, made, console)
    _find_coins(state, Path(pulled["output"]), console)
    _say_what_lies_where(cluster, made, console)
    _say_how_to_look_around(state, console)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


@contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    started = time.monotonic()
    console.print(f"{title} …", end="" if console.is_terminal else "\n")
    yield
    console.print(f" {time.monotonic() - started:.1f} s" if console.is_terminal else "  done")


def _apply(cluster: Cluster, manifests: list[dict[str, Any]]) -> None:
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


def _objects(cluster: Cluster) -> list[dict[str, Any]]:
    listed = json.loads(
        cluster.kubectl("get", "trainingruns,modelreleases", "-n", overlay.NAMESPACE, "-o", "json")
    )
    items: list[dict[str, Any]] = listed["items"]
    return sorted(items, key=lambda item: str(item["kind"]), reverse=True)


def _get(cluster: Cluster) -> str:
    kinds = "trainingruns,modelreleases"
    return f"$ kubectl get {kinds} -n {overlay.NAMESPACE}\n" + cluster.kubectl(
        "get", kinds, "-n", overlay.NAMESPACE
    )


def _pull(state: Path, made: Stores, console: Console) -> dict[str, Any]:
    """Pulls with the third login and the read-only credential; gives what the command said."""
    credentials = state / "reader"
    made.write_reader_credentials(credentials)
    command = [
        *("pull", MODEL, VERSION),
        *("--api", made.api_url, "--cdn", made.cdn_endpoint, "--bucket", stores.BUCKET),
        *("--secrets-dir", str(credentials), "--keyring", str(credentials / "keyring.json")),
        *("--api-ca", str(credentials / "ca.crt"), "--cdn-ca", str(credentials / "ca.crt")),
        *("--output", str(state / "coins.onnx"), "--sealed-dir", str(state / "sealed"), "--json"),
    ]
    console.print(f"$ sealyard {' '.join(command)}", soft_wrap=True)
    program = Path(sys.executable).with_name("sealyard")
    ran = subprocess.run([program, *command], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise IntegrityError(f"sealyard pull ended with {ran.returncode}: {ran.stderr.strip()}")
    console.print(ran.stdout.strip(), soft_wrap=True)
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def _find_coins(state: Path, model: Path, console: Console) -> None:
    quickstart = _quickstart_program()
    photograph = np.asarray(data.coins(), dtype=np.uint8)
    found = picture.find(model, photograph)
    target = state / "coins-found.png"
    picture.draw(photograph, found, quickstart.BORDER, target)
    there = quickstart.find_coins(photograph)
    console.print(
        f"\nOpened with onnxruntime: {len(found)} coins found, {len(there)} are there. "
        f"The picture: {target}",
        soft_wrap=True,
    )
    if not found:
        raise IntegrityError("the released model finds no coin at all")


def _quickstart_program() -> ModuleType:
    """examples/quickstart/coins.py, which made the dataset and knows where the coins are."""
    spec = importlib.util.spec_from_file_location("coins", overlay.QUICKSTART / "coins.py")
    if spec is None or spec.loader is None:
        raise UnavailableError(f"{overlay.QUICKSTART}/coins.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _say_what_lies_where(cluster: Cluster, made: Stores, console: Console) -> None:
    release = next(item for item in _objects(cluster) if item["kind"] == "ModelRelease")
    status = release["status"]
    console.print("\nWhat lies where:")
    for variant in status["variants"]:
        small, big = variant["small"]["sizeBytes"], variant["big"]["sizeBytes"]
        share = 100 * small / (small + big)
        address = f"{made.cdn_endpoint}/{stores.BUCKET}/{variant['big']['key']}"
        console.print(
            f"  plaintext  {variant['name']}: {variant['sizeBytes']:,} B, "
            f"sha256 {variant['sha256']}; deleted from the workspace\n"
            f"  small part {small:,} B ({share:.2f} % of the total) at {made.api_url}\n"
            f"  big part   {big:,} B at {address}",
            soft_wrap=True,
        )
    console.print(
        f"  manifest   sha256 {status['manifestSha256']}, trust: {status['trust']}",
        soft_wrap=True,
    )


def _write_kubectl(state: Path, cluster: Cluster) -> None:
    script = state / "kubectl"
    script.write_text(
        f'#!/bin/sh\nexec "{cluster.binary}" kubectl --kubeconfig "{cluster.kubeconfig}" "$@"\n'
    )
    script.chmod(0o755)


def _say_how_to_look_around(state: Path, console: Console) -> None:
    kubectl = state.relative_to(overlay.REPOSITORY) / "kubectl"
    console.print(
        "\nLook around; the cluster keeps running until `make demo-stop`:\n"
        f"  {kubectl} get trainingruns,modelreleases,jobs,pods -n {overlay.NAMESPACE}\n"
        f"  {kubectl} describe modelrelease {MODEL}-{VERSION} -n {overlay.NAMESPACE}\n"
        f"  {kubectl} logs -n {install.NAMESPACE} deployment/{install.RELEASE}\n"
        f"  {kubectl} get events -n {overlay.NAMESPACE} --sort-by=.lastTimestamp",
        soft_wrap=True,
    )
