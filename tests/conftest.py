"""Fixtures of every test that wants them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from support.embedded_cluster import cluster, namespace

# A shared machine stalls for longer than any bound on time that would tell something.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

__all__ = ["cluster", "namespace"]
