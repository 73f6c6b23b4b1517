"""ComputeProfiles and the operator, on a real API server.

The default that the test makes is one for the whole cluster, so it says what disturbs no run of a
test beside it: the values that a run has without a profile, and an annotation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sealyard.api.kind import API_VERSION
from support.operator import Kubectl, OperatorProcess
from support.training import CLAIMS, Run, run_manifest

pytestmark = pytest.mark.cluster

TRAINER = f"registry.test/trainer@sha256:{'d' * 64}"


class Profiles:
    """Profiles with names of the test's own, for they lie in no namespace."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._made: set[str] = set()

    def name(self, short: str) -> str:
        return f"{short}-{self._kubectl.namespace[-6:]}"

    def apply(self, short: str, **spec: Any) -> str:
        """Gives its whole name."""
        name = self.name(short)
        self._made.add(name)
        metadata = {"name": name}
        self._kubectl.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "ComputeProfile",
                "metadata": metadata,
                "spec": spec,
            }
        )
        return name

    def delete(self) -> None:
        for name in self._made:
            self._kubectl("delete", "computeprofile", name)


@pytest.fixture
def profiles(crds: None, kubectl: Kubectl) -> Iterator[Profiles]:
    profiles = Profiles(kubectl)
    yield profiles
    profiles.delete()


def test_the_default_a_forbidden_override_and_one_that_is_missing(
    operator: OperatorProcess, kubectl: Kubectl, profiles: Profiles
) -> None:
    kubectl(
        "label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    default = profiles.apply(
        "default", default=True, pod={"annotations": {"example.com/by": "default"}}
    )
    kubectl.apply(*CLAIMS, run_manifest("plain"))
    plain = Run(kubectl, "plain")
    pod = plain.wait_for_pod()
    assert pod["metadata"]["annotations"]["example.com/by"] == "default"
    assert plain.status["compute"] == {
        "profile": default,
        "gpus": 0,
        "cpu": "2",
        "memory": "4Gi",
        "sharedMemory": "1Gi",
    }

    large = profiles.name("large")
    kubectl.apply(
        run_manifest("large", profileRef={"name": large}, compute={"memory": "64Gi", "gpus": 0})
    )
    run = Run(kubectl, "large")
    missing = run.wait_for_reason("ProfileMissing")
    assert missing["status"] == "False"
    assert f"ComputeProfile {large} (spec.profileRef.name) does not exist" in missing["message"]

    spec: dict[str, Any] = {
        "images": {"trainer": TRAINER},
        "gpus": {},
        "memory": {"max": "32Gi"},
        "overridable": ["gpus", "memory"],
        "pod": {"labels": {"example.com/team": "vision"}, "nodeSelector": {"pool": "large"}},
    }
    profiles.apply("large", **spec)
    refused = run.wait_for_reason("OverrideRefused", "Stalled")
    assert refused["status"] == "True"
    assert refused["message"] == (
        f"spec.compute.memory: 64Gi is more than ComputeProfile {large} allows: 32Gi at most"
    )
    assert run.jobs() == []

    profiles.apply("large", **spec | {"memory": {"max": "64Gi"}})
    pod = run.wait_for_pod()
    [container] = pod["spec"]["containers"]
    assert container["image"] == run.status["image"] == TRAINER
    assert container["resources"]["limits"] == {"memory": "64Gi"}
    assert pod["spec"]["nodeSelector"] == {"pool": "large"}
    assert pod["metadata"]["labels"]["example.com/team"] == "vision"
    assert "example.com/by" not in pod["metadata"].get("annotations", {})

    changed = spec | {"images": {"trainer": TRAINER.replace("d", "e")}, "memory": {"max": "64Gi"}}
    profiles.apply("large", **changed)
    run.play_end(pod, code=143, message="interrupted")
    second = run.wait_for_pod(attempt=2)
    assert second["spec"]["containers"][0]["image"] == TRAINER, "it is pinned"
