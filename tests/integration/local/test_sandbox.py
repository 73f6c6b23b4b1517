"""What a container must not reach, each tried from inside one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sealyard_local.cluster import Cluster
from support.embedded_cluster import until
from support.pods import finished, pod, volume_pod

pytestmark = pytest.mark.cluster

# Tries to read or list each path; prints those that it can.
REACH = """
for p in "$@"; do
  if [ -d "$p" ]; then [ -n "$(ls -A "$p" 2>/dev/null)" ] && echo "$p"; fi
  if [ -f "$p" ]; then cat "$p" >/dev/null 2>&1 && [ -s "$p" ] && echo "$p"; fi
done; true
"""


@pytest.mark.parametrize("user", [0, 65532])
def test_state_homes_and_keys_are_not_there(
    cluster: Cluster, namespace: str, user: int, tmp_path: Path
) -> None:
    state = cluster.directory
    # Not /tmp itself: the environment may lie below it, and is there.
    in_tmp = tmp_path
    forbidden = [
        state, cluster.kubeconfig, state / "pki" / "ca.key", state / "node", state / "etcd",
        state / "volumes", Path.home() / ".cache", Path.home() / ".ssh", Path("/home"),
        Path("/etc/shadow"), Path("/etc/ssh"), in_tmp, Path("/var/lib/dpkg"),
        Path("/proc/1/root") / str(state).lstrip("/"), Path("/run/lock"),
    ]  # fmt: skip
    assert (state / "pki" / "ca.key").exists()
    command = ["sh", "-c", REACH, "reach", *map(str, forbidden)]
    cluster.apply(pod(namespace, command, securityContext={"runAsUser": user}))
    assert finished(cluster, namespace) == ""


def test_the_environment_is_there_and_cannot_be_written(cluster: Cluster, namespace: str) -> None:
    program, here = Path(sys.prefix) / "bin" / "python", Path(sys.prefix) / "written-by-a-test"
    script = f"test -e {program} && touch {here} 2>/dev/null; test -e {here} && echo written"
    remount = f"mount -o remount,rw,bind {sys.prefix} 2>/dev/null && echo remounted; true"
    cluster.apply(
        pod(namespace, ["sh", "-c", f"{script}; {remount}"], securityContext={"runAsUser": 0})
    )
    assert finished(cluster, namespace) == ""
    assert not here.exists()


def test_nothing_is_written_through_to_the_host(cluster: Cluster, namespace: str) -> None:
    marks = ["/usr/sealyard-mark", "/etc/sealyard-mark", "/sealyard-mark", "/tmp/sealyard-mark"]  # noqa: S108
    script = "set -e; for m in {}; do echo x > $m; done; rm /etc/passwd; cat {}".format(
        *[" ".join(marks)] * 2
    )
    cluster.apply(pod(namespace, ["sh", "-c", script], securityContext={"runAsUser": 0}))
    if os.getuid() == 0:  # another user may not write to root's directories, sandbox or not
        assert finished(cluster, namespace) == "x\n" * len(marks)
    assert not [mark for mark in marks if Path(mark).exists()]
    assert Path("/etc/passwd").exists()


def test_the_kernel_is_out_of_reach(cluster: Cluster, namespace: str) -> None:
    """The sandbox's root is the host's: what namespaces do not cover must be read-only."""
    script = """
    for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/vm/swappiness \
             /sys/power/state /sys/kernel/mm/ksm/run; do
      (test -e $p && : >> $p) 2>/dev/null && echo "$p"
    done
    hostname elsewhere 2>/dev/null && echo renamed
    mknod /tmp/disk b 8 0 2>/dev/null && echo node
    chroot / mount -t tmpfs none /mnt 2>/dev/null && echo mounted
    umount /proc/sys 2>/dev/null && echo uncovered
    true
    """
    cluster.apply(pod(namespace, ["sh", "-c", script], securityContext={"runAsUser": 0}))
    assert finished(cluster, namespace) == ""


def test_other_processes_are_not_seen(cluster: Cluster, namespace: str) -> None:
    cluster.apply(pod(namespace, ["sh", "-c", "ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm"]))
    count, first = finished(cluster, namespace).split()
    assert int(count) <= 4
    assert first == "sh"


def test_a_pod_does_not_see_another_ones_volume(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, "--from-literal=k=v")
    keep = "sleep 100"
    cluster.apply(
        volume_pod(namespace, keep, {"/s": {"secret": {"secretName": "s"}}}, name="keeper")
    )
    cluster.kubectl(
        "wait", "-n", namespace, "--for=condition=Ready", "pod/keeper", "--timeout=120s"
    )
    volumes = list((cluster.directory / "node" / "kubelet" / "pods").glob("*/volumes/*secret/*"))
    assert volumes
    listed = " ".join(str(path) for path in volumes)
    look = f"for v in {listed}; do ls $v 2>/dev/null; done; ls /s 2>/dev/null; true"
    cluster.apply(pod(namespace, ["sh", "-c", look], securityContext={"runAsUser": 0}))
    assert finished(cluster, namespace) == ""


def test_a_link_in_a_volume_leads_nowhere(cluster: Cluster, namespace: str) -> None:
    """A pod plants a link to the host's root; a subPath through it stays in the container."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    cluster.apply(json.dumps(claim))
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    plant = f"ln -s {cluster.directory} /d/out; mkdir /d/in; echo in > /d/in/f"
    cluster.apply(volume_pod(namespace, plant, {"/d": source}, name="planter"))
    assert finished(cluster, namespace, "planter") == ""
    mounts = [
        {"name": "d", "mountPath": "/out", "subPath": "out"},
        {"name": "d", "mountPath": "/in", "subPath": "in"},
    ]
    manifest = pod(
        namespace,
        ["sh", "-c", "cat /out/kubeconfig"],
        container={"volumeMounts": mounts},
        volumes=[{"name": "d", **source}],
    )
    cluster.apply(manifest)

    def outcome() -> str:
        shown = json.loads(cluster.kubectl("get", "-n", namespace, "pod/task", "-o", "json"))
        state = shown["status"].get("containerStatuses", [{}])[0].get("state", {})
        waiting: str = state.get("waiting", {}).get("reason", "")
        if waiting and waiting != "ContainerCreating":
            return waiting
        return "ended" if "terminated" in state else ""

    assert until(outcome) == "CreateContainerConfigError"


