"""Builders of Jobs: what a piece of work needs in, a complete manifest out.

`train`, `export` and `courier` say what each role gets; `pod` holds what all of them have in
common. A Job is created and never changed, so a builder must give the same manifest for the same
input.
"""

from sealyard.core.jobs.courier import (
    pin,
    probe_job,
    publish_job,
    rewrap_job,
    tidy_job,
    verify_job,
)
from sealyard.core.jobs.export import export_job
from sealyard.core.jobs.train import train_job

__all__ = [
    "export_job",
    "pin",
    "probe_job",
    "publish_job",
    "rewrap_job",
    "tidy_job",
    "train_job",
    "verify_job",
]
