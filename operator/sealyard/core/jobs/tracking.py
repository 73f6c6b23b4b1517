"""A tracking server as a task names it, and what is mounted to reach it."""

from __future__ import annotations

from sealyard.api.secrets import Purpose, Role
from sealyard.api.tasks import RemoteMlflow
from sealyard.api.tracking import MlflowSpec
from sealyard.core.jobs import pod


def remote_mlflow(spec: MlflowSpec, image: str) -> RemoteMlflow:
    """The MLflow server, and what to tell it of the pod."""
    secret, bundle = spec.credentials_secret_ref, spec.ca_bundle_ref
    return RemoteMlflow(
        uri=spec.uri,
        experiment=spec.experiment,
        secret_name=secret.name if secret else None,
        ca_bundle_name=bundle.name if bundle else None,
        image=image,
    )


def tracking_mounts(spec: MlflowSpec) -> list[pod.Mount]:
    """The login and the CA bundle, as far as they are named."""
    secret, bundle = spec.credentials_secret_ref, spec.ca_bundle_ref
    mounts = [pod.secret(Role.TRAIN, Purpose.TRACKING, secret.name)] if secret else []
    return mounts + ([pod.ca_bundle("mlflow", bundle.name)] if bundle else [])
