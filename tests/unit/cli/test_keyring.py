from __future__ import annotations

import base64
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from sealyard.sealing.keyring import Keyring

SEALYARD = Path(sys.executable).with_name("sealyard")


def sealyard(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([SEALYARD, *arguments], capture_output=True, check=False, timeout=60)


def test_a_new_keyring_is_a_secret() -> None:
    done = sealyard("keyring", "new", "--name", "keys", "--key", "k-1", "--fleet-key", "fleet")

    assert done.returncode == 0
    secret = yaml.safe_load(done.stdout)
    assert (secret["kind"], secret["metadata"]) == ("Secret", {"name": "keys"})
    keyring = Keyring.parse(base64.b64decode(secret["data"]["keyring.json"]))
    assert keyring.active_v2.name == "k-1"
    assert keyring.active_v1.name == "fleet"


def test_two_keyrings_have_nothing_in_common() -> None:
    one, other = (Keyring.parse(sealyard("keyring", "new", "--raw").stdout) for _ in range(2))
    assert one.active_v2.material != other.active_v2.material


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keyring", "new", "--name", "A Secret"], b"--name"),
        (["keyring", "new", "--key", "K 1"], b"name"),
        (["pull"], b"Missing argument"),
        (["no-such-command"], b"no-such-command"),
        (["pull", "coins", "1.0.0", "--password", "hunter2"], b"--password"),
    ],
)
def test_wrong_input_is_64(arguments: list[str], said: bytes) -> None:
    done = sealyard(*arguments)
    assert done.returncode == 64
    assert said in done.stderr
    assert done.stdout == b""


def test_version() -> None:
    assert sealyard("--version").stdout.decode() == f"sealyard {version('sealyard')}\n"
