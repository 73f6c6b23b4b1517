"""Decides what runs for an AnnotationRoute, and what is said about it."""

from sealyard.core.annotation_route.reconcile import reconcile

__all__ = ["reconcile"]
