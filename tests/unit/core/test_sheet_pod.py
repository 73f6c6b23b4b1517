"""The pod that makes a sheet of a route's newest annotations."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest

from sealyard.api.sheet import SheetTask
from sealyard.core.settings import PodSettings
from sealyard.core.sheet_pod import sheet_pod
from support.routes import RouteBuilder, a_route


@pytest.mark.parametrize(
    ("route", "mounts", "is_group_given"),
    [
        (a_route(), {"/dataset"}, False),
        (
            a_route().in_bucket(),
            {"/run/sealyard/secrets/dataset", "/run/sealyard/ca/dataset"},
            True,
        ),
    ],
)
def test_it_reads_the_storage_and_nothing_else(
    route: RouteBuilder, mounts: set[str], *, is_group_given: bool
) -> None:
    pod = sheet_pod(route.build(), PodSettings(), image="router:1", pictures=7, suffix="0123")
    kubernetes_validate.validate(pod, "1.37", strict=True)
    [container] = pod["spec"]["containers"]
    assert container["image"] == "router:1"
    assert {one["mountPath"] for one in container["volumeMounts"]} == mounts
    assert all(one["readOnly"] for one in container["volumeMounts"])
    [variable] = container["env"]
    task = SheetTask.model_validate(json.loads(variable["value"]))
    assert (task.pictures, task.storage is not None) == (7, is_group_given)
    # A Secret's keys are the group's; the files of a claim must not be given to it anew.
    assert ("fsGroup" in pod["spec"]["securityContext"]) is is_group_given
    assert "annotations-writer" not in json.dumps(pod)
