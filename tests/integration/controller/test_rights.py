"""The rights of the operator, asked of the API server itself."""

from __future__ import annotations

import pytest

from support.operator import Cluster, Kubectl, grant_rights

pytestmark = pytest.mark.cluster

FORBIDDEN = [
    *(
        f"{verb} secrets"
        for verb in ("get", "list", "watch", "create", "update", "patch", "delete")
    ),
    *(f"{verb} configmaps" for verb in ("get", "list", "watch", "update", "patch", "delete")),
    "create pods",
    "create pods/exec",
    "create pods/attach",
    "get pods/log",
    "create serviceaccounts/token",
    *(
        f"{verb} {kind}.sealyard.io"
        for verb in ("create", "patch", "update", "delete")
        for kind in (
            "trainingruns",
            "releasetargets",
            "releasechannels",
            "computeprofiles",
            "annotationroutes",
        )
    ),
    *(f"{verb} devices.sealyard.io" for verb in ("create", "update", "delete")),
    "update modelreleases.sealyard.io",
    "delete modelreleases.sealyard.io",
    "update jobs.batch",
    "patch jobs.batch",
    "update deployments.apps",
    "delete deployments.apps",
    *(f"{verb} deployments.apps --subresource=scale" for verb in ("get", "patch", "update")),
    "delete persistentvolumeclaims",
    "impersonate serviceaccounts",
    "get nodes",
]
ALLOWED = [
    "list trainingruns.sealyard.io",
    "watch modelreleases.sealyard.io",
    "patch releasetargets.sealyard.io --subresource=status",
    "patch releasechannels.sealyard.io --subresource=status",
    "patch devices.sealyard.io --subresource=status",
    "patch modelreleases.sealyard.io",
    "patch devices.sealyard.io",
    "watch devices.sealyard.io",
    "create configmaps",
    "create jobs.batch",
    "delete jobs.batch",
    *(f"{verb} deployments.apps" for verb in ("create", "get", "list", "patch", "watch")),
    "watch annotationroutes.sealyard.io",
    "patch annotationroutes.sealyard.io --subresource=status",
    "watch pods",
    "list persistentvolumeclaims",
    "create events.events.k8s.io",
]


class Account:
    """`kubectl auth can-i` in the name of the operator's service account."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.kubectl = Kubectl(cluster, namespace)
        self.name = f"system:serviceaccount:{namespace}:{grant_rights(cluster, namespace)}"

    def can(self, question: str, *where: str) -> bool:
        done = self.kubectl.run("auth", "can-i", *question.split(), f"--as={self.name}", *where)
        answer = done.stdout.strip()
        assert answer in {"yes", "no"}, done.stderr
        return answer == "yes"


@pytest.fixture
def account(crds: None, cluster: Cluster, namespace: str) -> Account:
    return Account(cluster, namespace)


def test_no_secret_is_ever_readable(account: Account) -> None:
    everywhere = [(), ("--all-namespaces",), ("--namespace=kube-system",)]
    for question in FORBIDDEN:
        for where in everywhere if "secrets" in question else everywhere[:1]:
            assert not account.can(question, *where), f"{question} {where}"
    assert not account.can("* *")


def test_what_it_needs_it_may_do_in_its_namespace_only(account: Account) -> None:
    for question in ALLOWED:
        assert account.can(question), question
        assert not account.can(question, "--namespace=default"), question
    assert account.can("create tokenreviews.authentication.k8s.io")
    assert account.can("list computeprofiles.sealyard.io")
    assert account.can("watch computeprofiles.sealyard.io")
