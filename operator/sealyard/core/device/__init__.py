"""Decides what is said about a Device."""

from sealyard.core.device.reconcile import reconcile

__all__ = ["reconcile"]
