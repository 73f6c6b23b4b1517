"""What a pod that reads out of a run's workspace gets of the ComputeProfile that the run used."""

from __future__ import annotations

import sys

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.training_run import TrainingRun
from sealyard.cli.cluster import Cluster
from sealyard.core.reading_pod import reading_settings
from sealyard.core.settings import PodSettings
from sealyard.errors import MissingError, RefusedError


def pods_for(cluster: Cluster, run: TrainingRun) -> PodSettings:
    """As the profile says now; where it cannot be read, a line says so and the pod is made without.

    Raises:
        UnavailableError, InvalidError: as `Cluster.get`.
    """
    compute = run.status.compute
    if compute is None or compute.profile is None:
        return reading_settings(None)
    try:
        profile = cluster.get_cluster_wide(ComputeProfile, compute.profile)
    except (MissingError, RefusedError) as error:
        print(f"{error}; the reading pod goes without its pull secrets", file=sys.stderr)
        return reading_settings(None)
    return reading_settings(profile)
