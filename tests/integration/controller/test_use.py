"""The chart's admission policies on a real API server: who names a thing must be let use it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from sealyard.api.kind import API_VERSION
from support.fleet_builders import a_channel, a_device
from support.operator import Cluster, Kubectl, installed_admission, wait_for
from support.specs import RELEASE_SPEC, RUN_SPEC

pytestmark = pytest.mark.cluster

KINDS = ("trainingruns", "modelreleases", "releasechannels", "devices")
SPECS = {
    "TrainingRun": RUN_SPEC | {"profileRef": {"name": "gpu"}},
    "ModelRelease": RELEASE_SPEC | {"profileRef": {"name": "gpu"}},
    "ReleaseChannel": a_channel().document["spec"],
    "Device": a_device(1, "stable").document["spec"],
}
PROFILE_USERS = ("TrainingRun", "ModelRelease")
TARGET_USERS = ("ModelRelease", "ReleaseChannel", "Device")


class People:
    """Service accounts that may write all of our kinds, and use what their name says."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._kubectl = Kubectl(cluster, namespace)
        self._namespace = namespace
        for name in ("both", "profiles", "targets"):
            self._kubectl("create", "serviceaccount", name)
            self._may(name, "writes", KINDS, ("create", "get", "patch"))
        for name in ("both", "profiles"):
            self._may(name, "profiles", ("computeprofiles",), ("use",), of=("gpu",), cluster=True)
        for name in ("both", "targets"):
            self._may(name, "targets", ("releasetargets",), ("use",), of=("stores",))

    def _may(
        self,
        who: str,
        what: str,
        resources: tuple[str, ...],
        verbs: tuple[str, ...],
        *,
        of: tuple[str, ...] = (),
        cluster: bool = False,
    ) -> None:
        prefix, name = "Cluster" if cluster else "", f"{self._namespace}-{who}-{what}"
        rule = {"apiGroups": ["sealyard.io"], "resources": resources, "verbs": verbs}
        subject = {"kind": "ServiceAccount", "name": who, "namespace": self._namespace}
        group = "rbac.authorization.k8s.io"
        self._kubectl.apply(
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{prefix}Role",
                "metadata": {"name": name},
                "rules": [rule | ({"resourceNames": of} if of else {})],
            },
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{prefix}RoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": group, "kind": f"{prefix}Role", "name": name},
                "subjects": [subject],
            },
        )

    def forget(self) -> None:
        """Deletes what no namespace takes along."""
        for kind in ("clusterrole", "clusterrolebinding"):
            names = [f"{self._namespace}-{who}-profiles" for who in ("both", "profiles")]
            self._kubectl("delete", kind, *names)

    def account(self, who: str) -> str:
        return f"system:serviceaccount:{self._namespace}:{who}"

    def create(self, who: str, kind: str, *, name: str = "coins", **spec: Any) -> str:
        """What is said to somebody who creates an object; empty if it is taken."""
        document = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name},
            "spec": SPECS[kind] | spec,
        }
        return self._said(who, "create", "--dry-run=server", "-f", "-", text=json.dumps(document))

    def make(self, who: str, kind: str, name: str) -> None:
        """Creates an object in truth."""
        document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}}
        text = json.dumps(document | {"spec": SPECS[kind]})
        assert self._said(who, "create", "-f", "-", text=text) == ""

    def change(self, who: str, kind: str, name: str, patch: dict[str, Any]) -> str:
        """What is said to somebody who changes an object; empty if it is taken."""
        change = f"--patch={json.dumps(patch)}"
        return self._said(who, "patch", kind, name, "--type=merge", "--dry-run=server", change)

    def _said(self, who: str, *arguments: str, text: str | None = None) -> str:
        done = self._kubectl.run(*arguments, f"--as={self.account(who)}", text=text)
        return done.stderr.strip() if done.returncode else ""


@pytest.fixture(scope="module")
def people(crds: None, cluster: Cluster) -> Iterator[People]:
    namespace = f"use-{secrets.token_hex(4)}"
    cluster_wide = Kubectl(cluster, "default")
    cluster_wide("create", "namespace", namespace)
    people = People(cluster, namespace)
    with installed_admission(cluster, namespace):
        for who, kind in (("targets", "TrainingRun"), ("profiles", "Device")):
            wait_for(lambda w=who, k=kind: "may not use" in people.create(w, k), what=kind)
        yield people
    people.forget()
    cluster_wide("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("kind", SPECS)
def test_who_may_use_both_may_name_both(people: People, kind: str) -> None:
    assert people.create("both", kind) == ""


@pytest.mark.parametrize("kind", PROFILE_USERS)
def test_who_may_not_use_a_profile_may_not_name_it(people: People, kind: str) -> None:
    assert (
        f"spec.profileRef.name: {people.account('targets')} may not use ComputeProfile gpu: name "
        "another, or ask for the verb use on it"
    ) in people.create("targets", kind)
    assert people.create("targets", kind, profileRef=None) == "", "the default is for all"
    assert "may not use ComputeProfile other" in people.create(
        "both", kind, profileRef={"name": "other"}
    )


@pytest.mark.parametrize("kind", TARGET_USERS)
def test_who_may_not_use_a_target_may_not_name_it(people: People, kind: str) -> None:
    assert (
        f"spec.targetRef.name: {people.account('profiles')} may not use ReleaseTarget stores: name "
        "another, or ask for the verb use on it"
    ) in people.create("profiles", kind)


def test_who_changes_something_else_is_asked_for_nothing(people: People) -> None:
    people.make("both", "ModelRelease", "made")
    for who in ("both", "profiles", "targets"):
        assert people.change(who, "modelrelease", "made", {"spec": {"revoked": True}}) == ""
    named = {"spec": {"profileRef": {"name": "large"}}}
    assert "may not use ComputeProfile large" in people.change(
        "both", "modelrelease", "made", named
    )
    assert people.change("targets", "modelrelease", "made", {"spec": {"profileRef": None}}) == ""
