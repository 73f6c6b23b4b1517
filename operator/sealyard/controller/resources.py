"""The API resources that the operator works with, and their paths on the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.device import Device
from sealyard.api.kind import GROUP, MANAGED_BY, MANAGED_BY_LABEL, VERSION, CustomResource
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun


class Key(NamedTuple):
    """Names a custom resource; what the work queue holds. The cluster's are of namespace ""."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API; `label_selector` narrows what is listed and watched of it."""

    group: str
    version: str
    plural: str
    kind: str
    label_selector: str = ""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`batch/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The path of the collection (all namespaces if None), an object or its subresource."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


def _custom(model: type[CustomResource]) -> Resource:
    namespaced = model.SCOPE == "Namespaced"
    return Resource(GROUP, VERSION, model.PLURAL, model.KIND, namespaced=namespaced)


_OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

RUNS = _custom(TrainingRun)
RELEASES = _custom(ModelRelease)
TARGETS = _custom(ReleaseTarget)
CHANNELS = _custom(ReleaseChannel)
DEVICES = _custom(Device)
ROUTES = _custom(AnnotationRoute)
PROFILES = _custom(ComputeProfile)
JOBS = Resource("batch", "v1", "jobs", "Job", _OURS)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", _OURS)
JOB_SETS = Resource("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet", _OURS)
"""Of another project, which a cluster may lack: looked for now and then (`job_sets.py`)."""
PODS = Resource("", "v1", "pods", "Pod", _OURS)
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")

CUSTOM_RESOURCES = {
    resource.kind: resource for resource in (RUNS, RELEASES, TARGETS, CHANNELS, DEVICES, ROUTES)
}
"""Those that are worked on; a ComputeProfile is only read."""
WATCHED = (PROFILES, *CUSTOM_RESOURCES.values(), JOBS, DEPLOYMENTS, PODS, CLAIMS)
