"""The task of each Job: one JSON document in the environment variable `mounts.TASK_VARIABLE`.

A task holds names, digests and addresses, never a secret: those are mounted files (`secrets.py`).
Paths are relative to the mount they belong to.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sealyard.api.model import HttpsUrl, Model, Name, RelativePath, SemVer, Sha256
from sealyard.api.model_release import Platform, SealingFormatName, VariantSpec
from sealyard.api.release_target import SplitSpec
from sealyard.api.tracking import Experiment
from sealyard.api.training_run import Hyperparameters, Metrics, ModelSpec, PinnedWeights

TASK_VERSION = 8
"""The newest that programs understand; they understand those before it, too."""
FIRST_TASK_VERSION = 1
WEIGHTS_TASK_VERSION = 2
"""A task carries the least version that has all it says, so that an older image which a profile
pins refuses only what it would get wrong: this one, where it would train from scratch."""
PLATFORM_TASK_VERSION = 3
"""And this one, where it would offer to every machine what runs on some of them."""
NODES_TASK_VERSION = 4
"""And this one, where each of several pods would train by itself."""
S3_TASK_VERSION = 5
"""And this one, where it would wait for a dataset in a volume that nobody mounts."""
SNAPSHOT_TASK_VERSION = 6
"""And this one, where it would train on whatever a route has filed by then."""
WORKSPACE_TASK_VERSION = 7
"""And this one, where it would keep all it makes on a disk that goes with the pod."""
COPIES_TASK_VERSION = 8
"""And this one, where all nodes but the first would look for its files in a copy of their own."""


class Owner(Model):
    """The custom resource that a Job works for."""

    namespace: str
    name: str
    uid: str


class ProgressEndpoint(Model):
    """Where the trainer reports how far it is."""

    url: HttpsUrl
    ca: str = Field(
        description="The PEM bundle that the endpoint's certificate must verify against."
    )


class RemoteMlflow(Model):
    """An MLflow server, as the trainer reaches it."""

    uri: HttpsUrl
    experiment: Experiment
    secret_name: str | None = Field(
        default=None, description="Named in messages only; its keys are mounted."
    )
    ca_bundle_name: str | None = None
    image: str = Field(description="What the pod runs; a parameter of the MLflow run.")


class Nodes(Model):
    """Pods that train together. Which of them a pod is stands in JOB_COMPLETION_INDEX."""

    count: Annotated[int, Field(ge=2)]
    host: str = Field(description="Where the first of them is found.")
    port: Annotated[int, Field(ge=1, le=65_535)]


class RemoteFolder(Model):
    """A folder in an S3-compatible store, as a Job reaches it."""

    endpoint: HttpsUrl
    region: str
    bucket: str
    prefix: str = Field(description="Empty, or with a slash at its end.")
    secret_name: str = Field(description="Named in messages only; its keys are mounted.")
    ca_bundle_name: str | None = None


class RouteSnapshot(Model):
    """The state of an AnnotationRoute that a dataset is made of; the task's dataset is then where
    the route files."""

    route: str = Field(description="Its name, for messages.")
    offset: Annotated[int, Field(ge=1)] = Field(description="What was filed before it counts.")
    validation_percent: Annotated[int, Field(ge=1, le=90)]


class RemoteWorkspace(RemoteFolder):
    """A workspace in such a store; what is at /workspace is the pod's own copy."""

    cache_bytes: Annotated[int, Field(ge=1)] = Field(description="How much that copy may have.")


class Task(Model):
    """What all tasks carry."""

    task_version: int = FIRST_TASK_VERSION
    owner: Owner
    attempt: Annotated[int, Field(ge=1)]


class WorkspaceTask(Task):
    """What those carry that work on files of a workspace."""

    workspace: RemoteWorkspace | None = Field(
        default=None, description="Its store; where there is none, /workspace outlives the pod."
    )


class TrainTask(WorkspaceTask):
    """Train, checkpoint each epoch, resume where a former attempt left off."""

    kind: Literal["train"] = "train"
    model: ModelSpec
    hyperparameters: Hyperparameters
    dataset_path: RelativePath | None = Field(
        default=None, description="Below /dataset; its root where none is given."
    )
    dataset: RemoteFolder | None = Field(
        default=None, description="Where it is fetched from; nothing is mounted at /dataset then."
    )
    snapshot: RouteSnapshot | None = Field(
        default=None, description="Where the dataset is to be made of what a route has filed."
    )
    run_path: RelativePath = Field(description="The run's folder below /workspace.")
    weights: PinnedWeights | None = Field(
        default=None, description="What to fine-tune; its path is below /weights."
    )
    gpus: Annotated[int, Field(ge=0)] = 0
    nodes: Nodes | None = None
    requested_at: str | None = Field(
        default=None, description="A DONE.json older than this is void (RFC 3339)."
    )
    progress: ProgressEndpoint | None = None
    mlflow: RemoteMlflow | None = None

    @property
    def has_copies(self) -> bool:
        """Whether each of several nodes has a copy of the workspace, and they share no folder."""
        return self.nodes is not None and self.workspace is not None


