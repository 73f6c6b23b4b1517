"""Channels, devices and the index by the operator on a cluster, with the ends of Jobs played."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard_local.cluster import Cluster
from support.errand_jobs import Fleet
from support.fleet_builders import (
    device_keys,
    manifest_of,
)
from support.operator import (
    Kubectl,
    OperatorProcess,
    account_kubeconfig,
    grant_rights,
    wait_for,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

REF = {"targetRef": {"name": "stores"}}
CHANNEL = {"model": "coins", "channel": "stable", "version": "^1", **REF}
DEVICE = {**device_keys(1), "level": "tpm2", "models": ["coins"], "channels": ["stable"], **REF}


def listed(version: str) -> dict[str, Any]:
    return {"version": version, "manifestSha256": manifest_of(version)}


def named(document: dict[str, Any], part: str) -> list[str]:
    """The versions that a part of the index's input names."""
    return [one["version"] for one in document.get(part, [])]


def errors(operator: OperatorProcess) -> list[str]:
    return [line for line in operator.log.splitlines() if json.loads(line)["level"] == "error"]


def test_a_channel_moves_a_device_is_authorised_and_revoking_falls_back(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    fleet = Fleet(kubectl)
    assert fleet.do("index") == {
        "releases": [], "channels": [], "withdrawnReleases": [], "withdrawnChannels": [],
    }  # fmt: skip
    fleet.apply("ReleaseChannel", "stable", CHANNEL)
    fleet.wait("rchan", "stable", reason="NoMatch")
    fleet.do("index")

    # The first release is out when an index lists it, and the channel names it.
    fleet.verify("1.0.0")
    fleet.wait("mrel", "1.0.0", phase="Indexing", reason="Indexing")
    fleet.wait("rchan", "stable", wanted="1.0.0", reason="Indexing")
    document = fleet.do("index")
    assert (named(document, "releases"), named(document, "channels")) == (["1.0.0"], ["1.0.0"])
    fleet.wait("mrel", "1.0.0", phase="Released", trust="signed")
    fleet.wait("rchan", "stable", listed=listed("1.0.0"), reason="Current")
    wait_for(
        lambda: fleet.status("mrel", "1.0.0")["summary"].get("channels") == "stable",
        what="the column CHANNELS",
    )

    # A device is authorised once a grant Job knew it, though the operator dies in between.
    fleet.apply("Device", "camera", DEVICE)
    fleet.wait("dev", "camera", phase="Pending", reason="Granting")
    fleet.input_of(fleet.next_job("grant"))
    operator.end(signal.SIGKILL)
    document = fleet.do("grant")
    assert [device["deviceId"] for device in document["devices"]] == [DEVICE["deviceId"]]
    operator.start()
    fleet.wait("dev", "camera", phase="Authorised", reason="Authorised")
    assert fleet.status("dev", "camera")["grants"]["releases"] == 1
    fleet.wait("rchan", "stable", devices=1)

    # The next release is granted before it is listed, and the channel moves with it.
    fleet.verify("1.1.0")
    document = fleet.do("grant")
    assert [release["version"] for release in document["releases"]] == ["1.0.0", "1.1.0"]
    assert fleet.status("rchan", "stable")["listed"] == listed("1.0.0")
    document = fleet.do("index")
    assert named(document, "channels") == ["1.1.0"]
    fleet.wait("rchan", "stable", listed=listed("1.1.0"), previous=listed("1.0.0"))
    fleet.wait("mrel", "1.1.0", phase="Released")

    # Revoking waits for no grant; then the channel falls back.
    revoke = '--patch={"spec":{"revoked":true,"revocationReason":"wrong labels"}}'
    kubectl("patch", "mrel", "1.1.0", "--type=merge", revoke)
    document = fleet.do("index")
    assert named(document, "withdrawnReleases") == ["1.1.0"]
    assert named(document, "channels") == []
    fleet.wait("mrel", "1.1.0", phase="Revoked", reason="Revoked")
    document = fleet.do("grant")
    assert [release["version"] for release in document["releases"]] == ["1.0.0"]
    assert named(fleet.do("index"), "channels") == ["1.0.0"]
    fleet.wait("rchan", "stable", listed=listed("1.0.0"), reason="Current")

    # The device is suspended.
    fleet.apply("Device", "camera", {**DEVICE, "suspend": True})
    fleet.wait("dev", "camera", phase="Authorised", reason="Suspending")
    [told] = fleet.do("grant")["devices"]
    assert (told["suspended"], told["releases"]) == (True, [])
    fleet.wait("dev", "camera", phase="Suspended", reason="Suspended")
    assert errors(operator) == []


def test_a_release_is_withdrawn_before_it_is_deleted(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    fleet = Fleet(kubectl)
    fleet.do("index")
    fleet.verify("1.0.0", deletionPolicy="Withdraw")
    fleet.do("index")
    fleet.wait("mrel", "1.0.0", phase="Released")
    kubectl("delete", "mrel", "1.0.0", "--wait=false")
    fleet.wait("mrel", "1.0.0", reason="Withdrawing")
    assert named(fleet.do("index"), "withdrawnReleases") == ["1.0.0"]
    kubectl("wait", "--for=delete", "mrel/1.0.0", "--timeout=60s")
    assert errors(operator) == []


@pytest.fixture
def outside(
    crds: None, cluster: Cluster, namespace: str, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """The operator with rights that do not go with the namespace it works in."""
    home = f"home-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", home)
    account = grant_rights(cluster, home, everywhere=True)
    kubeconfig = account_kubeconfig(cluster, home, account, tmp_path)
    with OperatorProcess(tmp_path, kubeconfig, namespace) as running:
        yield running
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", account)
    cluster.kubectl("delete", "namespace", home, "--wait=false")


def test_what_is_to_be_withdrawn_does_not_hold_its_namespace(
    outside: OperatorProcess, kubectl: Kubectl, namespace: str
) -> None:
    fleet = Fleet(kubectl)
    fleet.do("index")
    fleet.verify("1.0.0", deletionPolicy="Withdraw")
    fleet.do("index")
    fleet.wait("mrel", "1.0.0", phase="Released")
    kubectl("delete", "mrel", "1.0.0", "--wait=false")
    fleet.wait("mrel", "1.0.0", reason="Withdrawing")
    kubectl("delete", "namespace", namespace, "--wait=false")
    wait_for(lambda: kubectl.run("get", "mrel", "1.0.0").returncode != 0, what="the release's end")
    wait_for(lambda: "NotWithdrawn" in outside.log, what="the warning")
