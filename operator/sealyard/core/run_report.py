"""The pod that brings a file of a run out of its workspace, for the user who asks for it.

The operator has no part in it: the user's own rights create the pod, read its log and delete it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sealyard.api.mounts import SCRATCH_DIRECTORY, WORKSPACE_DIRECTORY
from sealyard.api.secrets import Purpose, Role
from sealyard.api.training_run import Artifact, TrainingRun, WorkspaceSpec
from sealyard.core.jobs import pod
from sealyard.core.reading_pod import reading_pod
from sealyard.core.settings import PodSettings
from sealyard.core.stores import remote_folder
from sealyard.errors import IntegrityError, MissingError, UnavailableError

REPORT = "report.html"
SCRATCH_SIZE = "16Mi"
MODULE = "sealyard.jobs.printed_file"
STORE_MODULE = "sealyard.delivery.printed_object"
MEMORY = "192Mi"
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
    """Compare a file with what the run's status says of it.

    Raises:
        IntegrityError: it is another one.
    """
    if hashlib.sha256(content).hexdigest() != report.sha256:
        raise IntegrityError(
            f"{report.path} in the workspace is not the file that the run's status names"
        )


def report_pod(
    run: TrainingRun, report: Artifact, pods: PodSettings, *, suffix: str
) -> dict[str, Any]:
    """The manifest of the pod: it reads the workspace, prints one file of it, and ends.

    Args:
        run: it has Succeeded; its image has the program.
        report: what `find_report` found, or another file that the run left.
        pods: what every pod gets.
        suffix: of its name, so that two users are in nobody's way.

    Raises:
        MissingError: the run does not say which image trained it.
    """
    metadata = run.metadata
    if not run.status.image:
        raise MissingError(f"TrainingRun {metadata.namespace}/{metadata.name} names no image")
    arguments, mounts = _reading(run.spec.workspace, report)
    return reading_pod(
        metadata,
        "report",
        suffix,
        pods,
        image=run.status.image,
        arguments=arguments,
        mounts=mounts,
        memory=MEMORY,
    )


def _reading(workspace: WorkspaceSpec, report: Artifact) -> tuple[list[str], list[pod.Mount]]:
    """The module that prints the report, with its arguments, and what it reads."""
    if workspace.claim_name is not None:
        path = f"{WORKSPACE_DIRECTORY}/{report.path}"
        return [MODULE, path], [pod.workspace(workspace.claim_name, read_only=True)]
    if workspace.s3 is None:
        raise AssertionError("the API server lets in no workspace without a place")
    secret, bundle = workspace.s3.credentials_secret_ref, workspace.s3.ca_bundle_ref
    scratch = {"name": "scratch", "emptyDir": {"sizeLimit": SCRATCH_SIZE}}
    mounts = [
        # As a Job that trains has it: the image is the same, and so is who chose it.
        pod.secret(Role.TRAIN, Purpose.WORKSPACE, secret.name),
        pod.Mount(scratch, SCRATCH_DIRECTORY, read_only=False),
    ]
    mounts += [pod.ca_bundle("workspace", bundle.name)] if bundle else []
    store = remote_folder(workspace.s3).model_dump_json(by_alias=True)
    return [STORE_MODULE, store, report.path], mounts


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
                raise error(f"the reading pod: {said.strip()}")
        raise UnavailableError(f"the reading pod failed: {said.strip()[-300:]}")
    waiting = state.get("waiting", {})
    if waiting.get("reason") in _HOPELESS:
        raise UnavailableError(f"the reading pod cannot start: {what_it_waits_for(status)}")
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