class ExportTask(WorkspaceTask):
    """Export one variant of a trained model, compare it with the checkpoint, and measure it."""

    kind: Literal["export"] = "export"
    variant: VariantSpec
    checkpoint_path: RelativePath = Field(description="best.pt below /workspace.")
    checkpoint_sha256: Sha256
    image_size: Annotated[int, Field(ge=32)]
    dataset_path: RelativePath | None = Field(
        default=None, description="Below /dataset: the folder of data.yaml."
    )
    dataset: RemoteFolder | None = Field(
        default=None, description="Where it is fetched from; nothing is mounted at /dataset then."
    )
    snapshot: RouteSnapshot | None = Field(
        default=None, description="Where the dataset is to be made of what a route has filed."
    )
    run_path: RelativePath = Field(description="The training run's folder, for its dataset.lock.")
    release_path: RelativePath = Field(description="The release's folder below /workspace.")
    model: Name
    version: SemVer


class RemoteApi(Model):
    """The release API, as a Job reaches it."""

    url: HttpsUrl
    secret_name: str = Field(description="Named in messages only; its keys are mounted.")
    ca_bundle_name: str | None = None


class RemoteCdn(Model):
    """The CDN, as a Job reaches it."""

    endpoint: HttpsUrl
    region: str
    bucket: str
    prefix: str
    secret_name: str = Field(description="Named in messages only; its keys are mounted.")
    ca_bundle_name: str | None = None


class ExportedVariant(Model):
    """A plaintext that lies in the workspace, ready to be sealed."""

    spec: VariantSpec
    image_size: int
    path: RelativePath = Field(description="Below /workspace.")
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]
    platform: Platform | None = Field(default=None, description="Where it runs; anywhere if none.")


class SourceRecord(Model):
    """Where the model comes from; goes into the manifest as it stands."""

    training_run: str
    training_run_uid: str
    dataset_digest: Sha256
    image: str | None = None
    metrics: Metrics | None = None


class PublishTask(WorkspaceTask):
    """Seal, split and upload every variant; the manifest goes last."""

    kind: Literal["publish"] = "publish"
    model: Name
    version: SemVer
    sealing_format: SealingFormatName
    split: SplitSpec
    variants: Annotated[list[ExportedVariant], Field(min_length=1, max_length=16)]
    source: SourceRecord
    release_path: RelativePath
    api: RemoteApi
    cdn: RemoteCdn
    keyring_secret_name: str


class VerifyTask(Task):
    """Fetch both parts with the other credentials, open them, compare, keep nothing."""

    kind: Literal["verify"] = "verify"
    model: Name
    version: SemVer
    manifest_sha256: Sha256
    variants: Annotated[list[ExportedVariant], Field(min_length=1, max_length=16)]
    api: RemoteApi
    cdn: RemoteCdn
    keyring_secret_name: str


class TidyTask(WorkspaceTask):
    """Delete the plaintext exports of a release that is out, or that will never be."""

    kind: Literal["tidy"] = "tidy"
    release_path: RelativePath


class RewrapTask(Task):
    """Move every sealed-v2 small part of a release API to the keyring's active key.

    It names no CDN, because nothing changes there.
    """

    kind: Literal["rewrap"] = "rewrap"
    verifier: RemoteApi = Field(description="The release API with the login that reads.")
    publisher: RemoteApi = Field(description="The same with the login that writes.")
    keyring_secret_name: str


class ProbeTask(Task):
    """Find out whether a target's logins and credentials do their part, and nothing else."""

    kind: Literal["probe"] = "probe"
    generation: Annotated[int, Field(ge=1)] = Field(
        description="Of the spec that is probed; the answer gives it back."
    )
    publisher: RemoteApi
    verifier: RemoteApi
    writer: RemoteCdn
    reader: RemoteCdn


class GrantTask(Task):
    """Tell the release API which devices there are, and wrap the data keys for each of them.

    The `GrantInput` is mounted (`mounts.INPUT_DIRECTORY`).
    """

    kind: Literal["grant"] = "grant"
    input_sha256: Sha256 = Field(description="Over the RFC 8785 form of the input.")
    verifier: RemoteApi = Field(description="The release API with the login that reads.")
    publisher: RemoteApi = Field(description="The same with the login that writes.")
    keyring_secret_name: str


class IndexTask(Task):
    """Sign and publish the index, then read it as a device would.

    The `IndexInput` is mounted (`mounts.INPUT_DIRECTORY`), and so is the chain of roots
    (`mounts.TRUST_ROOT_DIRECTORY`).
    """

    kind: Literal["index"] = "index"
    input_sha256: Sha256 = Field(description="Over the RFC 8785 form of the input.")
    index_lifetime_seconds: Annotated[int, Field(ge=3600)]
    known_version: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Of the last index that was signed; an older one is not believed."
    )
    publisher: RemoteApi
    release_key_secret_name: str
    freshness_key_secret_name: str
    root_config_map_name: str


def to_environment(task: Task) -> str:
    """The task as the value of an environment variable.

    Kubernetes expands `$(NAME)` in such values, so every dollar is escaped as JSON allows.
    """
    return task.model_dump_json(by_alias=True, exclude_none=True).replace("$", "\\u0024")
