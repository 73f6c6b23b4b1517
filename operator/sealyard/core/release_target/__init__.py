"""Decides what is said about a ReleaseTarget."""

from sealyard.core.release_target.problems import problems_of
from sealyard.core.release_target.reconcile import reconcile

__all__ = ["problems_of", "reconcile"]
