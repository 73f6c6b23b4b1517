"""Does to a Job what Kueue does, in the same steps: admits it, and takes that back.

Kueue's own conditions stand in its Workload, which a user reads and the operator does not. On the
Job it writes what is written here (its pkg/controller/jobs/job/job_controller.go): spec.suspend,
scheduling directives of the pod template, the annotation while it stops, and status.startTime.
"""

from __future__ import annotations

import json
from typing import Any

from support.operator import Kubectl

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
STOPPING_ANNOTATION = "kueue.x-k8s.io/stopping"


class Kueue:
    """Kueue for the Jobs of a namespace, with a test for its quota.

    Args:
        kubectl: the namespace.
    """

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def admit(self, job: str, flavor: dict[str, str]) -> None:
        """Let it run on the nodes of a ResourceFlavor."""
        template = {
            "metadata": {"labels": {"kueue.x-k8s.io/podset": "main"}},
            "spec": {"nodeSelector": flavor},
        }
        self._patch(job, {"spec": {"suspend": False, "template": template}})

    def preempt(self, job: str) -> None:
        """Take it back; the template becomes what it was."""
        before = self._kubectl.get("job", job)
        assert before["spec"]["suspend"] is False, "only what was admitted can be preempted"
        stopping = {"annotations": {STOPPING_ANNOTATION: "true"}}
        self._patch(job, {"metadata": stopping, "spec": {"suspend": True}})
        self._patch(job, {"status": {"startTime": None}}, "--subresource=status")
        template = {
            "metadata": {"labels": {"kueue.x-k8s.io/podset": None}},
            "spec": {"nodeSelector": None},
        }
        restored = {"annotations": {STOPPING_ANNOTATION: None}}
        self._patch(job, {"metadata": restored, "spec": {"template": template}})

    def _patch(self, job: str, patch: dict[str, Any], *flags: str) -> None:
        self._kubectl("patch", "job", job, "--type=merge", f"--patch={json.dumps(patch)}", *flags)
