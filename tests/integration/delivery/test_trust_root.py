"""`sealyard verify` and `pull` with a root: only what the signed index lists is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet import VARIANT, Fleet, fleet
from support.index import Trust
from support.programs import SEALYARD, Ended, Job
from support.stores import Stores

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def listed(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(stores, tmp_path_factory.mktemp("fleet")) as made:
        made.index(made.withdrawn("2.0.0"))
        yield made


def job(listed: Fleet, folder: Path, version: str) -> Job:
    made = listed.stores.release(folder, version=version)
    made.model = listed.model
    return made


def verify(made: Job, folder: Path, root: bytes | None) -> Ended:
    arguments = ["verify", made.model, made.version, *made.places]
    if root is not None:
        (folder / "root.json").write_bytes(root)
        arguments += ["--trust-root", str(folder / "root.json")]
    return opening(made, folder, *arguments)


def opening(made: Job, folder: Path, *arguments: str) -> Ended:
    keyring = ("--keyring", str(made.secrets / "keyring" / "keyring.json"))
    state = f"XDG_STATE_HOME={folder / 'state'}"
    return made.program("env", state, SEALYARD, *arguments, *keyring, "--json")


def test_what_is_listed_is_signed(listed: Fleet, tmp_path: Path) -> None:
    made = job(listed, tmp_path / "job", "1.0.0")
    ended = verify(made, tmp_path, listed.trust.first)
    assert ended.code == 0, ended.output
    (proof,) = json.loads(ended.output)["variants"]
    assert (proof["variant"], proof["opens"], proof["trust"]) == (VARIANT, True, "signed")
    assert list((tmp_path / "state" / "sealyard" / "index").iterdir()), "what was seen is kept"
    places = ("--sealed-dir", str(tmp_path / "sealed"), "--trust-root", str(tmp_path / "root.json"))
    pulled = opening(made, tmp_path, *made.pull_arguments(), *places)
    assert pulled.code == 0, pulled.output
    assert json.loads(pulled.output)["trust"] == "signed"


def test_what_was_withdrawn_opens_for_whoever_has_no_root(listed: Fleet, tmp_path: Path) -> None:
    made = job(listed, tmp_path / "job", "2.0.0")
    ended = verify(made, tmp_path, listed.trust.first)
    assert ended.code != 0
    assert f"its index lists no {listed.model} 2.0.0; it was not released there" in ended.output
    unsigned = verify(made, tmp_path, None)
    assert json.loads(unsigned.output)["variants"][0]["trust"] == "unsigned"


def test_a_root_of_somebody_else_believes_nothing(listed: Fleet, tmp_path: Path) -> None:
    ended = verify(job(listed, tmp_path / "job", "1.0.0"), tmp_path, Trust().first)
    assert ended.code == 65
    none = verify(job(listed, tmp_path / "other", "1.0.0"), tmp_path, b"{}")
    assert none.code == 64
