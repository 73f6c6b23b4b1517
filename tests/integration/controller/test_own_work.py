"""The chart's admission policy for the operator itself: RBAC knows no labels, this does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from sealyard.api.kind import MANAGED_BY, MANAGED_BY_LABEL
from support.operator import Cluster, Kubectl, grant_rights, installed_admission, wait_for

pytestmark = pytest.mark.cluster

OURS = {MANAGED_BY_LABEL: MANAGED_BY}
ANOTHERS = {MANAGED_BY_LABEL: "Helm"}
REFUSED = "with the label app.kubernetes.io/managed-by: sealyard only"
LABELS = pytest.mark.parametrize("labels", [{}, ANOTHERS], ids=["none", "another's"])


def work(kind: str, name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A Deployment of no pods, or a Job that is suspended."""
    container = {"name": "main", "image": "sealyard/courier:test"}
    spec: dict[str, Any] = {
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container], "restartPolicy": "Always"},
        }
    }
    if kind == "Deployment":
        spec |= {"replicas": 0, "selector": {"matchLabels": {"app": name}}}
    else:
        spec |= {"suspend": True}
        spec["template"]["spec"]["restartPolicy"] = "Never"
    return {
        "apiVersion": "apps/v1" if kind == "Deployment" else "batch/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


class Account:
    """What is said to the operator's service account, with its rights; empty if it may."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.kubectl = Kubectl(cluster, namespace)
        name = grant_rights(cluster, namespace)
        self._who = f"--as=system:serviceaccount:{namespace}:{name}"

    def create(self, document: dict[str, Any]) -> str:
        return self._said("create", "--dry-run=server", "-f", "-", text=json.dumps(document))

    def patch(self, name: str, patch: dict[str, Any]) -> str:
        change = ("--type=merge", "--dry-run=server", f"--patch={json.dumps(patch)}")
        return self._said("patch", "deployment", name, *change)

    def delete(self, name: str) -> str:
        return self._said("delete", "job", name, "--wait=false", "--dry-run=server")

    def _said(self, *arguments: str, text: str | None = None) -> str:
        done = self.kubectl.run(*arguments, self._who, text=text)
        return done.stderr.strip() if done.returncode else ""


@pytest.fixture(scope="module")
def account(cluster: Cluster) -> Iterator[Account]:
    namespace = f"own-{secrets.token_hex(4)}"
    cluster_wide = Kubectl(cluster, "default")
    cluster_wide("create", "namespace", namespace)
    account = Account(cluster, namespace)
    with installed_admission(cluster, namespace):
        wait_for(
            lambda: REFUSED in account.create(work("Job", "probe", {})), what="the policy's effect"
        )
        yield account
    cluster_wide("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_what_it_makes_has_its_label(account: Account, kind: str) -> None:
    assert account.create(work(kind, "made", OURS)) == ""
    for labels in ({}, ANOTHERS):
        assert REFUSED in account.create(work(kind, "made", labels))


@LABELS
def test_what_others_deployed_it_cannot_change(account: Account, labels: dict[str, str]) -> None:
    name = f"theirs-{len(labels)}"
    account.kubectl.apply(work("Deployment", name, labels))
    for patch in ({"spec": {"replicas": 3}}, {"metadata": {"labels": OURS}}):
        assert REFUSED in account.patch(name, patch)


def test_it_changes_its_own_and_does_not_let_go_of_it(account: Account) -> None:
    account.kubectl.apply(work("Deployment", "own", OURS))
    assert account.patch("own", {"spec": {"replicas": 3}}) == ""
    assert REFUSED in account.patch("own", {"metadata": {"labels": ANOTHERS}})


@LABELS
def test_jobs_of_others_it_cannot_delete(account: Account, labels: dict[str, str]) -> None:
    name = f"job-{len(labels)}"
    account.kubectl.apply(work("Job", name, labels), work("Job", f"own-{name}", OURS))
    assert REFUSED in account.delete(name)
    assert account.delete(f"own-{name}") == ""


def test_everybody_else_does_as_before(account: Account) -> None:
    account.kubectl.apply(work("Deployment", "somebodys", {}))
    account.kubectl("delete", "deployment", "somebodys")
