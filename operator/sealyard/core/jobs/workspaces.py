"""A workspace as a task names it, and what is mounted to reach it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sealyard.api.secrets import Purpose, Role
from sealyard.api.tasks import RemoteWorkspace
from sealyard.api.training_run import PinnedWeights, WorkspaceSpec
from sealyard.core.compute.quantity import amount
from sealyard.core.jobs import pod
from sealyard.core.stores import remote_folder

STORAGE = "ephemeral-storage"


def remote_workspace(workspace: WorkspaceSpec) -> RemoteWorkspace | None:
    """The store that it is in; None where it is a claim."""
    store = workspace.s3
    if store is None:
        return None
    cache_bytes = max(math.floor(amount(store.cache_size)), 1)
    return RemoteWorkspace(**remote_folder(store).model_dump(), cache_bytes=cache_bytes)


def workspace_mounts(role: Role, workspace: WorkspaceSpec) -> list[pod.Mount]:
    """Its claim, or room for a copy with the credential and the CA bundle of its store."""
    if workspace.claim_name is not None:
        return [pod.workspace(workspace.claim_name)]
    if workspace.s3 is None:
        raise AssertionError("the API server lets in no workspace without a place")
    secret, bundle = workspace.s3.credentials_secret_ref, workspace.s3.ca_bundle_ref
    mounts = [
        pod.workspace_cache(workspace.s3.cache_size),
        pod.secret(role, Purpose.WORKSPACE, secret.name),
    ]
    return mounts + ([pod.ca_bundle("workspace", bundle.name)] if bundle else [])


def weights_mounts(role: Role, weights: PinnedWeights) -> list[pod.Mount]:
    """The claim of what is fine-tuned, or the credential and the CA bundle of its store."""
    if weights.claim_name is not None:
        return [pod.weights(weights.claim_name)]
    if weights.s3 is None:
        raise AssertionError("weights are pinned with the place that has them")
    secret, bundle = weights.s3.credentials_secret_ref, weights.s3.ca_bundle_ref
    mounts = [pod.secret_of_weights(role, secret.name)]
    return mounts + ([pod.ca_bundle("weights", bundle.name)] if bundle else [])


def with_cache(resources: Mapping[str, Any], workspace: WorkspaceSpec) -> dict[str, Any]:
    """What a container asks for, and room for the copy: only nodes that have it are chosen."""
    if workspace.s3 is None:
        return dict(resources)
    asked = {**resources.get("requests", {}), STORAGE: workspace.s3.cache_size}
    return {**resources, "requests": asked}
