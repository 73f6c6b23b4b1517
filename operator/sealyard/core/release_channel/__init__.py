"""Decides what is said about a ReleaseChannel."""

from sealyard.core.release_channel.reconcile import reconcile

__all__ = ["reconcile"]
