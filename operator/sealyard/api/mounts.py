"""Where a program finds what the operator mounted for it, and where it is asked."""

from __future__ import annotations

TASK_VARIABLE = "SEALYARD_TASK"
"""The environment variable that holds the task: one JSON document, never a secret."""
POD_UID_VARIABLE = "SEALYARD_POD_UID"
"""The pod's uid (downward API, `metadata.uid`): who holds the LOCK of a workspace folder."""

WORKSPACE_DIRECTORY = "/workspace"
DATASET_DIRECTORY = "/dataset"
WEIGHTS_DIRECTORY = "/weights"
ANNOTATIONS_DIRECTORY = "/annotations"
SCRATCH_DIRECTORY = "/tmp"  # noqa: S108 - an emptyDir of the pod's own, the root is read-only
CA_DIRECTORY = "/run/sealyard/ca"
"""A CA bundle is at `CA_DIRECTORY/<remote>/ca.crt`, where the remote is api, cdn, dataset, mlflow,
workspace, weights, queue, annotations or pictures; without one the system's roots serve."""

INPUT_DIRECTORY = "/run/sealyard/input"
"""Input that is too long for a task: files `0000`, `0001`, …; joined in this order they are the
RFC 8785 form of one JSON document, whose digest stands in the task. Of ConfigMaps that never
change and belong to the Job."""
INPUT_PART_BYTES = 900_000
TRUST_ROOT_DIRECTORY = "/run/sealyard/trust-root"
"""The public chain of roots, `1.root.json` and on: the whole ConfigMap of the target."""

CA_KEY = "ca.crt"
PROGRESS_TOKEN_FILE = "/run/sealyard/progress/token"  # noqa: S105 - a path, not a token
PROGRESS_AUDIENCE = "sealyard"
TERMINATION_MESSAGE_FILE = "/dev/termination-log"
CONTAINER_NAME = "main"
WORKSPACE_VOLUME = "workspace"
ROUTER_PORT = 9464
"""Where a router says by HTTP whether it lives (`/healthz`), files (`/readyz`), and how much
(`/metrics`)."""
