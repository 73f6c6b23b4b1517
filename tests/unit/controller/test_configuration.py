from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sealyard.controller.configuration import load_configuration
from sealyard.errors import InvalidError, MissingError

IMAGES = {"trainer": "t:1", "exporter": "e:1", "courier": "c:1", "router": "r:1"}


def written(folder: Path, **document: Any) -> str:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_least_that_must_be_said(tmp_path: Path) -> None:
    configuration = load_configuration(written(tmp_path, images=IMAGES))
    settings = configuration.settings()
    assert settings.images.trainer == "t:1"
    assert settings.progress is None
    assert configuration.watch_namespaces == []


def test_everything_reaches_the_decisions(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("PEM")
    configuration = load_configuration(
        written(
            tmp_path,
            images=IMAGES,
            watchNamespaces=["a"],
            pods={"runAsUser": 1000, "imagePullSecrets": ["pull"], "gpuResource": "amd.com/gpu"},
            progress={"url": "https://operator.test:8443", "port": 9443, "caFile": str(ca)},
            releases={"backoffLimit": 7, "jobTtlSeconds": 8, "failedRetentionSeconds": 9},
        )
    )
    settings = configuration.settings()
    assert settings.progress
    assert (settings.progress.url, settings.progress.ca) == ("https://operator.test:8443", "PEM")
    assert settings.pods.run_as_user == 1000
    assert settings.pods.image_pull_secrets == ("pull",)
    assert settings.pods.gpu_resource == "amd.com/gpu"
    assert settings.release_backoff_limit == 7
    assert settings.release_ttl_seconds_after_finished == 8
    assert settings.failed_release_retention_seconds == 9


WRONG = [
    ({"images": IMAGES, "worker": 3}, "worker: Extra inputs"),
    ({"images": {"trainer": "t"}}, "images.exporter: Field required"),
    ({"images": IMAGES, "workers": 0}, "workers: "),
    ({"images": IMAGES, "progress": {"url": "http://plain.test"}}, "progress.url: "),
    ({"images": IMAGES, "pods": {"runAsUser": 0}}, "pods.runAsUser: "),
]


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, document: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        load_configuration(written(tmp_path, **document))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "just words", "- a list", ""])
def test_what_is_no_configuration_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError):
        load_configuration(str(path))


def test_a_missing_ca_is_named(tmp_path: Path) -> None:
    progress = {"url": "https://operator.test", "caFile": str(tmp_path / "no.crt")}
    configuration = load_configuration(written(tmp_path, images=IMAGES, progress=progress))
    with pytest.raises(MissingError, match=r"no\.crt"):
        configuration.settings()


@pytest.mark.parametrize(("text", "code"), [("images: 3", 64), (None, 66)])
def test_the_command_ends_with_one_line_and_the_right_code(
    tmp_path: Path, text: str | None, code: int
) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "from sealyard.controller.main import main; main()"],
        env={"SEALYARD_CONFIG": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert str(path) in done.stderr
