"""The generated CRDs on a real API server: what it takes, what it refuses, and in which words."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml

from sealyard_local.cluster import Cluster, KubectlError
from support.fleet_builders import (
    device_keys,
)
from support.operator import REPOSITORY, install_crds
from support.platform_refusals import required_nodes
from support.profiles import PROFILE_SPEC
from support.refusals import REFUSED, SPECS
from support.specs import TRUST, merge

pytestmark = pytest.mark.cluster

KEYS = device_keys(2)
DIGESTS = {"hardwareDigestSecretRef": {"name": "digests"}}
FROZEN = "Forbidden: cannot change, because it decides the result: create a new object instead"


@pytest.fixture(scope="session")
def one_namespace(cluster: Cluster) -> Iterator[str]:
    """One for all tests of this file: objects have names of their own, and nothing runs."""
    install_crds(cluster)
    name = f"crds-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


class Server:
    """The API server, and the name that objects of one test have."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = f"coins-{secrets.token_hex(4)}"

    def apply(self, kind: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Applies an object, changed by a merge patch of its usual spec."""
        document = {
            "apiVersion": "sealyard.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": self._name},
            "spec": merge(deepcopy(SPECS[kind]), patch),
        }
        found: dict[str, Any] = json.loads(
            self._kubectl(
                "apply", "--server-side", "--output=json", "-f", "-", text=json.dumps(document)
            )
        )
        return found

    def refusal(self, kind: str, patch: dict[str, Any]) -> str:
        """What the server says to an object that it does not take."""
        with pytest.raises(KubectlError) as refused:
            self.apply(kind, patch)
        return str(refused.value)

    def forget(self) -> None:
        """Deletes what no namespace takes along."""
        self._kubectl("delete", "computeprofile", self._name, "--ignore-not-found")

    def columns(self, kind: str, *, wide: bool = False) -> list[str]:
        """The headings of `kubectl get`."""
        output = ("--output=wide",) if wide else ()
        return self._kubectl("get", kind, *output).splitlines()[0].split()

    def _kubectl(self, *arguments: str, text: str | None = None) -> str:
        return self._cluster.kubectl("-n", self._namespace, *arguments, input=text)


@pytest.fixture
def server(cluster: Cluster, one_namespace: str) -> Iterator[Server]:
    server = Server(cluster, one_namespace)
    yield server
    server.forget()


def test_defaults_are_filled_in(server: Server) -> None:
    spec = server.apply("TrainingRun", {"hyperparameters": None})["spec"]
    assert spec["hyperparameters"] == {
        "epochs": 100,
        "imageSize": 640,
        "batch": 16,
        "seed": 0,
        "patience": 100,
        "optimizer": "auto",
    }
    assert spec["compute"] == {}, "what is not said is for the profile to say"
    release = server.apply("ModelRelease", {})["spec"]
    assert release["sealing"] == {"format": "sealed-v2"}
    assert (release["revoked"], release["deletionPolicy"]) == (False, "Retain")
    assert server.apply("Device", {})["spec"]["suspend"] is False
    target = server.apply("ReleaseTarget", {})["spec"]
    assert target["split"] == {"maxBytes": 3072, "maxPercent": 20}
    assert target["cdn"]["prefix"] == "sealyard"
    assert target["rewrapGeneration"] == 0
    assert target["probeIntervalSeconds"] == 3600
    assert "trust" not in target
    trusting = server.apply("ReleaseTarget", {"trust": TRUST})["spec"]
    assert trusting["trust"]["indexLifetimeSeconds"] == 604_800
    route = server.apply("AnnotationRoute", {"identity": {"jwt": {"audience": None}}})["spec"]
    assert (route["source"]["rabbitmqStream"]["port"], route["suspend"]) == (5551, False)
    assert route["roles"] == {"validated": ["Validator", "Admin"], "seed": ["Operator"]}
    assert route["identity"]["jwt"]["audience"] == "sealyard-annotations"
    assert (route["validationPercent"], route["maxPictureBytes"]) == (20, 64 << 20)
    profile = server.apply("ComputeProfile", {"memory": None, "overridable": None})["spec"]
    assert profile["gpus"] == {"resource": "nvidia.com/gpu", "default": 1, "min": 0, "max": 1}
    assert (profile["cpu"], profile["memory"]) == ({"default": "2"}, {"default": "4Gi"})
    assert (profile["default"], profile["overridable"]) == (False, [])


@pytest.mark.parametrize(("kind", "patch", "field", "right"), REFUSED)
def test_what_is_refused_and_what_would_be_right(
    server: Server, kind: str, patch: dict[str, Any], field: str, right: str
) -> None:
    said = server.refusal(kind, patch)
    assert field in said
    assert right in said


@pytest.mark.parametrize(
    ("kind", "patch", "field"),
    [
        ("TrainingRun", {"model": {"architecture": "yolo11s.yaml"}}, "model"),
        ("TrainingRun", {"model": {"scale": None}}, "model"),
        ("TrainingRun", {"hyperparameters": {"epochs": 17}}, "hyperparameters"),
        ("TrainingRun", {"hyperparameters": {"extra": {"lr0": 0.003}}}, "hyperparameters"),
        (
            "TrainingRun",
            {"hyperparameters": {"extra": {"lr0": None, "lrf": 0.002}}},
            "hyperparameters",
        ),
        ("TrainingRun", {"hyperparameters": {"extra": None}}, "hyperparameters"),
        ("TrainingRun", {"dataset": {"persistentVolumeClaim": {"path": None}}}, "dataset"),
        ("ModelRelease", {"version": "1.0.1"}, "version"),
        ("ModelRelease", {"sealing": {"format": "aes-256-cbc-v1"}}, "sealing"),
        (
            "ModelRelease",
            {
                "variants": [
                    {"name": "onnx-fp32", "format": "onnx", "precision": "fp32", "opset": 17}
                ]
            },
            "variants",
        ),
        ("ReleaseChannel", {"model": "notes"}, "model"),
        ("ReleaseChannel", {"channel": "beta"}, "channel"),
        ("ReleaseChannel", {"targetRef": {"name": "elsewhere"}}, "targetRef"),
        *(("Device", {field: KEYS[field]}, field) for field in KEYS),
        ("Device", {"targetRef": {"name": "elsewhere"}}, "targetRef"),
        ("AnnotationRoute", {"storage": {"persistentVolumeClaim": {"path": "x"}}}, "storage"),
        ("AnnotationRoute", {"validationPercent": 30}, "validationPercent"),
        *(
            (
                "AnnotationRoute",
                {"source": {"rabbitmqStream": {field: "other"}}},
                f"source.rabbitmqStream.{field}",
            )
            for field in ("stream", "virtualHost")
        ),
    ],
)
def test_what_decides_the_result_cannot_change(
    server: Server, kind: str, patch: dict[str, Any], field: str
) -> None:
    server.apply(kind, {})
    assert f"spec.{field}: {FROZEN}" in server.refusal(kind, patch)


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("TrainingRun", {"backoffLimit": 9, "compute": {"memory": "8Gi"}}),
        ("ReleaseTarget", {"api": {"url": "https://elsewhere"}, "split": {"maxPercent": 10}}),
        ("ReleaseTarget", {"probeIntervalSeconds": 0}),
        ("ReleaseTarget", {"probeIntervalSeconds": 60}),
        ("ReleaseTarget", {"trust": TRUST}),
        ("ModelRelease", {"notAfter": "2028-01-01T00:00:00Z", "deletionPolicy": "Withdraw"}),
        ("ModelRelease", {"revoked": True, "revocationReason": "wrong labels"}),
        ("ReleaseChannel", {"version": ">=1.2 <2 || 3.x"}),
        ("Device", {"models": ["notes"], "channels": None, "suspend": True}),
        ("Device", {"notAfter": "2028-01-01T00:00:00Z", "level": "keystore"}),
        ("TrainingRun", {"profileRef": {"name": "gpu"}}),
        ("ModelRelease", {"profileRef": {"name": "gpu"}}),
        ("AnnotationRoute", {"source": {"rabbitmqStream": {"host": "elsewhere", "port": 5552}}}),
        ("AnnotationRoute", {"identity": {"jwt": None, "claim": "Trusted"}, "suspend": True}),
        ("AnnotationRoute", {"classes": ["coin", "button", "ring"], "maxPictureBytes": 4096}),
    ],
)
def test_everything_else_can(server: Server, kind: str, patch: dict[str, Any]) -> None:
    server.apply(kind, {})
    assert server.apply(kind, patch)["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    "pod",
    [
        {"labels": {"example.com/team": "vision", "app.kubernetes.io/part-of": "x"}},
        {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}},
        {"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b"}]},
        {"tolerations": [{"key": "a", "effect": "NoExecute", "tolerationSeconds": 60}]},
        *(
            required_nodes(requirement)
            for requirement in (
                {"operator": "In", "values": ["NVIDIA-H100", ""]},
                {"operator": "DoesNotExist"},
                {"operator": "Gt", "values": ["40000"]},
            )
        ),
    ],
)
def test_what_a_pod_may_be_given(server: Server, pod: dict[str, Any]) -> None:
    taken = server.apply("ComputeProfile", {"pod": pod})["spec"]["pod"]
    assert taken.items() >= merge(PROFILE_SPEC["pod"], pod).items()


def test_a_legacy_device_stays_one(server: Server) -> None:
    server.apply("Device", {"level": "legacy", **DIGESTS})
    other = {"level": "legacy", "hardwareDigestSecretRef": {"name": "others"}}
    for patch in ({"level": "tpm2"}, other):
        assert f"spec.hardwareDigestSecretRef: {FROZEN}" in server.refusal("Device", patch)


@pytest.mark.parametrize(
    "classes", [["coin"], ["button", "coin"], ["coin", "buttons"], ["ring", "coin", "button"]]
)
def test_classes_may_only_be_added_at_the_end(server: Server, classes: list[str]) -> None:
    server.apply("AnnotationRoute", {})
    said = server.refusal("AnnotationRoute", {"classes": classes})
    assert "spec.classes: Invalid value" in said
    assert "may only be added to at the end: labels that are filed count them" in said


@pytest.mark.parametrize("lower", [1, 0, None])
def test_a_generation_may_only_grow(server: Server, lower: int | None) -> None:
    server.apply("ReleaseTarget", {})
    server.apply("ReleaseTarget", {"rewrapGeneration": 2})
    said = server.refusal("ReleaseTarget", {"rewrapGeneration": lower})
    assert "spec.rewrapGeneration: Invalid value" in said
    assert "may only grow: each new value asks for one more rewrap" in said
    assert server.apply("ReleaseTarget", {"rewrapGeneration": 5})["metadata"]["generation"] == 3


@pytest.mark.parametrize("back", [{"revoked": False}, {"revoked": None}, {}])
def test_what_is_revoked_stays_revoked(server: Server, back: dict[str, Any]) -> None:
    server.apply("ModelRelease", {"revoked": True})
    said = server.refusal("ModelRelease", back)
    assert "spec.revoked: Invalid value" in said
    assert "cannot be taken back: release under a new version" in said


@pytest.mark.parametrize("kind", SPECS)
def test_applying_the_same_again_changes_nothing(server: Server, kind: str) -> None:
    first = server.apply(kind, {})
    again = server.apply(kind, {})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_the_columns(server: Server) -> None:
    for kind in SPECS:
        server.apply(kind, {})
    assert server.columns("tr") == ["NAME", "PHASE", "PROGRESS", "ETA", "MAP50-95", "AGE"]
    assert server.columns("mrel") == [
        "NAME", "READY", "VERSION", "PHASE", "VARIANTS", "SIZE", "CHANNELS", "TRUST", "VERIFIED",
        "AGE",
    ]  # fmt: skip
    assert server.columns("rchan") == ["NAME", "MODEL", "CHANNEL", "VERSION", "WANTED", "AGE"]
    assert "DEVICES" in server.columns("rchan", wide=True)
    assert server.columns("dev") == ["NAME", "PHASE", "LEVEL", "RELEASES", "NOT-AFTER", "AGE"]
    assert "MESSAGE" in server.columns("rtgt", wide=True)
    assert server.columns("cprof") == ["NAME", "DEFAULT", "GPU", "MAXGPUS", "AGE"]
    assert "IMAGE" in server.columns("cprof", wide=True)
    assert server.columns("aroute") == [
        "NAME", "READY", "VALIDATED", "SEED", "REJECTED", "LAG", "AGE",
    ]  # fmt: skip
    assert {"OFFSET", "UNPROVEN", "MESSAGE"} <= set(server.columns("aroute", wide=True))


@pytest.mark.parametrize(
    ("example", "kinds"),
    [
        ("quickstart", {"TrainingRun", "ModelRelease", "ReleaseTarget"}),
        ("profiles", {"ComputeProfile"}),
        ("fine-tuning", {"TrainingRun"}),
        ("queues", {"TrainingRun"}),
        ("distributed", {"TrainingRun"}),
        ("s3-dataset", {"TrainingRun"}),
        ("annotations", {"AnnotationRoute", "TrainingRun"}),
        ("s3-workspace", {"TrainingRun"}),
        ("fleet", {"ModelRelease", "ReleaseTarget", "ReleaseChannel", "Device"}),
    ],
)
def test_the_examples_are_taken(
    cluster: Cluster, one_namespace: str, example: str, kinds: set[str]
) -> None:
    """By the server itself, and nothing is written."""
    rendered = cluster.kubectl("kustomize", str(REPOSITORY / "examples" / example))
    documents = [text for text in rendered.split("\n---\n") if "sealyard.io/v1alpha1" in text]
    assert {yaml.safe_load(document)["kind"] for document in documents} == kinds
    for document in documents:
        cluster.kubectl(
            "create", "--dry-run=server", "--validate=strict", "-f", "-",
            input=document.replace("namespace: coins", f"namespace: {one_namespace}"),
        )  # fmt: skip