def test_the_security_context_is_kept(cluster: Cluster, namespace: str) -> None:
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 4242,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    script = (
        "id -u; grep -E 'Cap(Prm|Bnd)|NoNewPrivs' /proc/self/status | tr -d '\\t';"
        "for d in / /tmp /usr /etc /var/tmp; do touch $d/x 2>/dev/null && echo $d; done;"
        "touch /work/x && echo work"
    )
    cluster.apply(
        pod(
            namespace,
            ["sh", "-c", script],
            container={
                "securityContext": restricted,
                "volumeMounts": [{"name": "work", "mountPath": "/work"}],
            },
            volumes=[{"name": "work", "emptyDir": {}}],
        )
    )
    none = "0" * 16
    assert finished(cluster, namespace).split() == [
        "4242", f"CapPrm:{none}", f"CapBnd:{none}", "NoNewPrivs:1", "work"
    ]  # fmt: skip


def test_root_is_refused_where_it_must_not_be(cluster: Cluster, namespace: str) -> None:
    context = {"runAsNonRoot": True, "runAsUser": 0}
    cluster.apply(pod(namespace, ["true"], securityContext=context))

    def waiting() -> str:
        shown = json.loads(cluster.kubectl("get", "-n", namespace, "pod/task", "-o", "json"))
        state = shown["status"].get("containerStatuses", [{}])[0].get("state", {})
        reason: str = state.get("waiting", {}).get("reason", "")
        return "" if reason == "ContainerCreating" else reason

    assert until(waiting) == "CreateContainerConfigError"


def test_shared_memory_has_the_size_asked_for(cluster: Cluster, namespace: str) -> None:
    memory = {"emptyDir": {"medium": "Memory", "sizeLimit": "96Mi"}}
    cluster.apply(
        volume_pod(namespace, "df --output=fstype,size -m /dev/shm | tail -1", {"/dev/shm": memory})  # noqa: S108 - the container's
    )
    assert finished(cluster, namespace).split() == ["tmpfs", "96"]
