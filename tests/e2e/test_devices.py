"""From a reviewed YAML to a model that opens on one device alone, until it is revoked."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sealyard_local import stores
from support.operator import wait_for
from support.whole import Whole

logger = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.stores,
    pytest.mark.training,
    pytest.mark.timeout(1800),
]

TARGET = "trusted"


@dataclass(frozen=True)
class Machine:
    """A machine with its own state folder, which `sealyard device` is run on."""

    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SEALYARD, "device", *arguments, "--state", str(self.folder / "state")],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def enrol(self, whole: Whole, name: str, root: Path) -> str:
        """The YAML of this machine."""
        credentials = self.folder / "reader"
        whole.stores.write_reader_credentials(credentials)
        (self.folder / "key").write_bytes(os.urandom(32))
        ca = str(credentials / "ca.crt")
        made = self.run(
            "init",
            *("--name", name, "--target", TARGET, "--models", "coins", "--channels", "stable"),
            *("--level", "keystore", "--keystore-file", str(self.folder / "key")),
            *("--api", whole.stores.api_url, "--api-ca", ca),
            *("--cdn", whole.stores.cdn_endpoint, "--cdn-ca", ca, "--bucket", stores.BUCKET),
            *("--cdn-credentials", str(credentials), "--trust-root", str(root)),
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    def pull(self) -> tuple[int, dict[str, Any], str]:
        """What the channel brings: exit code, result, and what was said."""
        pulled = self.run(
            "pull", "coins", "--channel", "stable", "--json", "-o", str(self.folder / "model.onnx")
        )
        result = json.loads(pulled.stdout) if pulled.returncode == 0 else {}
        return pulled.returncode, result, pulled.stderr


SEALYARD = str(Path(sys.executable).with_name("sealyard"))


def release(version: str) -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ModelRelease",
        "metadata": {"name": f"coins-{version}"},
        "spec": {
            "model": "coins",
            "version": version,
            "source": {"trainingRunRef": {"name": "coins"}},
            "variants": [{"name": "onnx-fp32", "format": "onnx", "precision": "fp32"}],
            "targetRef": {"name": TARGET},
        },
    }


def channel(version: str) -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ReleaseChannel",
        "metadata": {"name": "coins-stable"},
        "spec": {
            "model": "coins",
            "channel": "stable",
            "version": version,
            "targetRef": {"name": TARGET},
        },
    }


def trusted_target(whole: Whole) -> dict[str, Any]:
    """The quickstart's target with a signed index."""
    spec = whole.kubectl.get("releasetarget", "stores")["spec"]
    trust = {
        "rootConfigMapRef": {"name": "trust-root"},
        "releaseKeySecretRef": {"name": "trust-release-key"},
        "freshnessKeySecretRef": {"name": "trust-freshness-key"},
        "indexLifetimeSeconds": 3600,
    }
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ReleaseTarget",
        "metadata": {"name": TARGET},
        "spec": {**spec, "trust": trust},
    }


def apply_trust(whole: Whole, folder: Path) -> Path:
    """Makes the keys of the index, applies what belongs into the cluster; gives the first root."""
    made = subprocess.run(
        [SEALYARD, "trust", "init", str(folder / "root"), "--output", str(folder / "trust.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    whole.kubectl("apply", "-f", str(folder / "trust.yaml"))
    return folder / "root" / "1.root.json"


def test_a_device_follows_its_channel_until_it_may_not(whole: Whole, tmp_path: Path) -> None:
    whole.wait_until_ready("modelrelease", "coins-1.0.0")
    root = apply_trust(whole, tmp_path)
    (tmp_path / "camera").mkdir()
    (tmp_path / "stranger").mkdir()
    camera, stranger = Machine(tmp_path / "camera"), Machine(tmp_path / "stranger")
    reviewed = tmp_path / "camera.yaml"
    reviewed.write_text(camera.enrol(whole, "camera", root))
    stranger.enrol(whole, "stranger", root)

    # Everything at once, as ArgoCD would.
    whole.kubectl.apply(trusted_target(whole), channel("^2.0.0"), release("2.0.0"))
    whole.kubectl("apply", "-f", str(reviewed))
    released = whole.wait_until_ready("modelrelease", "coins-2.0.0")
    assert (released["phase"], released["trust"]) == ("Released", "signed")
    assert whole.wait_until_ready("device", "camera")["phase"] == "Authorised"
    whole.wait_until_ready("releasechannel", "coins-stable")
    code, first, said = camera.pull()
    assert code == 0, said
    assert first["version"] == "2.0.0"
    model = (camera.folder / "model.onnx").read_bytes()
    assert hashlib.sha256(model).hexdigest() == released["variants"][0]["sha256"]
    code, _, said = stranger.pull()
    assert code == 77, said

    # A newer release moves the channel; revoking it moves the channel back.
    whole.kubectl.apply(release("2.1.0"))
    whole.wait_until_ready("modelrelease", "coins-2.1.0")
    wait_for(lambda: camera.pull()[1].get("version") == "2.1.0", 120, "the channel to move")
    revoke = json.dumps({"spec": {"revoked": True, "revocationReason": "finds no coins"}})
    whole.kubectl("patch", "modelrelease", "coins-2.1.0", "--type=merge", "-p", revoke)
    begun = time.monotonic()
    wait_for(lambda: camera.pull()[1].get("version") == "2.0.0", 120, "the channel to fall back")
    logger.info("revoked, and fallen back on the device after %.1f s", time.monotonic() - begun)
    refused = camera.run("pull", "coins", "2.1.0")
    assert refused.returncode != 0
    revoked = "the release to be known as revoked"
    wait_for(
        lambda: whole.status("modelrelease", "coins-2.1.0")["phase"] == "Revoked", 120, revoked
    )
    table = whole.kubectl("get", "modelreleases,releasechannels,devices,releasetargets")
    logger.info("%s", table)
    assert "signed" in table

    # A suspended device gets nothing any more.
    suspend = json.dumps({"spec": {"suspend": True}})
    whole.kubectl("patch", "device", "camera", "--type=merge", "-p", suspend)
    wait_for(lambda: camera.pull()[0] == 77, 120, "the device to be shut out")
    suspended = "the device to be known as suspended"
    wait_for(lambda: whole.status("device", "camera")["phase"] == "Suspended", 120, suspended)

    # And its object goes, once the release API was told.
    whole.kubectl("delete", "device", "camera", "--timeout=120s")
