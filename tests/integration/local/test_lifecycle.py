"""However a cluster ends, nothing of it is left: no process, no mount, no Secret."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from sealyard_local.build import build
from sealyard_local.cluster import Cluster, KubectlError, venv_images
from support.embedded_cluster import until
from support.leftovers import nothing_left, processes
from support.pods import finished, pod, volume_pod

pytestmark = pytest.mark.cluster


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A cluster's folder; whatever a failed test leaves there is ended."""
    yield tmp_path / "cluster"
    Cluster.stop_in(tmp_path / "cluster")


def busy(cluster: Cluster) -> str:
    """Runs a pod that mounts a Secret; returns what marks its process."""
    mark = f"100{secrets.randbelow(10**9)}"
    cluster.kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
    script = f"trap '' TERM; sleep {mark} & sleep {mark}"
    cluster.apply(
        volume_pod("default", script, {"/s": {"secret": {"secretName": "s"}}}, name="busy")
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod/busy", "--timeout=120s")
    until(
        lambda: len(processes(f"sleep {mark}")) >= 3, what="the pod to be busy"
    )  # a shell, two sleeps
    assert list(cluster.directory.glob("node/kubelet/pods/*/volumes/*secret/*/k"))
    return f"sleep {mark}"


@contextmanager
def up(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Cluster]]:
    """A cluster in the foreground, as from a terminal."""
    with subprocess.Popen(
        [build(), "up", "--dir", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            line = output(process.stdout).readline()
            assert line, output(process.stderr).read()
            said = json.loads(line)
            assert said["seconds"] > 0
            yield process, Cluster(folder, build(), said["server"])
        finally:
            process.kill()


def output(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all(folder: Path, asked: signal.Signals) -> None:
    with up(folder) as (process, cluster):
        mark = busy(cluster)
        os.killpg(process.pid, asked)  # as a terminal does: to all that it started
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        nothing_left(folder, mark)


def test_a_cluster_that_still_starts_can_be_ended(folder: Path) -> None:
    with subprocess.Popen([build(), "up", "--dir", folder], stdout=subprocess.DEVNULL) as process:
        until((folder / "logs" / "etcd.log").exists, what="the first part to start")
        Cluster.stop_in(folder)
        assert process.wait(120) == 0
    nothing_left(folder)


def test_killing_the_supervisor_ends_all(folder: Path) -> None:
    with up(folder) as (process, cluster):
        mark = busy(cluster)
        process.kill()
        process.communicate()
        nothing_left(folder, mark)


def test_a_cluster_ends_with_the_program_that_started_it(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from sealyard_local.cluster import Cluster;"
        "Cluster.start(Path(sys.argv[1]), {'*': {}}); print('up', flush=True); time.sleep(1000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, folder],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    ) as parent:
        try:
            assert output(parent.stdout).readline() == "up\n"
            mark = busy(Cluster(folder, build(), ""))
        finally:
            parent.kill()
    nothing_left(folder, mark)


def test_down_cleans_up_after_all_was_killed(folder: Path) -> None:
    with up(folder) as (process, cluster):
        mark = busy(cluster)
        for sent in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees another go
            for pid in processes(str(folder), mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, sent)
        process.communicate()
        until(lambda: not processes(str(folder), mark), what="the killed to be gone")
        assert cluster.kubeconfig.exists()  # nobody was left to remove it
        cluster.stop()
        nothing_left(folder, mark)
        cluster.stop()


def test_a_part_that_fails_ends_all_with_its_log(folder: Path) -> None:
    with up(folder) as (process, cluster):
        mark = busy(cluster)
        status = subprocess.run(
            [build(), "status", "--dir", folder], check=True, capture_output=True, text=True
        )
        os.kill(json.loads(status.stdout)["pids"]["kube-scheduler"], signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 69
        assert "kube-scheduler failed (signal: killed); the end of" in errors
        nothing_left(folder, mark)


def test_a_second_cluster_beside_the_first(cluster: Cluster, namespace: str, folder: Path) -> None:
    images = {"sealyard/": dict(venv_images()["*"])}
    with Cluster.start(folder, images) as second:
        assert second.server != cluster.server
        look = f"cat {cluster.kubeconfig} {second.kubeconfig} 2>/dev/null; echo looked"
        for one, space in ((cluster, namespace), (second, "default")):
            one.apply(pod(space, ["sh", "-c", look]))
            assert finished(one, space) == "looked\n"
        with pytest.raises(KubectlError, match=r"not found|NotFound"):
            second.kubectl("get", "namespace", namespace)
        unknown = json.loads(pod("default", ["true"], name="unknown"))
        unknown["spec"]["containers"][0]["image"] = "elsewhere/thing:1"
        second.apply(json.dumps(unknown))

        def refused() -> str:
            return second.kubectl("get", "events", "-o=jsonpath={.items[*].message}")

        until(lambda: 'image "elsewhere/thing:1" is not known here' in refused())
        running = subprocess.run(
            [build(), "up", "--dir", folder], check=False, capture_output=True, text=True
        )
        assert running.returncode == 69
        assert f"a cluster runs in {folder} already" in running.stderr
    nothing_left(folder)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for command in ("up", "down"):
        subprocess.run([build(), command, "--dir", tmp_path], check=False, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_machine_that_forbids_user_namespaces_says_so(tmp_path: Path) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", build(), "up", "--dir",
         tmp_path / "cluster"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 69
    assert "forbids user namespaces" in result.stderr
    assert "run the cluster as root" in result.stderr
    assert "use another cluster that kubectl reaches" in result.stderr
