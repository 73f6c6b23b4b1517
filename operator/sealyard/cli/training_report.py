"""`sealyard report`: the page that explains a run, out of the workspace in its cluster."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from sealyard.api.training_run import TrainingRun
from sealyard.cli.cluster import Cluster
from sealyard.cli.reading import pods_for
from sealyard.core.reading_pod import DEADLINE_SECONDS
from sealyard.core.run_report import check_report, find_report, report_pod
from sealyard.errors import MissingError
from sealyard.jobs.printed_file import parse
from sealyard.jobs.workspace import write_atomic


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The name of the TrainingRun.")],
    *,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Its namespace; the context's without it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the page goes; RUN.html without it."),
    ] = None,
) -> None:
    """Fetch the report of a TrainingRun that Succeeded, as one HTML page.

    A pod reads it from the run's workspace, read-only, and is deleted again. It needs a kubeconfig
    and the right to get the run and its ComputeProfile, to create, get and delete pods, and to read
    their logs.
    """
    cluster = Cluster()
    found = cluster.get(TrainingRun, namespace or cluster.namespace, run)
    artifact = find_report(found)
    path = output or Path(f"{run}.html")
    _check_folder(path)
    pod = report_pod(found, artifact, pods_for(cluster, found), suffix=secrets.token_hex(4))
    content = parse(cluster.log_of(pod, seconds=DEADLINE_SECONDS))
    check_report(artifact, content)
    try:
        write_atomic(path, content)
    except OSError as error:
        raise MissingError(f"{path}: cannot be written ({error.strerror})") from None
    print(path)


def _check_folder(path: Path) -> None:
    """Before a pod is made for nothing."""
    if not path.absolute().parent.is_dir():
        raise MissingError(f"{path.parent}: there is no such folder")
