"""Where else a training shows how far it is: the tools that people have already."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from sealyard.api.model import HttpsUrl, LocalObjectReference, Model, says

Experiment = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_/][A-Za-z0-9 ._/@-]*$", max_length=256),
    says("must be the name of an experiment: letters, digits, spaces and . _ / @ -"),
]


class MlflowSpec(Model):
    """An MLflow server. Training never waits for it and never fails by it."""

    uri: HttpsUrl = Field(description="Of the tracking server, as clients call it.")
    experiment: Experiment = Field(
        default="sealyard", description="Made where there is none of this name."
    )
    credentials_secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="A Secret with mlflow-username and mlflow-password; no login where none is "
        "named.",
    )
    ca_bundle_ref: LocalObjectReference | None = Field(
        default=None, description="A ConfigMap with ca.crt; the system's roots where none is named."
    )


class TrackingSpec(Model):
    """What is told of the training beside its status. TensorBoard's files are always written."""

    mlflow: MlflowSpec | None = None
