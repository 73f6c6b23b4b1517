"""The operator's configuration: one YAML or JSON file, mounted from the chart's ConfigMap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from sealyard.api.model import HttpsUrl, Model
from sealyard.api.tasks import ProgressEndpoint
from sealyard.core.settings import Images, PodSettings, Settings
from sealyard.errors import InvalidError, MissingError

DEFAULT_PATH = "/etc/sealyard/config.yaml"
PATH_VARIABLE = "SEALYARD_CONFIG"

Port = Annotated[int, Field(ge=1, le=65535)]
Image = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^\S+$")]


class _Section(Model):
    """A misspelt field is an error: what is not meant as written must not pass in silence."""

    model_config = ConfigDict(**{**Model.model_config, "extra": "forbid"})


class ImagesSection(_Section):
    """The image of each program."""

    trainer: Image
    exporter: Image
    courier: Image
    router: Image


class PodsSection(_Section):
    """What every pod of a Job gets."""

    run_as_user: Annotated[int, Field(ge=1)] = 65532
    run_as_group: Annotated[int, Field(ge=1)] = 65532
    fs_group: Annotated[int, Field(ge=1)] = 65532
    image_pull_secrets: list[str] = Field(default_factory=list)
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    gpu_resource: str = "nvidia.com/gpu"


class ProgressSection(_Section):
    """The progress endpoint: where it listens, and how trainers reach and verify it."""

    url: HttpsUrl
    port: Port = 8443
    host: str = "0.0.0.0"  # noqa: S104 - trainers reach it from other nodes
    certificate_file: Path = Path("/run/sealyard/tls/tls.crt")
    private_key_file: Path = Path("/run/sealyard/tls/tls.key")
    ca_file: Path = Path("/run/sealyard/tls/ca.crt")


class HealthSection(_Section):
    """Where the kubelet asks."""

    port: Port = 8080
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet asks by the pod's address


class ReleasesSection(_Section):
    """How releases are handled, where no release says otherwise."""

    backoff_limit: Annotated[int, Field(ge=0, le=100)] = 3
    job_ttl_seconds: Annotated[int, Field(ge=0)] = 3600
    failed_retention_seconds: Annotated[int, Field(ge=0)] = 86_400


class Configuration(_Section):
    """Everything that the platform team sets."""

    watch_namespaces: list[str] = Field(
        default_factory=list, description="Those that are watched; none means all."
    )
    images: ImagesSection
    pods: PodsSection = Field(default_factory=PodsSection)
    progress: ProgressSection | None = None
    health: HealthSection = Field(default_factory=HealthSection)
    releases: ReleasesSection = Field(default_factory=ReleasesSection)
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def settings(self) -> Settings:
        """What decisions depend on.

        Raises:
            MissingError: the CA of the progress endpoint cannot be read.
        """
        return Settings(
            images=Images(**self.images.model_dump()),
            progress=_endpoint(self.progress) if self.progress else None,
            pods=PodSettings(
                **self.pods.model_dump(exclude={"image_pull_secrets"}),
                image_pull_secrets=tuple(self.pods.image_pull_secrets),
            ),
            release_backoff_limit=self.releases.backoff_limit,
            release_ttl_seconds_after_finished=self.releases.job_ttl_seconds,
            failed_release_retention_seconds=self.releases.failed_retention_seconds,
        )


def load_configuration(path: str) -> Configuration:
    """Read and check the file.

    Raises:
        MissingError: it cannot be read.
        InvalidError: it is not YAML, or a field of it is wrong; the message names each.
    """
    try:
        document: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(
            f"the configuration {path} cannot be read: {error.strerror}; "
            f"{PATH_VARIABLE} names another file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidError(f"the configuration {path} is not YAML: {_flat(error)}") from error
    try:
        return Configuration.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the document'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise InvalidError(f"the configuration {path} is wrong: {faults}") from error


def _endpoint(progress: ProgressSection) -> ProgressEndpoint:
    try:
        ca = progress.ca_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(
            f"progress.caFile: {progress.ca_file} cannot be read; it is the PEM bundle that "
            f"trainers verify the endpoint against ({error})"
        ) from error
    return ProgressEndpoint(url=progress.url, ca=ca)


def _flat(error: Exception) -> str:
    return " ".join(str(error).split())
