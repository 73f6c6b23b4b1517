"""Fixtures of every test that wants them."""

from __future__ import annotations

from support.embedded_cluster import cluster, namespace

__all__ = ["cluster", "namespace"]
