"""The cluster of a user who is not root: one mapped user, and still a Kubernetes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard_local.build import SHIM, build
from sealyard_local.cluster import Cluster
from support.leftovers import nothing_left
from support.pods import finished, job, pod, volume_pod, wait_for_job

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.getuid() != 0, reason="then all the other tests are of such a user"),
]

NOBODY = 65534


@pytest.fixture(scope="module")
def users() -> Iterator[Cluster]:
    """A cluster that nobody runs, from programs in a place that nobody may read."""
    place = Path(tempfile.mkdtemp(prefix="sealyard-user-"))
    binary = build()
    for program in (binary, binary.parent / SHIM):
        shutil.copy(program, place)
    shutil.chown(place, NOBODY, NOBODY)
    place.chmod(0o755)
    cluster = Cluster(place / "cluster", place / binary.name, "")
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    command = [cluster.binary, "up", "--detach", "--dir", cluster.directory]
    started = subprocess.run(
        [*command, "--with-pid", str(os.getpid())],
        check=False, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(place)}, **as_nobody,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    try:
        yield cluster
    finally:
        cluster.stop()
        nothing_left(cluster.directory)
        shutil.rmtree(place)


def test_jobs_run_and_fail_as_they_should(users: Cluster) -> None:
    users.kubectl("create", "namespace", "jobs")
    users.apply(job("jobs", "echo hello"))
    assert wait_for_job(users, "jobs") == "Complete"
    assert users.kubectl("logs", "-n", "jobs", "job/task") == "hello\n"


@pytest.mark.parametrize("user", [0, 4242])
def test_a_restricted_pod_has_its_volumes(users: Cluster, user: int) -> None:
    name = f"volumes-{user}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    users.kubectl("create", "namespace", name)
    users.kubectl("create", "secret", "generic", "s", "-n", name, "--from-literal=k=v")
    users.apply(json.dumps(claim))
    script = (
        "id -u; cat /s/k; echo; touch /data/x /memory/x && echo written;"
        "touch /usr/x 2>/dev/null && echo through; grep -E 'Cap(Prm|Bnd)' /proc/self/status;"
        "df --output=size -m /dev/shm | tail -1"
    )
    memory = {"emptyDir": {"medium": "Memory", "sizeLimit": "96Mi"}}
    volumes = {
        "/s": {"secret": {"secretName": "s", "defaultMode": 0o400}},
        "/data": {"persistentVolumeClaim": {"claimName": "data"}},
        "/memory": {"emptyDir": {"medium": "Memory"}},
        "/dev/shm": memory,  # noqa: S108 - the container's
    }
    manifest = json.loads(
        volume_pod(name, script, volumes, securityContext={"runAsUser": user, "fsGroup": 4321})
    )
    manifest["spec"]["containers"][0]["securityContext"] = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    users.apply(json.dumps(manifest))
    none = "0" * 16
    assert finished(users, name).split() == [
        str(user), "v", "written", "CapPrm:", none, "CapBnd:", none, "96"
    ]  # fmt: skip


def test_exec_and_state_out_of_sight(users: Cluster) -> None:
    users.kubectl("create", "namespace", "exec")
    users.apply(pod("exec", ["sleep", "100"], securityContext={"runAsUser": 4242}))
    users.kubectl("wait", "-n", "exec", "--for=condition=Ready", "pod/task", "--timeout=120s")
    look = f"id -u; cat {users.kubeconfig} 2>/dev/null; ls -A {users.directory} 2>/dev/null; true"
    shown = users.kubectl("exec", "-n", "exec", "task", "--", "sh", "-c", look)
    assert shown == "4242\n"
