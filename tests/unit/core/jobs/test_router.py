"""The router's Deployment: what is in it, and what makes it another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.filing import RouteTask
from sealyard.api.secrets import SECRET_USES, Purpose, Role
from sealyard.core.jobs import applied, pod_applied, router_deployment, router_name
from sealyard.core.settings import Settings
from support.builders import SETTINGS, WITH_PROGRESS, task_of
from support.job_manifests import SETTINGS as WITH_PULL_SECRETS
from support.job_manifests import container_of, mounts_of, pod_of
from support.pod_rules import OURS, RESTRICTED
from support.routes import PICTURES, RouteBuilder, a_route


def deployment(route: RouteBuilder, settings: Settings = WITH_PROGRESS) -> dict[str, Any]:
    return router_deployment(route.build(), settings, replicas=1)


IN_CLAIM = deployment(a_route(), WITH_PULL_SECRETS)
IN_BUCKET = deployment(a_route().in_bucket().with_spec("pictures", PICTURES), WITH_PULL_SECRETS)
BOTH = pytest.mark.parametrize("manifest", [IN_CLAIM, IN_BUCKET], ids=["claim", "bucket"])


@BOTH
def test_kubernetes_knows_every_field(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.37", strict=True)


@BOTH
@pytest.mark.parametrize("rule", [*RESTRICTED, *OURS])
def test_its_pod_is_restricted(manifest: dict[str, Any], rule: str) -> None:
    assert (RESTRICTED | OURS)[rule](pod_of(manifest), container_of(manifest))


def test_one_runs_and_is_asked_how_it_is() -> None:
    spec, pod, container = IN_CLAIM["spec"], pod_of(IN_CLAIM), container_of(IN_CLAIM)
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Always", 60)
    assert "activeDeadlineSeconds" not in pod
    assert container["command"] == ["sealyard-router"]
    assert container["image"] == "sealyard/router:1"
    [port] = container["ports"]
    asked = {name: container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")}
    assert port["containerPort"] == 9464
    assert asked == {
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
        "livenessProbe": {"path": "/healthz", "port": port["name"]},
    }


def test_it_selects_its_own_pods_and_belongs_to_the_route() -> None:
    labels = IN_CLAIM["spec"]["template"]["metadata"]["labels"]
    selected = IN_CLAIM["spec"]["selector"]["matchLabels"]
    assert selected == {"sealyard.io/owner-uid": "route-uid", "sealyard.io/role": "route"}
    assert selected.items() <= labels.items()
    assert labels["sealyard.io/owner-kind"] == "AnnotationRoute"
    [owner] = IN_CLAIM["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("route-uid", True)
    assert IN_CLAIM["metadata"]["name"] == router_name(a_route().build())


@pytest.mark.parametrize(
    ("manifest", "purposes", "others"),
    [
        (
            IN_CLAIM,
            {Purpose.QUEUE, Purpose.IDENTITY_KEYS},
            {"ca-queue", "annotations", "progress-token", "scratch"},
        ),
        (
            IN_BUCKET,
            {Purpose.QUEUE, Purpose.IDENTITY_KEYS, Purpose.ANNOTATIONS, Purpose.PICTURES},
            {"ca-queue", "ca-annotations", "ca-pictures", "progress-token", "scratch"},
        ),
    ],
)
def test_what_it_mounts(manifest: dict[str, Any], purposes: set[Purpose], others: set[str]) -> None:
    mounts = mounts_of(manifest)
    assert mounts.keys() == {f"secret-{purpose}" for purpose in purposes} | others
    writable = {name for name, (_, read_only) in mounts.items() if not read_only}
    assert writable <= {"annotations", "scratch"}
    for volume in pod_of(manifest)["volumes"]:
        if "secret" in volume:
            use = SECRET_USES[Purpose(volume["name"].removeprefix("secret-"))]
            assert Role.ROUTE in use.roles
            assert {item["key"] for item in volume["secret"]["items"]} == set(use.keys)
            assert volume["secret"]["optional"] is True


def test_what_it_is_told() -> None:
    task = RouteTask.from_wire(task_of(IN_CLAIM))
    assert (task.kind, task.attempt, task.task_version) == ("route", 1, 1)
    assert task.source.to_wire() == {
        "host": "rabbitmq.queues.svc",
        "port": 5551,
        "virtualHost": "/",
        "stream": "annotations",
        "secretName": "queue",
        "caBundleName": "queue-ca",
    }
    assert (task.storage, task.storage_path, task.pictures) == (None, "coins", None)
    assert (task.key_set_secret_name, task.classes) == ("annotators", ["coin", "button"])
    assert (task.owner.name, task.validation_percent) == ("coins", 20)
    assert task.roles.validated == ["Validator", "Admin"]
    assert task.progress == WITH_PROGRESS.progress


def test_what_it_is_told_of_a_bucket() -> None:
    task = RouteTask.from_wire(task_of(IN_BUCKET))
    assert task.storage is not None
    assert task.pictures is not None
    assert task.storage_path is None
    assert (task.storage.bucket, task.storage.prefix) == ("annotations", "coins/")
    assert task.storage.secret_name == "annotations-writer"
    assert (task.pictures.bucket, task.pictures.prefix) == ("pictures", "")


@pytest.mark.parametrize(
    ("route", "size"), [(a_route(), "2Gi"), (a_route().with_spec("indexSize", "20Gi"), "20Gi")]
)
def test_how_large_its_index_may_be(route: RouteBuilder, size: str) -> None:
    volumes = deployment(route, SETTINGS)["spec"]["template"]["spec"]["volumes"]
    [scratch] = [volume for volume in volumes if volume["name"] == "scratch"]
    assert scratch["emptyDir"] == {"sizeLimit": size}


def test_nothing_of_progress_without_an_endpoint() -> None:
    manifest = deployment(a_route(), SETTINGS)
    assert "progress-token" not in mounts_of(manifest)
    assert "progress" not in task_of(manifest)


def test_large_pictures_get_their_memory() -> None:
    assert container_of(IN_CLAIM)["resources"]["limits"] == {"memory": "1024Mi"}
    large = deployment(a_route().with_spec("maxPictureBytes", 1 << 30))
    assert container_of(large)["resources"]["limits"] == {"memory": "8704Mi"}


CHANGES = {
    "a class more": (a_route().with_spec("classes", ["coin", "button", "ring"]), WITH_PROGRESS),
    "another image": (
        a_route(),
        replace(WITH_PROGRESS, images=replace(WITH_PROGRESS.images, router="sealyard/router:2")),
    ),
    "another CA": (
        a_route(),
        replace(
            WITH_PROGRESS,
            progress=WITH_PROGRESS.progress.model_copy(update={"ca": "other"})
            if WITH_PROGRESS.progress
            else None,
        ),
    ),
}


@pytest.mark.parametrize(("route", "settings"), CHANGES.values(), ids=CHANGES)
def test_what_makes_it_another_one(route: RouteBuilder, settings: Settings) -> None:
    before, after = deployment(a_route()), deployment(route, settings)
    assert applied(before) != applied(after)
    assert pod_applied(before) != pod_applied(after)


def test_what_does_not() -> None:
    again = a_route().of_generation(7).reported().with_spec("suspend", True)
    assert deployment(a_route()) == deployment(again)
    none = router_deployment(a_route().build(), WITH_PROGRESS, replicas=0)
    assert pod_applied(none) == pod_applied(deployment(a_route())), "the pod is the same"
    assert applied(none) != applied(deployment(a_route()))
