"""The real trainer and exporter, as processes, on tiles of a real photograph."""

from __future__ import annotations

from support.training_fixtures import coins, make_pod, offline, trained

__all__ = ["coins", "make_pod", "offline", "trained"]
