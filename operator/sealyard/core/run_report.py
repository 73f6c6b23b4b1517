"""The pod that brings the report of a run out of its workspace, for the user who asks for it.

The operator has no part in it: the user's own rights create the pod, read its log and delete it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sealyard.api.mounts import (
    CA_DIRECTORY,
    CONTAINER_NAME,
    SCRATCH_DIRECTORY,
    WORKSPACE_DIRECTORY,
)
from sealyard.api.secrets import SECRETS_DIRECTORY, Purpose
from sealyard.api.training_run import Artifact, TrainingRun, WorkspaceSpec
from sealyard.core.pod_security import container_security, pod_security
from sealyard.core.settings import PodSettings
from sealyard.core.stores import remote_folder
from sealyard.core.volumes import ca_volume, secret_volume
from sealyard.errors import IntegrityError, MissingError, UnavailableError

REPORT = "report.html"
SCRATCH_SIZE = "16Mi"
MODULE = "sealyard.jobs.printed_file"
STORE_MODULE = "sealyard.delivery.printed_object"
DEADLINE_SECONDS = 300
"""After which Kubernetes ends the pod, should nobody be there any more to delete it."""
APP_LABEL = "app.kubernetes.io/name"
APP = "sealyard-report"
"""Not the label of what the operator manages: it neither watches nor judges such a pod."""
# A reason to wait that no waiting mends; a pull that is tried again may mend itself.
_HOPELESS = {"CreateContainerConfigError", "CreateContainerError", "InvalidImageName"}


def find_report(run: TrainingRun) -> Artifact:
    """The report that a run left.

    Raises:
        MissingError: there is none, or none yet.
    """
    name = f"TrainingRun {run.metadata.namespace}/{run.metadata.name}"
    phase = run.status.phase
    if phase != "Succeeded":
        raise MissingError(f"{name} is {phase or 'Pending'}; a report is there once it Succeeded")
    for artifact in run.status.artifacts or ():
        if artifact.name == REPORT:
            return artifact
    raise MissingError(
        f"{name} left no report: an older image trained it, or none could be made, which the log "
        "of its pod would say"
    )


def check_report(report: Artifact, content: bytes) -> None:
    """Compare a page with what the run's status says of it.

    Raises:
        IntegrityError: it is another one.
    """
    if hashlib.sha256(content).hexdigest() != report.sha256:
        raise IntegrityError(
            f"{report.path} in the workspace is not the report that the run's status names"
        )


def report_pod(
    run: TrainingRun, report: Artifact, pods: PodSettings, *, suffix: str
) -> dict[str, Any]:
    """The manifest of the pod: it reads the workspace, prints one file of it, and ends.

    Args:
        run: it has Succeeded; its image has the program.
        report: what `find_report` found.
        pods: what every pod gets.
        suffix: of its name, so that two users are in nobody's way.

    Raises:
        MissingError: the run does not say which image trained it.
    """
    metadata = run.metadata
    if not run.status.image:
        raise MissingError(f"TrainingRun {metadata.namespace}/{metadata.name} names no image")
    arguments, volumes = _reading(run.spec.workspace, report)
    resources = {"cpu": "50m", "memory": "128Mi"}
    container = {
        "name": CONTAINER_NAME,
        "image": run.status.image,
        "imagePullPolicy": pods.image_pull_policy,
        "command": ["python", "-I", "-m", *arguments],
        "resources": {"requests": resources, "limits": {"memory": resources["memory"]}},
        "securityContext": container_security(),
        # What the program says when it fails.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": volume["name"], "mountPath": path}
            | ({} if path == SCRATCH_DIRECTORY else {"readOnly": True})
            for path, volume in volumes.items()
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata.name[:40].replace('.', '-')}-report-{suffix}",
            "namespace": metadata.namespace,
            "labels": {APP_LABEL: APP},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": _security(pods),
            "containers": [container],
            "volumes": list(volumes.values()),
        },
    }


def _reading(
    workspace: WorkspaceSpec, report: Artifact
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The module that prints the report, with its arguments; volumes by where they are mounted."""
    name = "workspace"
    if workspace.s3 is None:
        claim = {"name": name, "persistentVolumeClaim": {"claimName": workspace.claim_name}}
        path = f"{WORKSPACE_DIRECTORY}/{report.path}"
        return [MODULE, path], {WORKSPACE_DIRECTORY: claim}
    secret, bundle = workspace.s3.credentials_secret_ref, workspace.s3.ca_bundle_ref
    volumes = {
        f"{SECRETS_DIRECTORY}/{name}": secret_volume(name, Purpose.WORKSPACE, secret.name),
        SCRATCH_DIRECTORY: {"name": "scratch", "emptyDir": {"sizeLimit": SCRATCH_SIZE}},
    }
    if bundle:
        volumes[f"{CA_DIRECTORY}/{name}"] = ca_volume(f"ca-{name}", bundle.name)
    store = remote_folder(workspace.s3).model_dump_json(by_alias=True)
    return [STORE_MODULE, store, report.path], volumes


def _security(pods: PodSettings) -> dict[str, Any]:
    """With the group that the workspace's files belong to, and without giving them to it anew:
    the kubelet would do that beneath a training that writes.
    """
    security = pod_security(pods)
    group = security.pop("fsGroup")
    del security["fsGroupChangePolicy"]
    return security | {"supplementalGroups": [group]}


def has_printed(status: dict[str, Any]) -> bool:
    """Whether the pod of this status has ended well; False while it is on its way.

    Raises:
        MissingError: the file is not in the workspace any more.
        IntegrityError: it is too big, or no file.
        UnavailableError: the pod failed, or cannot start.
    """
    if status.get("phase") == "Succeeded":
        return True
    state: dict[str, Any] = next(
        (container.get("state", {}) for container in status.get("containerStatuses", [])), {}
    )
    if status.get("phase") == "Failed":
        ended = state.get("terminated", {})
        said = ended.get("message") or status.get("message") or ended.get("reason") or "no reason"
        for error in (MissingError, IntegrityError):
            if ended.get("exitCode") == error.exit_code:
                raise error(f"the pod that reads the report: {said.strip()}")
        raise UnavailableError(f"the pod that reads the report failed: {said.strip()[-300:]}")
    waiting = state.get("waiting", {})
    if waiting.get("reason") in _HOPELESS:
        raise UnavailableError(
            f"the pod that reads the report cannot start: {what_it_waits_for(status)}"
        )
    return False


def what_it_waits_for(status: dict[str, Any]) -> str:
    """Why a pod has not started yet, as Kubernetes puts it."""
    for container in status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason"):
            return ": ".join(filter(None, [waiting["reason"], waiting.get("message")]))
    for condition in status.get("conditions", []):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason"))
    return "nothing that Kubernetes would say"
