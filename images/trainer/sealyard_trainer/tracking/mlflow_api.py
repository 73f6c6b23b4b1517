"""MLflow's REST API 2.0, as much of it as a training needs.

Not MLflow's own client: that reads its login from environment variables, which every process of
the pod inherits, and follows redirects.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteMlflow
from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import RefusedError, UnavailableError
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.tracking.mlflow_plan import MlflowRun, Status

ANSWER_BYTES = 1 << 20
SECONDS = 10.0
"""For one request, from the connection to the last byte."""
ABSENT, THERE = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
REFUSALS = (401, 403)


class _Wire(BaseModel):
    """What is read of an answer; MLflow says more."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Nothing(_Wire):
    pass


class _Fault(_Wire):
    error_code: Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$")]


_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Experiment(_Wire):
    experiment_id: _Id
    lifecycle_stage: str = "active"


class _GotExperiment(_Wire):
    experiment: _Experiment


class _MadeExperiment(_Wire):
    experiment_id: _Id


class _Info(_Wire):
    run_id: _Id
    start_time: Annotated[int, Field(ge=0)]


class _Metric(_Wire):
    step: int = 0


class _Parameter(_Wire):
    key: str


class _Data(_Wire):
    metrics: list[_Metric] = []
    params: list[_Parameter] = []


class _Run(_Wire):
    info: _Info
    data: _Data = _Data()


class _MadeRun(_Wire):
    run: _Run


class _FoundRuns(_Wire):
    runs: list[_Run] = []


_WireT = TypeVar("_WireT", bound=_Wire)


class MlflowApi:
    """The server of a task, under its login. Whatever it answers is checked.

    All methods raise a `SealyardError` of one line without a secret: `MissingError` (a key of the
    login), `RefusedError` (the login), `UnavailableError` (everything else).
    """

    def __init__(self, http: HttpClient, credentials: SecretFiles | None) -> None:
        self._http = http
        self._credentials = credentials

    @classmethod
    def mounted(cls, remote: RemoteMlflow, mounts: Mounts) -> Self:
        """With what is mounted for a task.

        Raises:
            MissingError: the CA bundle is not there.
        """
        bundle = CaBundle.mounted(mounts.ca / "mlflow", remote.ca_bundle_name)
        secret = remote.secret_name and SecretFiles.mounted(
            Purpose.TRACKING, mounts.secrets, remote.secret_name
        )
        return cls(HttpClient("MLflow", remote.uri, bundle=bundle), secret or None)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def experiment(self, name: str) -> str:
        """The id of the experiment of this name, which is made if there is none."""
        got = self._ask("GET", "experiments/get-by-name", {"experiment_name": name}, _GotExperiment)
        if got is None:
            made = self._ask("POST", "experiments/create", {"name": name}, _MadeExperiment)
            if made is None:
                raise UnavailableError(f"{self._http.name}: somebody else made the experiment")
            return made.experiment_id
        if got.experiment.lifecycle_stage != "active":
            raise UnavailableError(
                f"{self._http.name}: the experiment {name} is deleted; restore it, or set "
                "spec.tracking.mlflow.experiment to another"
            )
        return got.experiment.experiment_id

    def find_run(self, experiment_id: str, search: str) -> MlflowRun | None:
        """The oldest run that a filter finds."""
        body = {
            "experiment_ids": [experiment_id],
            "filter": search,
            "max_results": 1,
            "order_by": ["attributes.start_time ASC"],
        }
        found = self._need("runs/search", body, _FoundRuns)
        return _known(found.runs[0]) if found.runs else None

    def create_run(
        self, experiment_id: str, name: str, tags: list[dict[str, str]], now: int
    ) -> MlflowRun:
        """A new run.

        Args:
            experiment_id: where it is put.
            name: what people see.
            tags: what it is found again by.
            now: milliseconds since 1970.
        """
        body = {"experiment_id": experiment_id, "run_name": name, "tags": tags, "start_time": now}
        return _known(self._need("runs/create", body, _MadeRun).run)

    def set_status(self, run_id: str, status: Status, end_ms: int | None = None) -> None:
        """Say how far a run is; `end_ms`, since 1970, if it has ended."""
        ended = {} if end_ms is None else {"end_time": end_ms}
        self._need("runs/update", {"run_id": run_id, "status": status, **ended}, _Nothing)

    def log(self, run_id: str, **what: list[dict[str, Any]]) -> None:
        """Add `metrics`, `params` and `tags`."""
        self._need("runs/log-batch", {"run_id": run_id, **what}, _Nothing)

    def _need(self, path: str, body: dict[str, Any], kind: type[_WireT]) -> _WireT:
        answer = self._ask("POST", path, body, kind)
        if answer is None:
            raise UnavailableError(f"{self._http.name}: {path} says that there is no such thing")
        return answer

    def _ask(
        self, method: str, path: str, what: dict[str, Any], kind: type[_WireT]
    ) -> _WireT | None:
        """The answer; None if a thing is not there, or is there already."""
        query = f"?{urlencode(what)}" if method == "GET" else ""
        reply = self._http.send(
            method,
            f"/api/2.0/mlflow/{path}{query}",
            bounds=Bounds(ANSWER_BYTES, SECONDS),
            headers={"Content-Type": "application/json", **self._login()},
            body=b"" if method == "GET" else json.dumps(what, allow_nan=False).encode(),
        )
        if reply.status in REFUSALS:
            raise self._refused(reply.status)
        if reply.status != 200:
            code = _fault(reply.body)
            if code in (ABSENT, THERE):
                return None
            told = f" {code}" if code else ""
            raise UnavailableError(f"{self._http.name}: {path} answered {reply.status}{told}")
        try:
            return kind.model_validate_json(reply.body)
        except ValidationError:
            reason = f"{self._http.name}: {path} answered what MLflow does not"
        raise UnavailableError(reason)

    def _login(self) -> dict[str, str]:
        # Read for each request: the kubelet follows a Secret that is corrected.
        if self._credentials is None:
            return {}
        pair = self._credentials.pair()
        login = base64.b64encode(f"{pair.name}:{pair.secret}".encode()).decode()
        return {"Authorization": f"Basic {login}"}

    def _refused(self, status: int) -> RefusedError:
        if self._credentials is None:
            advice = (
                "it wants a login; name its Secret in spec.tracking.mlflow.credentialsSecretRef"
            )
        elif status == 401:
            advice = (
                f"it refuses the login of {self._credentials.source}; correct mlflow-username and "
                "mlflow-password"
            )
        else:
            advice = (
                f"the login of {self._credentials.source} may not do that; give it the right to "
                "edit the experiment"
            )
        return RefusedError(f"{self._http.name}: {advice}")


def _fault(body: bytes) -> str | None:
    try:
        return _Fault.model_validate_json(body).error_code
    except ValidationError:
        return None


def _known(run: _Run) -> MlflowRun:
    return MlflowRun(
        run_id=run.info.run_id,
        started_ms=run.info.start_time,
        last_epoch=max((metric.step for metric in run.data.metrics), default=0),
        parameters=frozenset(parameter.key for parameter in run.data.params),
    )
