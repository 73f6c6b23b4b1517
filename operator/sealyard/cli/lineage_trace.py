"""From a release back to the annotations: what belongs together, and how it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from sealyard.annotations.lineage import LINEAGE_FILE, UsedAnnotation, count_by_annotator
from sealyard.api.dataset import PinnedSnapshot
from sealyard.api.model_release import ModelRelease
from sealyard.api.training_run import Artifact, PinnedWeights, TrainingRun
from sealyard.errors import IntegrityError, MissingError
from sealyard.pages.wording import shown
from sealyard.sealing.manifest import Manifest


def release_of_manifest(
    raw: bytes, releases: Sequence[ModelRelease], namespace: str
) -> ModelRelease:
    """The release that a manifest is of.

    Args:
        raw: the manifest as a device has it.
        releases: those of the namespace.
        namespace: for messages.

    Raises:
        MissingError: there is none of its model and version.
        IntegrityError: it is another one's, or the release comes from something else.
    """
    manifest = Manifest.parse(raw)
    predicate = manifest.predicate
    name = f"{predicate.model} {predicate.version}"
    named = [
        one
        for one in releases
        if (one.spec.model, one.spec.version) == (predicate.model, predicate.version)
    ]
    if not named:
        raise MissingError(
            f"the manifest is of {name}, and namespace {namespace} has no ModelRelease of it"
        )
    digest = hashlib.sha256(raw).hexdigest()
    found = next((one for one in named if one.status.manifest_sha256 == digest), None)
    if found is None:
        first = named[0]
        raise IntegrityError(
            f"the manifest of {name} has the SHA-256 {digest}, and ModelRelease "
            f"{first.metadata.name} has published {first.status.manifest_sha256 or 'none'}"
        )
    _compare(manifest, found)
    return found


def _compare(manifest: Manifest, release: ModelRelease) -> None:
    """A manifest and a status that say where the same bytes come from must say the same."""
    source, lineage = manifest.predicate.source, release.status.lineage
    run = source.training_run
    said = (run.name, run.uid, source.dataset_digest) if run else None
    known = (
        (lineage.training_run, lineage.training_run_uid, lineage.dataset_digest)
        if lineage
        else None
    )
    if said != known:
        raise IntegrityError(
            f"the manifest says that it comes from {_words(said)}, and the status of ModelRelease "
            f"{release.metadata.name} says {_words(known)}"
        )


def _words(origin: tuple[str, str, str | None] | None) -> str:
    if origin is None:
        return "no TrainingRun"
    run, uid, dataset = origin
    return f"TrainingRun {run} ({uid}) and the dataset {dataset}"


def run_named(release: ModelRelease) -> str:
    """The TrainingRun that a release is made from.

    Raises:
        MissingError: nothing of it was made yet.
    """
    if release.status.lineage is None:
        raise MissingError(
            f"ModelRelease {release.metadata.namespace}/{release.metadata.name} is "
            f"{release.status.phase or 'Pending'}; what it comes from is known once a variant is "
            "exported"
        )
    return release.status.lineage.training_run


def check_run(release: ModelRelease, run: TrainingRun) -> None:
    """Whether a run is the one that a release was made from.

    Raises:
        MissingError: that one was deleted, and this one has its name.
        IntegrityError: it was trained on another dataset.
    """
    lineage = release.status.lineage
    if lineage is None:
        raise AssertionError("run_named has looked")
    name = f"TrainingRun {run.metadata.namespace}/{run.metadata.name}"
    if run.metadata.uid != lineage.training_run_uid:
        raise MissingError(
            f"{name} is another one than the release was made from (uid "
            f"{lineage.training_run_uid}); that one was deleted"
        )
    digest = run.status.dataset.digest if run.status.dataset else None
    if digest != lineage.dataset_digest:
        raise IntegrityError(
            f"{name} was trained on the dataset {digest}, and the release says "
            f"{lineage.dataset_digest}"
        )


def find_list(run: TrainingRun) -> Artifact | None:
    """The list of the annotations that a run was trained on; None where no route filed them.

    Raises:
        MissingError: the run has lost it.
    """
    if run.status.snapshot is None:
        return None
    for artifact in run.status.artifacts or ():
        if artifact.name == LINEAGE_FILE:
            return artifact
    raise MissingError(
        f"TrainingRun {run.metadata.namespace}/{run.metadata.name} names no {LINEAGE_FILE} among "
        "its artifacts: its workspace has lost it"
    )


def started_from(
    run: TrainingRun, find: Callable[[str], TrainingRun | None]
) -> list[dict[str, Any]]:
    """What a run was fine-tuned from, and that in turn: what they learnt from is in it, too.

    Args:
        run: the last.
        find: gives the TrainingRun of a name, if there is one.

    Returns:
        A step for each weights that a run began with, the last run's first. The last step says
        that its run was deleted, or where the weights came from that no run made.
    """
    steps: list[dict[str, Any]] = []
    seen = {run.metadata.uid}
    while (weights := run.status.weights) is not None:
        step: dict[str, Any] = {"weightsSha256": weights.sha256}
        if weights.training_run is None:
            return [*steps, step | _place_of(weights)]
        step |= {"trainingRun": weights.training_run, "trainingRunUid": weights.training_run_uid}
        found = find(weights.training_run)
        if found is None or found.metadata.uid != weights.training_run_uid:
            return [*steps, step | {"deleted": True}]
        if found.metadata.uid in seen:
            raise IntegrityError(
                f"TrainingRun {run.metadata.namespace}/{run.metadata.name} says that it starts "
                f"from {weights.training_run}, which starts from it"
            )
        seen.add(found.metadata.uid)
        dataset = found.status.dataset
        step |= {"dataset": dataset.to_wire() if dataset else {}, "source": _source(found)}
        steps.append(step)
        run = found
    return steps


def _place_of(weights: PinnedWeights) -> dict[str, Any]:
    if weights.s3 is not None:
        return {"s3": weights.s3.uri, "endpoint": weights.s3.endpoint, "path": weights.path}
    return {"persistentVolumeClaim": weights.claim_name, "path": weights.path}


def lineage_document(
    release: ModelRelease,
    run: TrainingRun,
    used: Sequence[UsedAnnotation] | None,
    steps: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """All that is known, as JSON has it.

    Args:
        release: with its lineage.
        run: that it was made from.
        used: the list of its annotations; None where no route filed them.
        steps: what it was fine-tuned from.
    """
    status, progress, dataset = release.status, run.status.progress, run.status.dataset
    metrics = progress.metrics if progress else None
    document: dict[str, Any] = {
        "release": release.metadata.name,
        "model": release.spec.model,
        "version": release.spec.version,
        "phase": status.phase,
        "manifestSha256": status.manifest_sha256,
        "variants": {one.name: one.sha256 for one in status.variants or ()},
        "trainingRun": run.metadata.name,
        "trainingRunUid": run.metadata.uid,
        "image": run.status.image,
        "metrics": metrics.to_wire() if metrics else {},
        "dataset": dataset.to_wire() if dataset else {},
        "source": _source(run),
        "startedFrom": list(steps),
    }
    if used is not None:
        document["items"] = [
            {"annotator": annotator, "role": role, "identity": identity, "items": count}
            for annotator, role, identity, count in count_by_annotator(used)
        ]
        document["annotations"] = [one.to_wire() for one in used]
    return document


def _source(run: TrainingRun) -> dict[str, Any]:
    snapshot: PinnedSnapshot | None = run.status.snapshot
    if snapshot is not None:
        return {
            "annotationRoute": snapshot.route,
            "annotationRouteUid": snapshot.route_uid,
            "offset": snapshot.offset,
        }
    place = run.spec.dataset
    if place.s3 is not None:
        return {"s3": place.s3.uri, "endpoint": place.s3.endpoint}
    return {"persistentVolumeClaim": place.claim_name, "path": place.path or "/"}


def lineage_text(document: dict[str, Any], *, annotations: bool) -> str:
    """The same for people. What annotators call themselves is shown as it can be looked at."""
    source, dataset = document["source"], document["dataset"]
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in document["metrics"].items())
    lines = [
        ("release", f"{document['release']} ({document['phase']})"),
        ("model", f"{document['model']} {document['version']}"),
        ("manifest", document["manifestSha256"] or "none yet"),
        *((f"variant {name}", digest) for name, digest in document["variants"].items()),
        ("training run", f"{document['trainingRun']} ({document['trainingRunUid']})"),
        ("image", document["image"] or "not known"),
        ("metrics", metrics or "none"),
        ("dataset", f"{dataset.get('digest')}, {dataset.get('images')} images"),
        ("source", _listed(source)),
        *(("starts from", _step(each)) for each in document["startedFrom"]),
    ]
    for each in document.get("items", ()):
        who = f"{shown(each['annotator'])}, {_role(each)}"
        lines.append(("annotated by", f"{who}: {each['items']} items"))
    width = max(len(label) for label, _ in lines)
    text = [f"{label:{width}}  {value}" for label, value in lines]
    if annotations:
        text += ["", *map(_annotation_line, document.get("annotations", ()))]
    return "\n".join(text)


def _step(step: dict[str, Any]) -> str:
    run = step.get("trainingRun")
    if run is None:
        place = {name: value for name, value in step.items() if name != "weightsSha256"}
        return f"weights {step['weightsSha256']}, which no TrainingRun made: {_listed(place)}"
    said = f"{run} ({step['trainingRunUid']})"
    if step.get("deleted"):
        return f"{said}, which was deleted; what it learnt from is not known"
    return f"{said}, dataset {step['dataset'].get('digest')}, {_listed(step['source'])}"


def _listed(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def _role(one: dict[str, Any]) -> str:
    """A role, and why it counted: only a token proves it."""
    role, identity = one.get("role"), one.get("identity")
    if role is None:
        return "no proven role"
    how = {"jwt": "by token", "brokerUser": "by the broker's user", "Trusted": "claimed"}
    return f"{shown(role)} ({how.get(identity or '', 'not known how')})"


def _annotation_line(one: dict[str, Any]) -> str:
    return "\t".join(
        [
            one["id"],
            f"revision {one['revision']}",
            f"offset {one['offset']}",
            one["split"],
            shown(one["annotator"]),
            _role(one),
            one["time"],
            one["sha256"],
        ]
    )
