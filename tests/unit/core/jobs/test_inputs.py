"""Input of Jobs in ConfigMaps."""

from __future__ import annotations

import kubernetes_validate
import pytest

from sealyard.api.mounts import INPUT_PART_BYTES
from sealyard.api.secrets import Role
from sealyard.core.jobs import input_config_map, input_parts
from sealyard.core.jobs.pod import job_input
from support.job_manifests import JOBS, pod_of

JOB = {"metadata": {**JOBS[Role.GRANT]["metadata"], "uid": "job-uid"}}


@pytest.mark.parametrize(
    ("length", "parts"),
    [(2, 1), (INPUT_PART_BYTES, 1), (INPUT_PART_BYTES + 1, 2), (3 * INPUT_PART_BYTES, 3)],
)
def test_a_document_is_what_its_parts_are_joined(length: int, parts: int) -> None:
    text = (b"0123456789" * (length // 10 + 1))[:length]
    found = input_parts(text)
    assert len(found) == parts
    assert "".join(found).encode() == text
    assert max(map(len, found)) <= INPUT_PART_BYTES


def test_a_config_map_belongs_to_its_job_and_never_changes() -> None:
    config_map = input_config_map(JOB, 1, "{}")
    kubernetes_validate.validate(config_map, "1.37", strict=True)
    metadata = config_map["metadata"]
    assert metadata["name"] == f"{JOB['metadata']['name']}-input-1"
    assert config_map["immutable"] is True
    assert config_map["data"] == {"0001": "{}"}
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "Job",
        JOB["metadata"]["name"],
        "job-uid",
    )


def test_a_pod_waits_for_every_part_in_one_folder() -> None:
    mount = job_input("job", 2)
    assert mount.path == "/run/sealyard/input"
    assert mount.volume["projected"]["sources"] == [
        {"configMap": {"name": f"job-input-{n}", "items": [{"key": f"000{n}", "path": f"000{n}"}]}}
        for n in range(2)
    ]
    volumes = {volume["name"]: volume for volume in pod_of(JOBS[Role.GRANT])["volumes"]}
    assert volumes["input"] == job_input(JOBS[Role.GRANT]["metadata"]["name"], 1).volume
