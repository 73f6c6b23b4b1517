"""Builders of Jobs: what a piece of work needs in, a complete manifest out.

`train`, `export`, `courier` and `errands` say what each role gets; `pod` holds what all of them
have in common. A Job is created and never changed, so a builder must give the same manifest for the
same input. `router` builds the one Deployment that there is.
"""

from sealyard.core.jobs.courier import (
    probe_job,
    publish_job,
    rewrap_job,
    tidy_job,
    verify_job,
)
from sealyard.core.jobs.errands import grant_job, index_job, variant_of
from sealyard.core.jobs.export import export_job, memory_limit
from sealyard.core.jobs.inputs import input_config_map, input_parts
from sealyard.core.jobs.remotes import pin
from sealyard.core.jobs.router import applied, pod_applied, router_deployment, router_name
from sealyard.core.jobs.train import attempt_name, train_job

__all__ = [
    "applied",
    "attempt_name",
    "export_job",
    "grant_job",
    "index_job",
    "input_config_map",
    "input_parts",
    "memory_limit",
    "pin",
    "pod_applied",
    "probe_job",
    "publish_job",
    "rewrap_job",
    "router_deployment",
    "router_name",
    "tidy_job",
    "train_job",
    "variant_of",
    "verify_job",
]
