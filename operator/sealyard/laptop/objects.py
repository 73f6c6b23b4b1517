"""The objects that a person would have applied, with the status that each has come to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.digests import structure_sha256
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun
from sealyard.core.observed import (
    ModelReleaseObserved,
    ObservedClaim,
    ObservedJob,
    Profiles,
    TrainingRunObserved,
)
from sealyard.core.status import merged
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.workspace import write_atomic

USED = (TrainingRun.KIND, ModelRelease.KIND, ReleaseTarget.KIND, ComputeProfile.KIND)
NAMESPACE = "default"

Key = tuple[str, str]
"""Kind and name."""


class Objects:
    """What is known of the objects of a folder, from one command to the next.

    An object whose spec has changed is another one, and so is what is made from it: in a cluster
    the change would have been refused.

    Args:
        documents: of the kinds in `USED`, valid by their schemas.
        path: where every status is kept.

    Raises:
        InvalidError: two objects have one kind and name, or what is kept cannot be read.
    """

    def __init__(self, documents: list[dict[str, Any]], path: Path) -> None:
        self._path = path
        kept = _kept(path)
        specs: dict[Key, dict[str, Any]] = {}
        requests: dict[Key, dict[str, str]] = {}
        for given in documents:
            key = given["kind"], given["metadata"]["name"]
            if key in specs:
                raise InvalidError(f"{' '.join(key)}: is there twice")
            specs[key] = given["spec"]
            annotations = given["metadata"].get("annotations") or {}
            if REQUESTED_AT_ANNOTATION in annotations:
                requests[key] = {REQUESTED_AT_ANNOTATION: annotations[REQUESTED_AT_ANNOTATION]}
        self._documents = {
            key: _document(key, specs, kept, requests.get(key, {})) for key in _sorted(specs)
        }

    def of(self, kind: str) -> list[Key]:
        """The objects of a kind, in the order of the files, but each after what it is made from."""
        return [key for key in self._documents if key[0] == kind]

    def status(self, key: Key) -> Mapping[str, Any]:
        """What it has come to."""
        status: Mapping[str, Any] = self._documents[key]["status"]
        return status

    def patch(self, key: Key, status: Mapping[str, Any]) -> bool:
        """Merge a patch into a status and keep it. Whether that changed anything.

        Raises:
            MissingError: it cannot be kept.
        """
        document = self._documents[key]
        after = merged(document["status"], status)
        if after == document["status"]:
            return False
        document["status"] = after
        ours = {one["metadata"]["uid"]: one["status"] for one in self._documents.values()}
        everything = _kept(self._path) | ours
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, json.dumps(everything, indent=1).encode())
        except OSError as error:
            raise MissingError(f"{self._path}: cannot be written ({error.strerror})") from None
        return True

    def run(self, key: Key, jobs: tuple[ObservedJob, ...] = ()) -> TrainingRunObserved:
        """A look at a TrainingRun, as the operator's caches would have it."""
        run = TrainingRun.from_wire(self._documents[key])
        source = run.spec.model.weights and run.spec.model.weights.training_run_ref
        return TrainingRunObserved(
            run,
            jobs,
            claims=self._claims(),
            profiles=self._profiles(key),
            source=self._run(source.name) if source else None,
        )

    def release(self, key: Key, jobs: tuple[ObservedJob, ...] = ()) -> ModelReleaseObserved:
        """A look at a ModelRelease."""
        release = ModelRelease.from_wire(self._documents[key])
        return ModelReleaseObserved(
            release,
            run=self._run(release.spec.source.training_run_ref.name),
            target=self._target(release.spec.target_ref.name),
            jobs=jobs,
            claims=self._claims(),
            profiles=self._profiles(key),
        )

    def _run(self, name: str) -> TrainingRun | None:
        found = self._documents.get((TrainingRun.KIND, name))
        return TrainingRun.from_wire(found) if found else None

    def _target(self, name: str) -> ReleaseTarget | None:
        found = self._documents.get((ReleaseTarget.KIND, name))
        return ReleaseTarget.from_wire(found) if found else None

    def _profiles(self, key: Key) -> Profiles:
        profiles = {name: self._documents[kind, name] for kind, name in self.of("ComputeProfile")}
        reference = self._documents[key]["spec"].get("profileRef")
        if reference:
            named = profiles.get(reference["name"])
            return Profiles(named=ComputeProfile.from_wire(named) if named else None)
        parsed = [ComputeProfile.from_wire(one) for one in profiles.values()]
        return Profiles(defaults=tuple(one for one in parsed if one.spec.default))

    def _claims(self) -> tuple[ObservedClaim, ...]:
        """Folders are there as soon as somebody looks, for as many as want to."""
        names = {name for one in self._documents.values() for name in _claim_names(one["spec"])}
        return tuple(ObservedClaim(name, ("ReadWriteMany",), "Bound") for name in sorted(names))


def _sorted(specs: Mapping[Key, dict[str, Any]]) -> list[Key]:
    """What others are made from comes before them."""
    chains = (reversed(_made_from(key, specs)) for key in specs)
    return list(dict.fromkeys(key for chain in chains for key in chain if key in specs))


def _document(
    key: Key,
    specs: Mapping[Key, dict[str, Any]],
    kept: Mapping[str, dict[str, Any]],
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    kind, name = key
    uid = structure_sha256([[*one, specs.get(one)] for one in _made_from(key, specs)])[:32]
    status = kept.get(uid, {})
    # Whoever gives the command again wants what failed tried again; its checkpoints are there.
    is_over = status.get("phase") == "Failed"
    return {
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "annotations": dict(annotations),
        },
        "spec": specs[key],
        "status": {} if is_over else status,
    }


def _made_from(key: Key, specs: Mapping[Key, dict[str, Any]]) -> list[Key]:
    """The object, the run that it names, the run that this is fine-tuned from, and so on."""
    found: list[Key] = []
    while key not in found:
        found.append(key)
        spec = specs.get(key, {})
        source = spec.get("source") or spec.get("model")
        weights = source.get("weights", source) if isinstance(source, dict) else None
        reference = weights.get("trainingRunRef") if isinstance(weights, dict) else None
        if reference is None:
            break
        key = TrainingRun.KIND, reference["name"]
    return found


def _kept(path: Path) -> dict[str, dict[str, Any]]:
    try:
        kept: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise InvalidError(f"{path}: is damaged; delete it to begin anew") from None
    return kept


def _claim_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for field, below in value.items():
            if field == "claimName":
                yield below
            else:
                yield from _claim_names(below)
    elif isinstance(value, list):
        for item in value:
            yield from _claim_names(item)
