"""Does for a JobSet what JobSet's controller does, as far as one group of pods needs it.

It makes the headless Service and the child Job, with the names, labels, annotations, subdomain and
owner references that `pkg/controllers/jobset_controller.go` of JobSet 0.10.1 gives them, hands
spec.suspend on, and says how the child ended. Where pods have no network of their own and no DNS, a
host alias stands for what the Service would resolve to.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sealyard_local.build import cache_folder
from sealyard_local.toolchain import find_go
from support.operator import Kubectl

MODULE = "sigs.k8s.io/jobset@v0.10.1"
CRD = "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml"
CRD_SHA256 = "dd2d5dbb3186ea36f6815b19d9bc18c0f59ce50e28348d11d2a0888e0b5d0f16"
POLL_SECONDS = 0.3
PREFIX = "jobset.sigs.k8s.io"


def published_crd() -> Path:
    """JobSet's own definition of its kind (Apache-2.0), from the Go module that holds it."""
    go = find_go(cache_folder() / "toolchain")
    with tempfile.TemporaryDirectory() as nowhere:
        told = subprocess.run(
            [go.program, "mod", "download", "-json", MODULE],
            cwd=nowhere,
            env=go.environment() | {"GOFLAGS": ""},
            check=True,
            capture_output=True,
            text=True,
        )
    path = Path(json.loads(told.stdout)["Dir"]) / CRD
    assert hashlib.sha256(path.read_bytes()).hexdigest() == CRD_SHA256
    return path


@contextmanager
def job_set_controller(kubectl: Kubectl) -> Iterator[None]:
    """It works on the JobSets of a namespace meanwhile."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(POLL_SECONDS):
            for job_set in kubectl.get("jobsets")["items"]:
                if "deletionTimestamp" not in job_set["metadata"]:
                    _reconcile(kubectl, job_set)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def _reconcile(kubectl: Kubectl, job_set: dict[str, Any]) -> None:
    wanted = child_of(job_set)
    name = wanted["metadata"]["name"]
    found = kubectl.run("get", "job", name, "-o", "json")
    if found.returncode:
        kubectl.apply(_service_of(job_set))
        kubectl("create", "-f", "-", text=json.dumps(wanted))
        return
    job = json.loads(found.stdout)
    suspend = wanted["spec"]["suspend"]
    if job["spec"]["suspend"] != suspend:
        patch = json.dumps({"spec": {"suspend": suspend}})
        kubectl("patch", "job", name, "--type=merge", f"--patch={patch}")
    for condition in job["status"].get("conditions", []):
        ends = {"Complete": "Completed", "Failed": "Failed"}
        if condition["status"] == "True" and condition["type"] in ends:
            _end(kubectl, job_set, ends[condition["type"]], condition)


def _end(
    kubectl: Kubectl, job_set: dict[str, Any], terminal: str, condition: dict[str, Any]
) -> None:
    if (job_set.get("status") or {}).get("terminalState"):
        return
    said = {
        "type": terminal,
        "status": "True",
        "reason": "AllJobsCompleted" if terminal == "Completed" else "FailedJobs",
        "message": condition.get("message", ""),
        "lastTransitionTime": condition["lastTransitionTime"],
    }
    status = {"conditions": [said], "terminalState": terminal}
    kubectl(
        "patch", "jobset", job_set["metadata"]["name"], "--subresource=status", "--type=merge",
        f"--patch={json.dumps({'status': status})}",
    )  # fmt: skip


def child_of(job_set: dict[str, Any]) -> dict[str, Any]:
    """The Job of the one group that a JobSet of ours has."""
    metadata, spec = job_set["metadata"], job_set["spec"]
    [group] = spec["replicatedJobs"]
    name = f"{metadata['name']}-{group['name']}-0"
    marks = {
        f"{PREFIX}/jobset-name": metadata["name"],
        f"{PREFIX}/jobset-uid": metadata["uid"],
        f"{PREFIX}/replicatedjob-name": group["name"],
        f"{PREFIX}/restart-attempt": "0",
        f"{PREFIX}/replicatedjob-replicas": "1",
        f"{PREFIX}/global-replicas": "1",
        f"{PREFIX}/job-index": "0",
        f"{PREFIX}/job-key": _key(f"{metadata['namespace']}/{name}"),
        f"{PREFIX}/job-global-index": "0",
        f"{PREFIX}/group-name": "default",
        f"{PREFIX}/group-replicas": "1",
        f"{PREFIX}/job-group-index": "0",
    }
    template = group["template"]
    pods = template["spec"]["template"]
    alias = {"ip": "127.0.0.1", "hostnames": [f"{name}-0.{metadata['name']}"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _marked(template["metadata"], marks)
        | {"name": name, "ownerReferences": [_owner(job_set)]},
        "spec": {
            **template["spec"],
            "suspend": bool(spec.get("suspend")),
            "template": {
                "metadata": _marked(pods["metadata"], marks),
                "spec": {**pods["spec"], "subdomain": metadata["name"], "hostAliases": [alias]},
            },
        },
    }


def _service_of(job_set: dict[str, Any]) -> dict[str, Any]:
    name = job_set["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "ownerReferences": [_owner(job_set)]},
        "spec": {
            "clusterIP": "None",
            "selector": {f"{PREFIX}/jobset-name": name},
            "publishNotReadyAddresses": True,
        },
    }


def _owner(job_set: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": job_set["apiVersion"],
        "kind": job_set["kind"],
        "name": job_set["metadata"]["name"],
        "uid": job_set["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _marked(metadata: dict[str, Any], marks: dict[str, str]) -> dict[str, Any]:
    return {field: {**(metadata.get(field) or {}), **marks} for field in ("labels", "annotations")}


def _key(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
