"""The chart: it renders, fits Kubernetes' schemas, and its role holds what is used and no more."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from sealyard.api.kind import MANAGED_BY, MANAGED_BY_LABEL
from sealyard.controller.configuration import Configuration

CHART = Path(__file__).parents[3] / "charts" / "sealyard"
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "two namespaces": {"watchNamespaces": ["team-a", "team-b"]},
    "no progress": {"progress": {"enabled": False}},
    "everything": {
        "fullnameOverride": "yard",
        "image": {"digest": f"sha256:{'a' * 64}"},
        "imagePullSecrets": ["pull"],
        "progress": {
            "url": "https://127.0.0.1:9443",
            "port": 9443,
            "tls": {"dnsNames": ["operator.test"], "ips": ["127.0.0.1"]},
        },
        "priorityClassName": "high",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "serviceAccount": {"annotations": {"e": "f"}},
    },
}


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The manifests by kind and name (and namespace, for those of a watched namespace)."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="sealyard", namespace="ops")
    found = {}
    for name, text in files.items():
        if name.endswith(".yaml"):
            for manifest in filter(None, yaml.safe_load_all(text)):
                metadata = manifest["metadata"]
                found[manifest["kind"], f"{metadata.get('namespace', '')}/{metadata['name']}"] = (
                    manifest
                )
    return found


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def manifests(request: pytest.FixtureRequest) -> dict[tuple[str, str], dict[str, Any]]:
    return rendered(request.param)


def test_lint_finds_nothing() -> None:
    report = helm.lint(CHART, strict=True)
    assert report["errors"] == []
    assert [found for found in report["messages"] if found["severity"] > 1] == []


def test_every_manifest_fits_its_schema(manifests: dict[Any, dict[str, Any]]) -> None:
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def rules(manifests: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        rule
        for (kind, _), manifest in manifests.items()
        if kind in {"Role", "ClusterRole"}
        for rule in manifest["rules"]
    ]


def test_no_role_names_secrets_or_anything_like_all(manifests: Any) -> None:
    assert rules(manifests)
    for rule in rules(manifests):
        named = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not named & {"secrets", "pods/exec", "*", "impersonate", "escalate"}
        assert "configmaps" not in rule["resources"] or rule["verbs"] == ["create"]


def test_the_rights_are_exactly_these(manifests: Any) -> None:
    rights = {
        (resource, verb)
        for rule in rules(manifests)
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    kinds = (
        "trainingruns",
        "modelreleases",
        "releasetargets",
        "releasechannels",
        "devices",
        "annotationroutes",
    )
    assert rights == {
        *((kind, verb) for kind in kinds for verb in ("list", "watch")),
        *((f"{kind}/status", "patch") for kind in kinds),
        ("modelreleases", "patch"),
        ("devices", "patch"),
        ("configmaps", "create"),
        ("namespaces", "get"),
        *(("jobs", verb) for verb in ("create", "delete", "get", "list", "watch")),
        *(("deployments", verb) for verb in ("create", "get", "list", "patch", "watch")),
        *(("jobsets", verb) for verb in ("create", "delete", "get", "list")),
        *(
            (kind, verb)
            for kind in ("pods", "persistentvolumeclaims")
            for verb in ("list", "watch")
        ),
        ("events", "create"),
        ("tokenreviews", "create"),
        ("computeprofiles", "list"),
        ("computeprofiles", "watch"),
    }


def test_named_namespaces_get_roles_and_the_cluster_only_what_has_no_namespace() -> None:
    manifests = rendered(VARIANTS["two namespaces"])
    for namespace in ("team-a", "team-b"):
        assert ("Role", f"{namespace}/sealyard") in manifests
        binding = manifests["RoleBinding", f"{namespace}/sealyard"]
        assert binding["subjects"][0]["namespace"] == "ops"
    rules = manifests["ClusterRole", "/sealyard"]["rules"]
    assert [rule["resources"] for rule in rules] == [["tokenreviews"], ["computeprofiles"]]
    for name in ("sealyard-use-profiles", "sealyard-use-targets"):
        binding = manifests["ValidatingAdmissionPolicyBinding", f"/{name}"]
        [where] = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert where["values"] == ["team-a", "team-b"]


@pytest.mark.parametrize(
    ("values", "account"),
    [({}, "sealyard"), ({"serviceAccount": {"name": "yard"}}, "yard")],
    ids=["default", "named"],
)
def test_only_the_operators_account_is_held_to_its_own_work(
    values: dict[str, Any], account: str
) -> None:
    policy = rendered(values)["ValidatingAdmissionPolicy", "/sealyard-own-work"]
    [condition] = policy["spec"]["matchConditions"]
    who = f"system:serviceaccount:ops:{account}"
    assert condition["expression"] == f"request.userInfo.username == '{who}'"
    [validation] = policy["spec"]["validations"]
    for part in (MANAGED_BY_LABEL, MANAGED_BY):
        assert f"'{part}'" in validation["expression"]


def test_the_admission_can_be_left_to_others() -> None:
    manifests = rendered({"admission": {"enabled": False}})
    assert not [kind for kind, _ in manifests if kind.startswith("ValidatingAdmissionPolicy")]


def test_the_pod_is_restricted(manifests: Any) -> None:
    [deployment] = [one for (kind, _), one in manifests.items() if kind == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_the_configuration_is_one_that_the_operator_reads(manifests: Any) -> None:
    [config_map] = [one for (kind, _), one in manifests.items() if kind == "ConfigMap"]
    document = yaml.safe_load(config_map["data"]["config.yaml"])
    configuration = Configuration.model_validate(document)
    services = [one for (kind, _), one in manifests.items() if kind == "Service"]
    assert bool(services) == (configuration.progress is not None)


def test_the_certificate_verifies_strictly_for_every_name() -> None:
    manifests = rendered(VARIANTS["everything"])
    data = {
        field: base64.b64decode(value).decode()
        for field, value in manifests["Secret", "ops/yard-progress-tls"]["data"].items()
    }
    for name in ("yard.ops.svc", "yard.ops.svc.cluster.local", "operator.test", "127.0.0.1"):
        assert shake_hands(data, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(data, "other.test")


def shake_hands(data: dict[str, str], name: str) -> bool:
    """A TLS handshake in memory, verified as strictly as Python 3.13 does by default."""
    client_context = ssl.create_default_context(cadata=data["ca.crt"])
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(server_context, data)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert() is not None


def _load(context: ssl.SSLContext, data: dict[str, str]) -> None:

    with tempfile.TemporaryDirectory() as folder:
        for field in ("tls.crt", "tls.key"):
            (Path(folder) / field).write_text(data[field])
        context.load_cert_chain(Path(folder) / "tls.crt", Path(folder) / "tls.key")


def test_a_secret_of_ones_own_is_used_and_none_is_made() -> None:
    manifests = rendered({"progress": {"tls": {"existingSecret": "mine"}}})
    assert not [kind for kind, _ in manifests if kind == "Secret"]
    pod = manifests["Deployment", "ops/sealyard"]["spec"]["template"]["spec"]
    assert pod["volumes"][1]["secret"]["secretName"] == "mine"


WRONG = [
    {"worker": 3},
    {"progress": {"url": "http://plain.test"}},
    {"jobs": {"runAsUser": 0}},
    {"watchNamespaces": ["Not_A_Name"]},
    {"image": {"digest": "sha256:short"}},
]


@pytest.mark.parametrize("values", WRONG)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        rendered(values)
