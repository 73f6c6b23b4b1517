"""A JobSet: several pods that train together, and find each other by name.

https://jobset.sigs.k8s.io, 0.10 or newer. The operator retries here, too: nothing is restarted in
a set, because what is left of it waits for a pod that has gone.
"""

from __future__ import annotations

from typing import Any

from sealyard.api.tasks import Nodes
from sealyard.core.queue import QUEUE_LABEL

API_VERSION = "jobset.x-k8s.io/v1alpha2"
KIND = "JobSet"
PORT = 29400
"""Where the pods meet; PyTorch's own."""
GROUP = "n"
"""Of the one group of pods. Short: it is a part of their names, which may have 63 characters."""
LONGEST_OWNER_NAME = 34
"""Of what is left of the run's name in the set's, for the same reason."""


def meeting_point(name: str, count: int) -> Nodes:
    """Where the pods of the JobSet of this name find the first of them.

    JobSet gives each pod a host name made of the set's, its group's, its Job's index and its own,
    below a headless Service that is called as the set.
    """
    return Nodes(count=count, host=f"{name}-{GROUP}-0-0.{name}", port=PORT)


def job_set(job: dict[str, Any], nodes: int) -> dict[str, Any]:
    """The JobSet of so many pods as a Job has one."""
    metadata, spec = job["metadata"], dict(job["spec"])
    of_set = {
        field: spec.pop(field) for field in ("suspend", "ttlSecondsAfterFinished") if field in spec
    }
    spec |= {
        "completionMode": "Indexed",
        "completions": nodes,
        "parallelism": nodes,
        # The first has the answer. If it was there already, the others have nobody to meet.
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
        "podFailurePolicy": _without_replacement(spec["podFailurePolicy"]),
    }
    labels = {key: value for key, value in metadata["labels"].items() if key != QUEUE_LABEL}
    template = {
        "metadata": {"labels": labels, "annotations": metadata["annotations"]},
        "spec": spec,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "successPolicy": {"operator": "All"},
            "failurePolicy": {
                "maxRestarts": 0,
                "rules": [
                    {
                        "name": "no_retry_mends_it",
                        "action": "FailJobSet",
                        "onJobFailureReasons": ["PodFailurePolicy"],
                    }
                ],
            },
            "replicatedJobs": [{"name": GROUP, "replicas": 1, "template": template}],
            **of_set,
        },
    }


def _without_replacement(policy: dict[str, Any]) -> dict[str, Any]:
    """A pod that was disrupted is not replaced alone: nobody would be there to train with it."""
    return {"rules": [rule for rule in policy["rules"] if rule["action"] != "Ignore"]}
