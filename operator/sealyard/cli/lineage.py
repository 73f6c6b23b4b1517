"""`sealyard lineage`: from a release, or a device's manifest, back to what it was trained on."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from sealyard.annotations.lineage import UsedAnnotation, parse_lineage
from sealyard.api.model_release import ModelRelease
from sealyard.api.training_run import TrainingRun
from sealyard.cli.cluster import Cluster
from sealyard.cli.lineage_trace import (
    check_run,
    find_list,
    lineage_document,
    lineage_text,
    release_of_manifest,
    run_named,
    started_from,
)
from sealyard.cli.options import JsonOption, read_file
from sealyard.cli.reading import pods_for
from sealyard.core.reading_pod import DEADLINE_SECONDS
from sealyard.core.run_report import check_report, report_pod
from sealyard.delivery.kept import MANIFEST_FILE
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.printed_file import parse
from sealyard.sealing.manifest import MANIFEST_MAX_BYTES


def lineage(
    release: Annotated[
        str | None,
        typer.Argument(metavar="RELEASE", help="The name of the ModelRelease."),
    ] = None,
    *,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            help="A device's manifest, or a folder that pull keeps, in the place of RELEASE.",
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Its namespace; the context's without it."),
    ] = None,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="List each annotation that was trained on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a release was made from: its run, the dataset, and who annotated it.

    A pod reads the list of the annotations from the run's workspace, read-only, and is deleted
    again. It needs a kubeconfig and the right to get (with --manifest, list) releases and get runs,
    to create, get and delete pods, and to read their logs.
    """
    if (release is None) == (manifest is None):
        raise InvalidError("give exactly one of RELEASE and --manifest")
    raw = _read_manifest(manifest) if manifest is not None else None
    cluster = Cluster()
    where = namespace or cluster.namespace
    found = (
        release_of_manifest(raw, cluster.list(ModelRelease, where), where)
        if raw is not None
        else cluster.get(ModelRelease, where, release or "")
    )
    run = cluster.get(TrainingRun, where, run_named(found))
    check_run(found, run)
    steps = started_from(run, lambda name: _find(cluster, where, name))
    document = lineage_document(found, run, _fetch(cluster, run), steps)
    if not as_json:
        print(lineage_text(document, annotations=annotations))
        return
    if not annotations:
        document.pop("annotations", None)
    print(json.dumps(document, indent=1))


def _read_manifest(path: Path) -> bytes:
    return read_file(path / MANIFEST_FILE if path.is_dir() else path, MANIFEST_MAX_BYTES)


def _find(cluster: Cluster, namespace: str, name: str) -> TrainingRun | None:
    try:
        return cluster.get(TrainingRun, namespace, name)
    except MissingError:
        return None


def _fetch(cluster: Cluster, run: TrainingRun) -> list[UsedAnnotation] | None:
    """The list of the run's annotations, as its status says that it is."""
    artifact = find_list(run)
    if artifact is None:
        return None
    pod = report_pod(run, artifact, pods_for(cluster, run), suffix=secrets.token_hex(4))
    content = parse(cluster.log_of(pod, seconds=DEADLINE_SECONDS))
    check_report(artifact, content)
    return list(parse_lineage(content))
