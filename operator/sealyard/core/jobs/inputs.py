"""Input that is too long for a task: immutable ConfigMaps that belong to their Job."""

from __future__ import annotations

from typing import Any

from sealyard.api.kind import MANAGED_BY, MANAGED_BY_LABEL
from sealyard.api.mounts import INPUT_PART_BYTES


def input_parts(text: bytes) -> tuple[str, ...]:
    """A document in RFC 8785 form, in parts that a ConfigMap has room for.

    Args:
        text: ASCII, as everything is that names, digests and keys consist of.
    """
    starts = range(0, max(len(text), 1), INPUT_PART_BYTES)
    return tuple(text[start : start + INPUT_PART_BYTES].decode("ascii") for start in starts)


def input_name(job_name: str, part: int) -> str:
    """The name of the ConfigMap that holds a part."""
    return f"{job_name}-input-{part}"


def input_key(part: int) -> str:
    """The key of a part, and the name of its file."""
    return f"{part:04}"


def input_config_map(job: dict[str, Any], part: int, text: str) -> dict[str, Any]:
    """The ConfigMap of one part.

    Args:
        job: the Job as the API server has it: the ConfigMap goes with it.
        part: counted from 0.
        text: what it holds.
    """
    metadata = job["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": input_name(metadata["name"], part),
            "namespace": metadata["namespace"],
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    # True would ask for the right to set finalizers on the Job.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "immutable": True,
        "data": {input_key(part): text},
    }
