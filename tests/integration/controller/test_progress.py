"""The progress endpoint over real TLS, with real tokens, before a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from sealyard_local.pki import PrivateCA
from support.operator import Endpoint, Kubectl, OperatorProcess, wait_for
from support.training import CLAIMS, Run, run_manifest

pytestmark = pytest.mark.cluster


class Training:
    """A run whose pod runs, as far as the API server knows."""

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        kubectl.apply(*CLAIMS, run_manifest(name))
        self.kubectl = kubectl
        self.run = Run(kubectl, name)
        self.pod = self.run.wait_for_pod()
        self.run.play_start(self.pod)
        self.run.wait_for_phase("Running")
        self.uid = self.run.object["metadata"]["uid"]

    def token(self, audience: str = "sealyard", *, bound: bool = True) -> str:
        """A token as the kubelet would mount it."""
        return self.run.token(self.pod, audience, bound=bound)

    def report(self, epoch: int = 3, **more: Any) -> dict[str, Any]:
        """What the trainer posts."""
        owner = {"namespace": self.kubectl.namespace, "name": self.run.name, "uid": self.uid}
        metrics = {"map50": 0.9, "map50_95": 0.7}
        return {
            "run": owner,
            "epoch": epoch,
            "epochs": 16,
            "fraction": epoch / 16,
            "etaSeconds": 240,
            "metrics": metrics,
        } | more


@pytest.fixture
def training(operator: OperatorProcess, kubectl: Kubectl) -> Iterator[Training]:
    return Training(kubectl, "coins")


def test_progress_is_shown_and_owned_by_nobody_else(
    operator: OperatorProcess, training: Training
) -> None:
    assert operator.endpoint.post(training.report(), training.token()) == 202
    status = wait_for(
        lambda: training.run.status if training.run.status.get("progress") else None,
        what="the progress",
    )
    assert status["progress"]["epoch"] == 3
    assert status["progress"]["percent"] == 18
    assert status["summary"] == {
        "progress": "18 %",
        "eta": "4m",
        "epoch": "3/16",
        "map50_95": "0.700",
    }
    entries = training.run.kubectl.get("trainingrun", "coins", "--show-managed-fields")
    managers = {entry["manager"]: entry for entry in entries["metadata"]["managedFields"]}
    applied = managers["sealyard-progress"]
    assert applied["operation"] == "Apply"
    assert applied["fieldsV1"]["f:status"].keys() == {"f:progress", "f:summary"}
    assert "f:progress" not in managers["sealyard"]["fieldsV1"]["f:status"]


def test_the_last_figures_are_the_controllers(
    operator: OperatorProcess, training: Training
) -> None:
    token = training.token()
    assert operator.endpoint.post(training.report(), token) == 202
    wait_for(lambda: training.run.status.get("progress"), what="the progress")
    training.run.play_end(training.pod)
    status = training.run.wait_for_phase("Succeeded")
    assert status["progress"]["percent"] == 100
    assert status["summary"]["progress"] == "100 %"
    assert operator.endpoint.post(training.report(4), token) == 409
    assert training.run.status["progress"]["percent"] == 100


def test_tokens_that_prove_nothing(operator: OperatorProcess, training: Training) -> None:
    good = training.token()
    header, payload, signature = good.split(".")
    forged = ".".join((header, payload, signature[:-8] + "AAAAAAAA"))
    refused = {
        "rubbish": "rubbish",
        "forged": forged,
        "of another audience": training.token("https://kubernetes.default.svc"),
        "of no pod": training.token(bound=False),
    }
    for what, token in refused.items():
        assert operator.endpoint.post(training.report(), token) == 401, what
        assert token not in operator.log
    assert "progress" not in training.run.status
    assert good not in operator.log


def test_a_pod_speaks_for_its_own_run_only(
    operator: OperatorProcess, training: Training, kubectl: Kubectl
) -> None:
    other = Training(kubectl, "other")
    assert operator.endpoint.post(training.report(), other.token()) == 403
    mine = training.report(run=training.report()["run"] | {"uid": other.uid})
    assert operator.endpoint.post(mine, training.token()) == 403
    assert "progress" not in training.run.status
    assert operator.endpoint.post(other.report(), other.token()) == 202


def test_a_pod_of_a_former_attempt_is_silenced(
    operator: OperatorProcess, training: Training
) -> None:
    token = training.token()
    training.run.play_end(training.pod, code=143, message="interrupted")
    second = training.run.wait_for_pod(attempt=2)
    assert second["metadata"]["uid"] != training.pod["metadata"]["uid"]
    assert operator.endpoint.post(training.report(), token) == 403


def test_only_the_right_authority_and_name_are_believed(
    operator: OperatorProcess, training: Training, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.crt"
    stranger.write_bytes(PrivateCA.create("stranger").ca_pem)
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        Endpoint(operator.endpoint.url, stranger).post(training.report(), training.token())
    elsewhere = Endpoint(
        operator.endpoint.url.replace("127.0.0.1", "localhost"), operator.endpoint.ca_file
    )
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        elsewhere.post(training.report(), training.token())
    plain = Endpoint(operator.endpoint.url.replace("https", "http"), operator.endpoint.ca_file)
    with pytest.raises((URLError, OSError)):
        plain.post(training.report(), training.token())
