"""Decides what happens to a ModelRelease."""

from sealyard.core.model_release.reconcile import reconcile

__all__ = ["reconcile"]
