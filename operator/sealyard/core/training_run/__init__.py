"""Decides what happens to a TrainingRun."""

from sealyard.core.training_run.reconcile import reconcile

__all__ = ["reconcile"]
